"""Queries for prospects: insert with search tokens, list, search, get one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from officepro import events
from officepro.foundation.database import MEANING, Connection, Row
from officepro.foundation.errors import Impossible, NotFound
from officepro.foundation.paging import MAXIMUM_TOTAL, Page
from officepro.prospects.telling import Told, full_name, telling, told_in

MAXIMUM_MATCHES = 20_000  # of a search, in the order of the matching token
MAXIMUM_PROBED = 2_000  # checked one by one if every word of a search is very frequent

# In the field order of `Prospect`.
COLUMNS = (
    "first_name", "mi", "last_name", "full_name", "nick_name", "gender", "dob", "life_stage", "pronouns",
    "sexual_identity", "primary_language", "type", "phone", "cell_phone", "sms_phone", "email", "address", "unit",
    "city", "state", "zip", "country", "provider_id", "prospect", "sh_name", "sh_address", "sh_unit", "sh_city",
    "sh_state", "sh_zip", "sh_country", "notes",
)  # fmt: skip
FOUND_BY = frozenset(
    {"first_name", "mi", "last_name", "full_name", "nick_name", "email", "phone", "cell_phone", "sms_phone"}
)


class UnknownProspect(NotFound):
    """There is no such prospect in this practice."""

    code = "unknown_prospect"


class UnknownProvider(Impossible):
    """There is no such provider in this practice; GET /availability/providers lists them."""

    code = "unknown_provider"


MEANING["patient_provider"] = UnknownProvider


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Filter of a list or search of prospects."""

    beginnings: Sequence[str] | None = None  # beginnings that every result must match; None: no search
    only_prospects: bool = False
    tag_id: int | None = None
    updated_since: datetime | None = None
    after: tuple[datetime | None, int] | None = None  # last row of the previous page, in list order

    @property
    def is_one_word(self) -> bool:
        """True for a search for one word with no other filter than `prospect`."""
        is_narrowed = self.tag_id is not None or self.updated_since is not None
        return self.beginnings is not None and len(self.beginnings) == 1 and not is_narrowed


def _selected(alias: str) -> str:
    """Return the columns of `Prospect` except the tags, as SQL."""
    columns = [f"{full_name(alias)} AS full_name" if name == "full_name" else f"{alias}.{name}" for name in COLUMNS]
    return ", ".join([f"{alias}.patient_id", *columns, f"{alias}.created_at", f"{alias}.updated_at"])


_THIN = "jsonb_build_object('PatientID', created.patient_id)"
_TAGS = "coalesce(worn.tag_ids, '{}') AS tag_ids, coalesce(worn.tags, '{}') AS tags"
_WORN = """
    LEFT JOIN LATERAL (
        SELECT array_agg(t.tag_id ORDER BY t.tag, t.tag_id) AS tag_ids,
               array_agg(t.tag ORDER BY t.tag, t.tag_id) AS tags
        FROM patient_tag pt JOIN tag t USING (practice_id, tag_id)
        WHERE pt.practice_id = $1 AND pt.patient_id = p.patient_id
    ) AS worn ON true
"""

_ONE = f"""
    SELECT {_selected("p")}, {_TAGS}, p.version,
           (SELECT picture FROM patient_picture WHERE practice_id = $1 AND patient_id = $2) AS picture
    FROM patient p {_WORN} WHERE p.practice_id = $1 AND p.patient_id = $2
"""


async def one(db: Connection, practice_id: int, patient_id: int) -> Row:
    """Return one prospect. Raises UnknownProspect."""
    row = await db.fetchrow(_ONE, practice_id, patient_id)
    if row is None:
        raise UnknownProspect
    return row


async def some(db: Connection, practice_id: int, wanted: Filter, page: Page) -> Told:
    """Return one page of prospects, in one round trip.

    A search is ordered by the matching token, a list by number, a list with `updated_since` by the time of the change.
    """
    arguments: list[Any] = [practice_id]
    matching, order = _matching(wanted, arguments)
    arguments += [page.limit, page.offset]
    limit, offset = f"${len(arguments) - 1}", f"${len(arguments)}"
    if order is None:
        counted = f"matching AS MATERIALIZED ({matching} LIMIT {MAXIMUM_TOTAL + 1})"
        shown = f"SELECT patient_id FROM matching ORDER BY place LIMIT {limit} OFFSET {offset}"
    else:
        of_all_pages, _ = _matching(msgspec.structs.replace(wanted, after=None), arguments)
        counted = f"matching AS ({of_all_pages} LIMIT {MAXIMUM_TOTAL + 1})"
        shown = f"SELECT patient_id FROM ({matching}) AS wanted ORDER BY {order} LIMIT {limit} OFFSET {offset}"
    row = await db.fetchrow(
        f"""
        WITH {counted}, page AS MATERIALIZED (SELECT ARRAY({shown}) AS patient_ids)
        SELECT (SELECT count(*) FROM matching) AS total, told.*
        FROM page, LATERAL ({telling("$1", "page.patient_ids")}) AS told
        """,
        *arguments,
    )
    assert row is not None
    return told_in(row)


