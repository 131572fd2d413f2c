"""Routes for prospects: search, get, create, update. (source API specification: Prospects)"""

import base64
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from litestar import Response, Router, get, post, put
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET

from officepro import events
from officepro.access.asked import TheCaller, TheDatabase, TheOnce
from officepro.access.caller import Caller
from officepro.access.guards import requires
from officepro.access.scopes import PROSPECTS
from officepro.activity.asked import Disclosures, TheDisclosures
from officepro.foundation import clock
from officepro.foundation.answers import One, Paged, Written
from officepro.foundation.database import Connection, Database, Row
from officepro.foundation.documented import ETAG, READS, documented
from officepro.foundation.errors import Invalid
from officepro.foundation.etags import StaleVersion, etag, version_of
from officepro.foundation.paging import DEFAULT_LIMIT, MAXIMUM_TOTAL, Page
from officepro.foundation.parameters import IfMatch, PageLimit, PageNumber, PathId, Search
from officepro.foundation.wire import MAXIMUM_ID, Moment
from officepro.prospects import queries
from officepro.prospects.newcomers import TheNewcomers
from officepro.prospects.queries import FOUND_BY, Filter
from officepro.prospects.searches import Searches, TheSearches
from officepro.prospects.shapes import Prospect, ProspectFields, ProspectTag, SearchProspects
from officepro.prospects.telling import Told, page_of
from officepro.prospects.tokens import searched, tokens_of

MAXIMUM_BODY_BYTES = 2 * 1024 * 1024  # a picture of 1 MiB in base64 plus the other fields
FIRST_VERSION = 1
FIELDS_BEFORE_TAGS = len(queries.COLUMNS) + 3  # patient_id before them, two timestamps after them
_IDENTIFYING = {
    "first_name": "FirstName",
    "last_name": "LastName",
    "full_name": "FullName",
    "nick_name": "NickName",
    "email": "EMail",
    "phone": "Phone",
    "cell_phone": "CellPhone",
    "sms_phone": "SMSPhone",
}

OnlyProspects = Annotated[bool, QueryParameter(name="prospect", description="true: only records with Prospect = 1.")]
WornTag = Annotated[int | None, QueryParameter(name="tagId", ge=1, le=MAXIMUM_ID, description="Filter by tag.")]
UpdatedSince = Annotated[
    Moment | None,
    QueryParameter(name="updatedSince", description="Only records changed since, in that order."),
]
Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", min_length=1, max_length=100, description="`nextCursor` of the previous page."),
]


@get(
    "/",
    summary="List and search prospects",
    opt=documented(query_example={"search": "doe", "page": 1, "limit": 25, "prospect": True}),
)
async def list_prospects(
    caller: TheCaller,
    database: TheDatabase,
    searches: TheSearches,
    disclosures: TheDisclosures,
    search: Search = None,
    page: PageNumber = 1,
    limit: PageLimit = DEFAULT_LIMIT,
    prospect: OnlyProspects = False,
    tag_id: WornTag = None,
    updated_since: UpdatedSince = None,
    cursor: Cursor = None,
) -> Paged[Prospect]:
    """`search` matches the beginning of any word of the names or e-mail, and of the digits of any phone; all words of
    the search must match. `total` counts up to 10,000. A list without `search` returns `nextCursor` while there are
    more records; pass it as `cursor` to continue at any depth, also past the 10,000 records that pages reach."""
    asked = SearchProspects(search, page, limit, prospect, tag_id, updated_since, cursor)
    return await _found(asked, "query", caller, database, searches, disclosures)


@post(
    "/search",
    summary="Search prospects with a JSON body",
    status_code=200,
    opt=documented(example_request={"search": "doe", "page": 1, "limit": 25, "prospect": True}) | {READS: True},
)
async def search_prospects(
    data: JSONBody[SearchProspects],
    caller: TheCaller,
    database: TheDatabase,
    searches: TheSearches,
    disclosures: TheDisclosures,
) -> Paged[Prospect]:
    """Same parameters as the list, sent in the body. Prefer it when searching by name, e-mail or phone: proxies log
    URLs, and this URL contains no personal data. It changes nothing and needs no Idempotency-Key."""
    return await _found(data, "body", caller, database, searches, disclosures)


