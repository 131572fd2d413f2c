"""Partners: each with its practices, keys, calls and when it was last seen."""

from datetime import timedelta
from typing import Annotated

from litestar import Response, Router, get
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase
from officepro.foundation.clock import now
from officepro.foundation.paging import Page
from officepro.portal import queries
from officepro.portal.frame import AnyRequest, SignedIn, page
from officepro.portal.sorting import headings

ROWS = 50
CALLS_DAYS = 30

COLUMNS = (
    ("company", "Company", False),
    ("keys", "Active keys", True),
    ("calls", f"Calls, {CALLS_DAYS} days", True),
    ("seen", "Last seen", True),
)

Number = Annotated[int, QueryParameter(name="page", ge=1, le=1000)]
Sort = Annotated[str, QueryParameter(name="sort", max_length=20)]


@get("/partners", guards=[SignedIn(admin=True)])
async def show_partners(
    request: AnyRequest, database: TheDatabase, number: Number = 1, sort: Sort = "company"
) -> Response[str]:
    order = sort if sort in queries.PARTNER_ORDERS else "company"
    async with database.system() as db:
        partners = await queries.partners_at_work(
            db, (now() - timedelta(days=CALLS_DAYS)).date(), Page(number, ROWS), order
        )
    return page(
        request,
        "partners.html",
        partners=partners,
        heads=headings("/portal/partners", COLUMNS, order),
        order=order,
        number=number,
        has_more=len(partners) == ROWS,
    )


router = Router("/portal", route_handlers=[show_partners])
