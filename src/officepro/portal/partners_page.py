"""Partners page: practices, keys, calls and last use of each partner; and requested changes to approve or deny."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any

from litestar import Response, Router, get, post
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase
from officepro.foundation.clock import now
from officepro.foundation.database import Connection, Database, Row
from officepro.foundation.errors import OfficeProError
from officepro.foundation.paging import Page
from officepro.foundation.parameters import PathId
from officepro.partners import change_queries
from officepro.portal import queries
from officepro.portal.frame import AnyRequest, Proof, Said, SignedIn, checked_form, page, said_to, tell, visitor_of
from officepro.portal.sorting import headings

ROWS = 50
CALLS_DAYS = 30

COLUMNS = (
    ("company", "Company", False),
    ("keys", "Active keys", True),
    ("calls", f"Calls, {CALLS_DAYS} days", True),
    ("seen", "Last used", True),
)

Number = Annotated[int, QueryParameter(name="page", ge=1, le=1000)]
Sort = Annotated[str, QueryParameter(name="sort", max_length=20)]


@get("/partners", guards=[SignedIn(admin=True)])
async def show_partners(
    request: AnyRequest,
    database: TheDatabase,
    number: Number = 1,
    sort: Sort = "company",
    said: Said = "",
    proof: Proof = "",
) -> Response[str]:
    """Return the page."""
    return await _show(request, database, number, sort, said=said_to(visitor_of(request), said, proof))


@post("/partners/changes/{change_id:str}/approve", guards=[SignedIn(admin=True)], status_code=200)
async def approve_change(change_id: PathId, request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Approve a requested change."""
    return await _decide(change_id, request, database, change_queries.approve, "approved")


@post("/partners/changes/{change_id:str}/deny", guards=[SignedIn(admin=True)], status_code=200)
async def deny_change(change_id: PathId, request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Deny a requested change."""
    return await _decide(change_id, request, database, change_queries.deny, "denied")


async def _decide(
    change_id: int,
    request: AnyRequest,
    database: Database,
    decide: Callable[[Connection, int], Awaitable[Row]],
    decision: str,
) -> Response[Any]:
    """Approve or deny a change, then return to the page with a message; on an error, show it."""
    await checked_form(request)
    try:
        async with database.system_transaction() as db:
            row = await decide(db, change_id)
    except OfficeProError as refusal:
        return await _show(request, database, fault=refusal)
    return tell(visitor_of(request), "/portal/partners", f"The change of {row['present_company']} was {decision}.")


async def _show(
    request: AnyRequest,
    database: TheDatabase,
    number: int = 1,
    sort: str = "company",
    *,
    said: str = "",
    fault: OfficeProError | None = None,
) -> Response[str]:
    order = sort if sort in queries.PARTNER_ORDERS else "company"
    async with database.system() as db:
        partners = await queries.partners_at_work(
            db, (now() - timedelta(days=CALLS_DAYS)).date(), Page(number, ROWS), order
        )
        changes, _ = await change_queries.some(db, "pending", Page(1, ROWS))
    return page(
        request,
        "partners.html",
        status=fault.status if fault else 200,
        said=said,
        fault=fault,
        changes=changes,
        partners=partners,
        heads=headings("/portal/partners", COLUMNS, order),
        order=order,
        number=number,
        has_more=len(partners) == ROWS,
    )


router = Router("/portal", route_handlers=[show_partners, approve_change, deny_change])
