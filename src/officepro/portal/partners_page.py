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

ROWS = 50
CALLS_DAYS = 30

Number = Annotated[int, QueryParameter(name="page", ge=1, le=1000)]


@get("/partners", guards=[SignedIn(admin=True)])
async def show_partners(request: AnyRequest, database: TheDatabase, number: Number = 1) -> Response[str]:
    async with database.system() as db:
        partners = await queries.partners_at_work(
            db, (now() - timedelta(days=CALLS_DAYS)).date(), Page(number, ROWS + 1)
        )
    return page(
        request,
        "partners.html",
        partners=partners[:ROWS],
        number=number,
        has_more=len(partners) > ROWS,
        days=CALLS_DAYS,
    )


router = Router("/portal", route_handlers=[show_partners])