async def _found(
    asked: SearchProspects,
    place: str,
    caller: Caller,
    database: Database,
    searches: Searches,
    disclosures: Disclosures,
) -> Paged[Prospect]:
    """Run a list or search. `place` is where the parameters were sent, for field errors."""
    page, search = Page(asked.page, asked.limit), asked.search
    wanted = Filter(
        beginnings=searched(search) if search else None,
        only_prospects=asked.prospect,
        tag_id=asked.tag_id,
        updated_since=asked.updated_since,
        after=_after(asked, place),
    )
    if searches.may_find(wanted):
        told = await searches.find(wanted, page, disclosures)
    else:
        async with database.practice(caller.practice_id) as db:
            told = await queries.some(db, caller.practice_id, wanted, page)
        await disclosures.record(*told.patient_ids)
    answer = page_of(told, page)
    if not search:
        answer.next_cursor = _cursor(told, asked.updated_since) if len(told.patient_ids) == page.limit else None
    return answer


@get(
    "/{patient_id:str}",
    summary="Get one prospect",
    opt=documented(path_example={"id": 1001}, errors=[queries.UnknownProspect], answer_headers=ETAG),
)
async def get_prospect(
    patient_id: PathId, caller: TheCaller, database: TheDatabase, disclosures: TheDisclosures
) -> Response[One[Prospect]]:
    """Returns all fields, the tags and the picture."""
    async with database.practice(caller.practice_id) as db:
        row = await queries.one(db, caller.practice_id, patient_id)
    await disclosures.record(patient_id)
    return Response(One(_with_picture(row)), headers=etag(row["version"]))


@post(
    "/",
    summary="Create a new prospect",
    opt=documented(
        example_request={"FirstName": "John", "LastName": "Doe", "EMail": "john@example.com", "Phone": "555-0123"},
        errors=[queries.UnknownProvider],
        answer_headers=ETAG,
        body_rules={"anyOf": [{"required": [name]} for name in _IDENTIFYING.values()]},
    ),
)
async def create_prospect(
    data: JSONBody[ProspectFields],
    caller: TheCaller,
    once: TheOnce,
    newcomers: TheNewcomers,
    disclosures: TheDisclosures,
) -> Response[Written[Prospect]]:
    """At least one identifying field is required: a name, an e-mail or a phone. `Prospect` defaults to 1."""
    columns = {"prospect": 1} | data.columns()
    if not any(columns.get(name) for name in _IDENTIFYING):
        raise Invalid.at(
            "body",
            f"must identify the person: send at least one of {', '.join(_IDENTIFYING.values())}",
        )
    _refuse_future_birth(columns)
    picture = None if data.picture is UNSET else data.picture
    if newcomers.may_be_joined and not once.has_key and picture is None:
        disclosure = disclosures.of()
        made = await newcomers.create(columns, _tokens(columns), disclosure)
        disclosures.kept(disclosure)
        return Response(Written("Prospect created successfully", _newcomer(columns, made)), headers=etag(FIRST_VERSION))
    async with once.single_statement() as db:
        row = await queries.create(db, caller.practice_id, columns, _tokens(columns), picture)
        answer = Written("Prospect created successfully", _with_picture(row))
        await once.settled(db, answer, version=row["version"])
    await disclosures.record(row["patient_id"])
    return Response(answer, headers=etag(row["version"]))


@put(
    "/{patient_id:str}",
    summary="Update an existing prospect",
    opt=documented(
        path_example={"id": 1001},
        example_request={"NickName": "Johnny", "Gender": "m", "Prospect": 0},
        errors=[queries.UnknownProspect, queries.UnknownProvider],
        answer_headers=ETAG,
    ),
)
async def update_prospect(
    patient_id: PathId,
    data: JSONBody[ProspectFields],
    caller: TheCaller,
    database: TheDatabase,
    disclosures: TheDisclosures,
    if_match: IfMatch = None,
) -> Response[Written[Prospect]]:
    """Changes the fields that are sent; omitted fields are unchanged. null clears a field."""
    columns = data.columns()
    _refuse_future_birth(columns)
    changes_something = bool(columns) or data.picture is not UNSET
    version = version_of(if_match)
    async with database.practice_transaction(caller.practice_id) as db:
        if changes_something:
            await _change(db, caller.practice_id, patient_id, data, columns, version)
        row = await queries.one(db, caller.practice_id, patient_id)
        if changes_something:
            await events.record(db, caller.practice_id, "patient.updated", patient_id, {"PatientID": patient_id})
        elif version not in (None, row["version"]):
            raise StaleVersion(row["version"])
    await disclosures.record(patient_id)
    return Response(Written("Prospect updated successfully", _with_picture(row)), headers=etag(row["version"]))