def _matching(wanted: Filter, arguments: list[Any]) -> tuple[str, str | None]:
    """Return SQL for the matching ids, and their order; None if the column `place` is the order."""
    conditions = _conditions(wanted, arguments)
    if wanted.beginnings is None:
        order = "patient_id" if wanted.updated_since is None else "updated_at, patient_id"
        where = " AND ".join(["p.practice_id = $1", *conditions])
        return f"SELECT p.patient_id, p.updated_at FROM patient p WHERE {where}", order
    if not wanted.beginnings:
        return "SELECT 0::bigint AS patient_id, 0::bigint AS place WHERE $1::bigint IS NULL", None
    return _found(wanted.beginnings, conditions, arguments), None


def _found(beginnings: Sequence[str], conditions: Sequence[str], arguments: list[Any]) -> str:
    """Return SQL for the people that match all words of a search.

    The longest word is queried through the index because it has the fewest matches, and the matches of the other words
    are intersected with it. People are checked one by one only for a word whose matches were cut off at the limit.
    """
    first, *others = (_asked_range(beginning, arguments) for beginning in sorted(beginnings, key=len, reverse=True))
    cut_off = [
        f"(SELECT cardinality(patient_ids) FROM found_{number}) = {MAXIMUM_MATCHES}" for number in range(len(others))
    ]
    most = f"CASE WHEN {' OR '.join(cut_off)} THEN {MAXIMUM_PROBED} ELSE {MAXIMUM_MATCHES} END" if others else None
    parts = [f"found_{number} AS MATERIALIZED ({_first_of(one)})" for number, one in enumerate(others)]
    parts.append(f"found AS MATERIALIZED ({_first_of(first, most or MAXIMUM_MATCHES)})")
    wanted = [
        f"""(one.patient_id IN (SELECT unnest(patient_ids) FROM found_{number}) OR {cut_off[number]} AND EXISTS (
                SELECT FROM patient_token other WHERE other.practice_id = $1 AND other.patient_id = one.patient_id
                AND other.token >= {low} AND other.token < {high}))"""
        for number, (low, high) in enumerate(others)
    ]
    if conditions:
        wanted += ["p.practice_id = $1", *conditions]
    joined = "JOIN patient p ON p.patient_id = one.patient_id" if conditions else ""
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    return f"""
        WITH {", ".join(parts)} SELECT one.patient_id, min(one.place) AS place
        FROM found CROSS JOIN unnest(found.patient_ids) WITH ORDINALITY AS one (patient_id, place) {joined} {where}
        GROUP BY one.patient_id ORDER BY place"""


def _first_of(tokens: tuple[str, str], most: int | str = MAXIMUM_MATCHES) -> str:
    """Return SQL for the people of the first tokens of a range, in index order; may contain a person several times."""
    return f"""
        SELECT ARRAY(
            SELECT token.patient_id FROM patient_token token
            WHERE token.practice_id = $1 AND token.token >= {tokens[0]} AND token.token < {tokens[1]}
            ORDER BY token.token, token.patient_id LIMIT {most}
        ) AS patient_ids"""


def _conditions(wanted: Filter, arguments: list[Any]) -> list[str]:
    conditions = []
    if wanted.only_prospects:
        conditions.append("p.prospect = 1")
    if wanted.tag_id is not None:
        arguments.append(wanted.tag_id)
        conditions.append(
            f"""EXISTS (SELECT FROM patient_tag worn WHERE worn.practice_id = $1
                AND worn.patient_id = p.patient_id AND worn.tag_id = ${len(arguments)})"""
        )
    if wanted.updated_since is not None:
        arguments.append(wanted.updated_since)
        conditions.append(f"p.updated_at >= ${len(arguments)}")
    if wanted.after is not None:
        updated_at, patient_id = wanted.after
        arguments.append(patient_id)
        if updated_at is None:
            conditions.append(f"p.patient_id > ${len(arguments)}")
        else:
            arguments.append(updated_at)
            conditions.append(f"(p.updated_at, p.patient_id) > (${len(arguments)}, ${len(arguments) - 1})")
    return conditions


