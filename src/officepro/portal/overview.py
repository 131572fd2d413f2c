"""Dashboard: usage, success rate, durations. (Source API specification: Dashboard Overview)"""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase
from officepro.activity import queries as activity
from officepro.activity.figures import average_milliseconds, percentile_milliseconds, success_rate
from officepro.activity.queries import Figures, Filter
from officepro.foundation.clock import now
from officepro.foundation.database import Connection
from officepro.foundation.paging import Page
from officepro.foundation.wire import DIGITS_OR_EMPTY, NO_NUL
from officepro.portal import queries
from officepro.portal.charts import bars
from officepro.portal.frame import AnyRequest, SignedIn, page, visitor_of
from officepro.portal.sessions import Visitor
from officepro.requests import queries as access_requests

PERIODS = (7, 30, 90)
RECENT_CALLS = 12
WAITING_REQUESTS = 3

Practice = Annotated[str, QueryParameter(name="practice", max_length=64, pattern=NO_NUL)]
Partner = Annotated[str, QueryParameter(name="partner", pattern=DIGITS_OR_EMPTY)]
Days = Annotated[int, QueryParameter(name="days", ge=1, le=90)]


class Figure(msgspec.Struct, frozen=True):
    """One number of the dashboard, and its comparison."""

    name: str
    value: str
    beside: str
    tone: str = ""


@get("/", guards=[SignedIn()])
async def show_overview(
    request: AnyRequest,
    database: TheDatabase,
    practice: Practice = "",
    partner: Partner = "",
    days: Days = 7,
) -> Response[str]:
    """Return the dashboard."""
    visitor = visitor_of(request)
    until = _end_of_today(now())
    since = until - timedelta(days=days)
    async with database.system() as db:
        practices = await queries.practices(db, practice) if visitor.is_admin else []
        partners = await queries.partners(db) if visitor.is_admin else []
        whose = _whose(visitor, practices, practice, partner)
        sums = await activity.figures(db, since, until, *whose)
        before = await activity.figures(db, since - timedelta(days=days), since, *whose)
        usage = await activity.by_day(db, since, until, *whose)
        calls = await _recent(db, whose)
        requests = (await access_requests.some(db, "pending", Page(1, WAITING_REQUESTS)))[0] if visitor.is_admin else []
    return page(
        request,
        "overview.html",
        figures=_figures(sums, before, days),
        chart=bars(usage),
        days=days,
        periods=PERIODS,
        practices=practices,
        partners=partners,
        practice=practice,
        partner=partner,
        calls=calls,
        requests=requests,
    )


def _whose(
    visitor: Visitor, practices: list[Any], practice: str, partner: str
) -> tuple[int | None, int | None, int | None]:
    """Return (practice, partner, key) to filter by. A partner has access to the calls of its own key only."""
    if not visitor.is_admin:
        return None, visitor.partner_id, visitor.api_key_id
    ids = {row["practicepass"]: row["practice_id"] for row in practices}
    return ids.get(practice, -1) if practice else None, int(partner) if partner else None, None


async def _recent(db: Connection, whose: tuple[int | None, int | None, int | None]) -> list[Any]:
    practice_id, partner_id, api_key_id = whose
    wanted = Filter(practice_id=practice_id, partner_id=partner_id, api_key_id=api_key_id)
    return await activity.calls(db, wanted, RECENT_CALLS)


def _figures(sums: Figures, before: Figures, days: int) -> list[Figure]:
    errors = sums.caller_errors + sums.own_errors
    change = _change(sums.calls, before.calls)
    p95, p99 = (percentile_milliseconds(sums.durations, share) for share in (0.95, 0.99))
    return [
        Figure("Total Calls", f"{sums.calls:,}", change or f"in {days} days", "up" if change.startswith("▲") else ""),
        Figure("Success Rate", f"{success_rate(sums.calls, errors):g} %", f"{errors:,} failed"),
        Figure(
            "Avg Duration",
            f"{average_milliseconds(sums.calls, sums.duration_microseconds):g} ms",
            f"p95 {p95:g} ms · p99 {p99:g} ms",
        ),
        Figure(
            "Error Count",
            f"{errors:,}",
            f"{sums.caller_errors:,} client errors (4xx) · {sums.own_errors:,} server errors (5xx)",
            "down" if sums.own_errors else "",
        ),
    ]


def _change(calls: int, before: int) -> str:
    if not before:
        return ""
    percent = round(100 * (calls - before) / before)
    return f"{'▲' if percent >= 0 else '▼'} {abs(percent)} % vs. previous period"


def _end_of_today(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


router = Router("/portal", route_handlers=[show_overview])