async def _change(
    db: Connection,
    practice_id: int,
    patient_id: int,
    data: ProspectFields,
    columns: dict[str, Any],
    version: int | None,
) -> None:
    changed = await queries.update(db, practice_id, patient_id, columns, version)
    if changed is None:
        raise StaleVersion((await queries.one(db, practice_id, patient_id))["version"])
    if FOUND_BY & columns.keys():
        await queries.set_tokens(db, practice_id, patient_id, _tokens(changed))
    if data.picture is not UNSET:
        await queries.set_picture(db, practice_id, patient_id, data.picture)


def _tokens(columns: Mapping[str, Any] | Row) -> list[str]:
    return tokens_of(
        [columns.get(name) for name in ("first_name", "mi", "last_name", "full_name", "nick_name")],
        columns.get("email"),
        [columns.get(name) for name in ("phone", "cell_phone", "sms_phone")],
    )


def _refuse_future_birth(columns: dict[str, Any]) -> None:
    born: date | None = columns.get("dob")
    if born is not None and born > clock.now().date() + timedelta(days=1):  # time zones ahead of UTC
        raise Invalid.at("body.DOB", "must not be in the future")


def _after(asked: SearchProspects, place: str) -> tuple[datetime | None, int] | None:
    if asked.cursor is None:
        if asked.page * asked.limit > MAXIMUM_TOTAL:
            raise Invalid.at(f"{place}.page", f"reaches {MAXIMUM_TOTAL} records at most; continue with `cursor`")
        return None
    if asked.search or asked.page != 1:
        raise Invalid.at(f"{place}.cursor", "cannot be combined with `search` or `page`")
    try:
        changed, _, number = base64.urlsafe_b64decode(asked.cursor + "===").decode("ascii").partition(" ")
        last_change, patient_id = Moment.parse(changed) if changed else None, int(number)
        if not 1 <= patient_id <= MAXIMUM_ID:
            raise ValueError(patient_id)
    except ValueError:
        raise Invalid.at(f"{place}.cursor", "invalid cursor; pass `nextCursor` unchanged") from None
    if (last_change is None) != (asked.updated_since is None):  # cursor of a list in another order
        raise Invalid.at(f"{place}.cursor", "belongs to another list; send the same `updatedSince` as before")
    return last_change, patient_id


def _cursor(told: Told, updated_since: datetime | None) -> str:
    """Return the cursor of the next page: after the last person of this one, in the order of the list."""
    changed = "" if updated_since is None or told.last_updated_at is None else told.last_updated_at.isoformat()
    return base64.urlsafe_b64encode(f"{changed} {told.patient_ids[-1]}".encode()).decode().rstrip("=")


def _newcomer(columns: dict[str, Any], made: Row) -> Prospect:
    """Return the created prospect from the columns written and the values generated by the database."""
    stands = columns | {"full_name": made["full_name"]}
    moment = made["created_at"]
    fields: list[Any] = [made["patient_id"], *map(stands.get, queries.COLUMNS), moment, moment, [], None]
    return Prospect(*fields)


def _with_picture(row: Row) -> Prospect:
    worn = [ProspectTag(*tag) for tag in zip(row["tag_ids"], row["tags"], strict=True)]
    picture = base64.b64encode(row["picture"]).decode() if row["picture"] else None
    fields: list[Any] = [*list(row.values())[:FIELDS_BEFORE_TAGS], worn, picture]
    return Prospect(*fields)


router = Router(
    "/v1/{practicepass:str}/prospects",
    guards=[requires(PROSPECTS)],
    route_handlers=[list_prospects, search_prospects, get_prospect, create_prospect, update_prospect],
    request_max_body_size=MAXIMUM_BODY_BYTES,
    tags=["Prospects"],
)