def _asked_range(beginning: str, arguments: list[Any]) -> tuple[str, str]:
    """Add the token range of a beginning to the arguments, in the byte order of the index; return its parameters."""
    arguments += range_of(beginning)
    return f"${len(arguments) - 1}", f"${len(arguments)}"


def range_of(beginning: str) -> tuple[str, str]:
    """Return the inclusive lower and exclusive upper bound of the tokens with this beginning."""
    return beginning, beginning + "\U0010ffff"


_CREATE = f"""
    WITH {events.HEAD},
    created AS (
        INSERT INTO patient (practice_id, created_at, updated_at, {", ".join(COLUMNS)})
        SELECT $1, moment, moment, {", ".join(f"${number}" for number in range(4, 4 + len(COLUMNS)))}
        FROM (SELECT clock_timestamp() AS moment FROM head) AS turn  -- read when the counter is ours: see `update`
        RETURNING *
    ),
    found_by AS (
        INSERT INTO patient_token (practice_id, token, patient_id)
        SELECT $1, token, created.patient_id FROM created, unnest($2::text[]) AS token
    ),
    pictured AS (
        INSERT INTO patient_picture (practice_id, patient_id, picture)
        SELECT $1, created.patient_id, $3::bytea FROM created WHERE $3::bytea IS NOT NULL
    ),
    {events.logged("patient.created", "created", "created.patient_id", _THIN)}
    SELECT {_selected("p")}, '{{}}'::bigint[] AS tag_ids, '{{}}'::text[] AS tags, p.version, $3::bytea AS picture
    FROM created p
"""


async def create(
    db: Connection, practice_id: int, columns: dict[str, Any], tokens: list[str], picture: bytes | None
) -> Row:
    """Insert the person, search tokens, picture and event in one statement, so in one round trip."""
    row = await db.fetchrow(_CREATE, practice_id, tokens, picture, *(columns.get(name) for name in COLUMNS))
    assert row is not None
    return row


async def update(
    db: Connection, practice_id: int, patient_id: int, columns: dict[str, Any], version: int | None
) -> Row | None:
    """Update a person and return the new row; None if there is no row of this number (and version).

    Change times are assigned in commit order: by the clock while the practice's counter is locked, not by the start of
    the transaction. Otherwise a client that polls with `updatedSince` could miss changes.
    """
    await db.execute("SELECT FROM log_head WHERE practice_id = $1 FOR UPDATE", practice_id)
    arguments: list[Any] = [practice_id, patient_id, version]
    changes = []
    for name in COLUMNS:
        if name in columns:
            arguments.append(columns[name])
            changes.append(f"{name} = ${len(arguments)}")
    return await db.fetchrow(
        f"""
        UPDATE patient p SET {", ".join([*changes, "version = version + 1", "updated_at = statement_timestamp()"])}
        WHERE practice_id = $1 AND patient_id = $2 AND version = coalesce($3, version)
        RETURNING patient_id, {", ".join(COLUMNS)}
        """,
        *arguments,
    )


async def set_tokens(db: Connection, practice_id: int, patient_id: int, tokens: list[str]) -> None:
    """Replace the search tokens of a person."""
    await db.execute(
        """
        WITH gone AS (
            DELETE FROM patient_token WHERE practice_id = $1 AND patient_id = $2 AND NOT token = ANY ($3::text[])
        )
        INSERT INTO patient_token (practice_id, token, patient_id)
        SELECT $1, token, $2 FROM unnest($3::text[]) AS token ON CONFLICT DO NOTHING
        """,
        practice_id,
        patient_id,
        tokens,
    )


async def set_picture(db: Connection, practice_id: int, patient_id: int, picture: bytes | None) -> None:
    """Store, replace or delete the picture of a person; None deletes it."""
    if picture is None:
        await db.execute(
            "DELETE FROM patient_picture WHERE practice_id = $1 AND patient_id = $2", practice_id, patient_id
        )
        return
    await db.execute(
        """
        INSERT INTO patient_picture (practice_id, patient_id, picture) VALUES ($1, $2, $3)
        ON CONFLICT (practice_id, patient_id) DO UPDATE SET picture = excluded.picture
        """,
        practice_id,
        patient_id,
        picture,
    )
