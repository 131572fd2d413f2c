"""Access requests page: the admin approves them, optionally with fewer scopes or an expiry, or denies them with a
reason."""

from typing import Any

from litestar import Response, Router, get, post

from officepro.access.asked import TheDatabase
from officepro.access.keys import Issued
from officepro.access.scopes import MEANINGS
from officepro.foundation.clock import now
from officepro.foundation.errors import Invalid, OfficeProError
from officepro.foundation.paging import Page
from officepro.foundation.parameters import PathId
from officepro.foundation.wire import LocalDate
from officepro.portal import queries
from officepro.portal.frame import AnyRequest, SignedIn, checked_form, chosen_practice, page
from officepro.requests import deciding
from officepro.requests import queries as requests
from officepro.requests.deciding import Terms

ROWS = 100


@get("/requests", guards=[SignedIn(admin=True)])
async def show_requests(request: AnyRequest, database: TheDatabase) -> Response[str]:
    """Return the page."""
    return await _show(request, database)


@post("/requests/{request_id:str}/approve", guards=[SignedIn(admin=True)], status_code=200)
async def approve(request_id: PathId, request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Approve a request and show the new key once."""
    form = await checked_form(request)
    try:
        async with database.system_transaction() as db:
            issued = await deciding.approve(db, request_id, _terms(form), now())
    except OfficeProError as refusal:
        return await _show(request, database, fault=refusal)
    return await _show(request, database, issued=issued)


@post("/requests/{request_id:str}/deny", guards=[SignedIn(admin=True)], status_code=200)
async def deny(request_id: PathId, request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Deny a request."""
    form = await checked_form(request)
    reason = form.get("reason", "").strip()
    try:
        if not reason or len(reason) > 2000 or "\0" in reason:
            raise Invalid.at("reason", "is required, with at most 2,000 characters")
        async with database.system_transaction() as db:
            await deciding.deny(db, request_id, reason, now())
    except OfficeProError as refusal:
        return await _show(request, database, fault=refusal, typed={request_id: reason})
    return await _show(request, database, done="Access request denied.")


async def _show(
    request: AnyRequest,
    database: TheDatabase,
    *,
    issued: Issued | None = None,
    done: str = "",
    fault: OfficeProError | None = None,
    typed: dict[int, str] | None = None,
) -> Response[str]:
    async with database.system() as db:
        pending, _ = await requests.some(db, "pending", Page(1, ROWS))
        decided, _ = await requests.some(db, None, Page(1, ROWS))
        practices = await queries.practices(db)
    return page(
        request,
        "requests.html",
        status=fault.status if fault else 200,
        pending=pending,
        decided=[one for one in decided if one["status"] != "pending"],
        practices=practices,
        meanings=MEANINGS,
        issued=issued,
        done=done,
        fault=fault,
        faults=fault.faults if isinstance(fault, Invalid) else [],
        typed=typed or {},
    )


def _terms(form: dict[str, str]) -> Terms:
    expires_at = None
    if form.get("expires"):
        try:
            day = LocalDate.parse(form["expires"])
        except ValueError as fault:
            raise Invalid.at("expires", str(fault)) from None
        expires_at = (
            now().replace(day=1, hour=23, minute=59, second=59).replace(year=day.year, month=day.month, day=day.day)
        )
    practicepass = chosen_practice(form)
    scopes = [scope for scope in form.get("scopes", "").split(",") if scope]
    return Terms(scopes=scopes, practicepass=practicepass, every_practice=practicepass is None, expires_at=expires_at)


router = Router("/portal", route_handlers=[show_requests, approve, deny])
