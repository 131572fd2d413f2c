"""API keys page: list; for the admin also create, rotate, revoke."""

from datetime import timedelta
from typing import Annotated, Any, get_args

from litestar import Response, Router, get, post
from litestar.params import QueryParameter

from officepro.access import keys
from officepro.access.asked import TheDatabase
from officepro.access.keys import Issued, Key, NewKey, Purpose
from officepro.access.scopes import DEFAULT_SCOPES, MEANINGS
from officepro.foundation.clock import now
from officepro.foundation.errors import Invalid, OfficeProError
from officepro.foundation.paging import Page
from officepro.foundation.parameters import PathId
from officepro.foundation.wire import LocalDate
from officepro.portal import queries
from officepro.portal.frame import (
    AnyRequest,
    Proof,
    Said,
    SignedIn,
    checked_form,
    chosen_practice,
    page,
    said_to,
    tell,
    visitor_of,
)
from officepro.portal.sorting import headings

ROWS = 50
GRACES = {0: "immediately", 3600: "after 1 hour", 86400: "after 1 day", 604800: "after 1 week"}
UNUSED = timedelta(days=90)
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
COLUMNS = (
    ("name", "Name", False),
    ("partner", "Partner", False),
    ("practice", "PPass", False),
    ("used", "Last Used", True),
    ("status", "Status", False),
)

Number = Annotated[int, QueryParameter(name="page", ge=1, le=1000)]
Sort = Annotated[str, QueryParameter(name="sort", max_length=20)]


@get("/keys", guards=[SignedIn()])
async def show_keys(
    request: AnyRequest,
    database: TheDatabase,
    number: Number = 1,
    sort: Sort = keys.NEWEST_FIRST,
    said: Said = "",
    proof: Proof = "",
) -> Response[str]:
    """Return the page."""
    order = sort if sort in keys.ORDERS else keys.NEWEST_FIRST
    return await _show(request, database, number=number, order=order, said=said_to(visitor_of(request), said, proof))


@post("/keys", guards=[SignedIn(admin=True)], status_code=200)
async def create_key(request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Create a key and show it once."""
    form = await checked_form(request)
    try:
        new = _new_key(form)
        async with database.system_transaction() as db:
            issued = await keys.issue(db, new, now())
    except OfficeProError as refusal:
        return await _show(request, database, form=form, fault=refusal)
    return await _show(request, database, issued=issued)


@post("/keys/{key_id:str}/revoke", guards=[SignedIn(admin=True)], status_code=200)
async def revoke_key(key_id: PathId, request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Revoke a key and return to the page with a message."""
    await checked_form(request)
    async with database.system_transaction() as db:
        revoked = await keys.revoke(db, key_id)
    said = f"{revoked.name} revoked; its tokens stop working within 5 seconds."
    return tell(visitor_of(request), "/portal/keys", said)


@post("/keys/{key_id:str}/rotate", guards=[SignedIn(admin=True)], status_code=200)
async def rotate_key(key_id: PathId, request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Replace a key and show the new one once."""
    form = await checked_form(request)
    try:
        async with database.system_transaction() as db:
            issued, _ = await keys.rotate(db, key_id, _grace(form))
    except OfficeProError as refusal:
        return await _show(request, database, fault=refusal)
    return await _show(request, database, issued=issued)


async def _show(
    request: AnyRequest,
    database: TheDatabase,
    *,
    number: int = 1,
    order: str = keys.NEWEST_FIRST,
    said: str = "",
    issued: Issued | None = None,
    form: dict[str, str] | None = None,
    fault: OfficeProError | None = None,
) -> Response[str]:
    visitor = visitor_of(request)
    async with database.system() as db:
        found, total = await keys.keys(
            db, Page(number, ROWS), partner_id=visitor.partner_id, practicepass=None, status=None, order=order
        )
        practices = await queries.practices(db) if visitor.is_admin else []
        partners = await queries.partners(db) if visitor.is_admin else []
    return page(
        request,
        "keys.html",
        status=fault.status if fault else 200,
        keys=found,
        total=total,
        number=number,
        has_more=number * ROWS < total,
        heads=headings("/portal/keys", COLUMNS, order),
        order=order,
        unused=[key.key_id for key in found if _is_unused(key)],
        said=said,
        issued=issued,
        form=form or {},
        chosen_scopes=(form or {}).get("scopes", ",".join(sorted(DEFAULT_SCOPES))).split(","),
        faults=fault.faults if isinstance(fault, Invalid) else [],
        fault=fault.detail if fault else None,
        scopes=MEANINGS,
        practices=practices,
        partners=partners,
        graces=list(GRACES.items()),
        purposes=[(purpose, purpose) for purpose in PURPOSES],
    )


def _is_unused(key: Key) -> bool:
    """Whether an active key has not been used for 90 days."""
    return key.status == "active" and (key.last_used_at or key.created_at) < now() - UNUSED


def _new_key(form: dict[str, str]) -> NewKey:
    """Parse the form. Raises Invalid for the first error."""
    expires_at = None
    if form.get("expires"):
        try:
            day = LocalDate.parse(form["expires"])
        except ValueError as fault:
            raise Invalid.at("expires", str(fault)) from None
        expires_at = (
            now()
            .replace(year=day.year, month=1, day=1, hour=23, minute=59, second=59, microsecond=0)
            .replace(month=day.month, day=day.day)
        )
    name = form.get("name", "").strip()
    partner = form.get("partner", "")
    if not name or len(name) > 200 or "\0" in name:
        raise Invalid.at("name", "must be a name of 1 to 200 characters")
    if not partner.isascii() or not partner.isdigit() or len(partner) > 18:
        raise Invalid.at("partner", "must be chosen from the list")
    scopes = [scope for scope in form.get("scopes", "").split(",") if scope]
    purpose = form.get("purpose") or "other"
    if purpose not in PURPOSES:
        raise Invalid.at("purpose", f"must be one of {', '.join(PURPOSES)}")
    return NewKey(int(partner), chosen_practice(form), name, scopes, expires_at, purpose)


def _grace(form: dict[str, str]) -> int:
    grace = form.get("grace", "")
    if grace not in map(str, GRACES):
        raise Invalid.at("grace", "must be chosen from the list")
    return int(grace)


router = Router("/portal", route_handlers=[show_keys, create_key, revoke_key, rotate_key])
