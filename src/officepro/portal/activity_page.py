"""Recent activity page: API requests, newest first. Filters are in the URL; new rows are loaded by polling."""

import base64
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Response, Router, get
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase
from officepro.activity import queries as activity
from officepro.activity.queries import Filter
from officepro.foundation.wire import DIGITS_OR_EMPTY, NO_NUL, Moment
from officepro.portal import queries
from officepro.portal.frame import AnyRequest, SignedIn, page, visitor_of

ROWS = 50
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
STATUSES = {"": None, "2xx": (200, 299), "4xx": (400, 499), "5xx": (500, 599)}

Practice = Annotated[str, QueryParameter(name="practice", max_length=64, pattern=NO_NUL)]
Partner = Annotated[str, QueryParameter(name="partner", pattern=DIGITS_OR_EMPTY)]
Method = Annotated[str, QueryParameter(name="method", max_length=10)]
Status = Annotated[str, QueryParameter(name="status", max_length=3)]
Before = Annotated[str, QueryParameter(name="before", max_length=100)]
Rows = Annotated[bool, QueryParameter(name="rows", description="Return the rows only, for polling.")]


@get("/activity", guards=[SignedIn()])
async def show_activity(
    request: AnyRequest,
    database: TheDatabase,
    practice: Practice = "",
    partner: Partner = "",
    method: Method = "",
    status: Status = "",
    before: Before = "",
    rows: Rows = False,
) -> Response[str]:
    """Return the page, or only its rows."""
    visitor = visitor_of(request)
    async with database.system() as db:
        practices = await queries.practices(db, practice) if visitor.is_admin else []
        partners = await queries.partners(db) if visitor.is_admin else []
        ids = {row["practicepass"]: row["practice_id"] for row in practices}
        least, greatest = STATUSES.get(status) or (None, None)
        wanted = Filter(
            practice_id=ids.get(practice, -1) if practice else None,
            partner_id=visitor.partner_id or (int(partner) if partner else None),
            api_key_id=visitor.api_key_id,
            method=method if method in METHODS else None,
            least_status=least,
            greatest_status=greatest,
            before=_place(before),
        )
        calls = await activity.calls(db, wanted, ROWS)
    chosen = {"practice": practice, "partner": partner, "method": method, "status": status}
    filters = {name: value for name, value in chosen.items() if value}
    return page(
        request,
        "activity_rows.html" if rows else "activity.html",
        calls=calls,
        older=urlencode({**filters, "before": _cursor(calls[-1])}) if len(calls) == ROWS else None,
        newest=urlencode(filters),
        is_newest=not before,
        practices=practices,
        partners=partners,
        methods=METHODS,
        statuses=[name for name in STATUSES if name],
        chosen=chosen,
    )


def _cursor(call: Any) -> str:
    text = f"{call['happened_at'].isoformat()} {call['request_log_id']}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, int] | None:
    """Decode a cursor to the end of the previous page. None, which is the newest page, if it is invalid."""
    try:
        moment, _, number = base64.urlsafe_b64decode(cursor + "===").decode("ascii").partition(" ")
        return (Moment.parse(moment), int(number)) if cursor and 0 < int(number) < 2**63 else None
    except ValueError:
        return None


router = Router("/portal", route_handlers=[show_activity])
