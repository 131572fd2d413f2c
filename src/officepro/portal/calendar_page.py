"""Calendar page: one provider's week with hours, visits, free slots for a visit type, and the request to book a
slot."""

import json
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, Router, get
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase, TheSettings
from officepro.access.scopes import PROVIDERS
from officepro.foundation.clock import now
from officepro.foundation.database import Connection
from officepro.foundation.wire import DIGITS_OR_EMPTY, NO_NUL, LocalDate
from officepro.portal import queries
from officepro.portal.frame import AnyRequest, SignedIn, page, visitor_of
from officepro.portal.sessions import Visitor
from officepro.practices.setup import Provider, Setup
from officepro.scheduling import queries as scheduling
from officepro.scheduling.diary import Diary, TheSetups, Wanted, known_setup, open_diary, today
from officepro.scheduling.openings import roomless_starts, start_times
from officepro.scheduling.questions import OnConnection
from officepro.scheduling.wall_clock import Clock, time_text

DEFAULT_MINUTES = 30

Practice = Annotated[str, QueryParameter(name="practice", max_length=64, pattern=NO_NUL)]
ProviderNumber = Annotated[str, QueryParameter(name="provider", pattern=DIGITS_OR_EMPTY)]
VisitTypeChoice = Annotated[str, QueryParameter(name="visitType", max_length=100, pattern=NO_NUL)]
Minutes = Annotated[int, QueryParameter(name="duration", ge=1, le=1440)]
Week = Annotated[str, QueryParameter(name="date", max_length=10)]
At = Annotated[str, QueryParameter(name="at", max_length=8)]


class Day(msgspec.Struct, frozen=True):
    """One column of the week."""

    day: date
    hours: list[str]
    busy: list[str]
    free: list[str]
    link: str


@get("/calendar", guards=[SignedIn(scope=PROVIDERS)])
async def show_calendar(
    request: AnyRequest,
    database: TheDatabase,
    setups: TheSetups,
    settings: TheSettings,
    practice: Practice = "",
    provider: ProviderNumber = "",
    visit_type: VisitTypeChoice = "",
    duration: Minutes = DEFAULT_MINUTES,
    week: Week = "",
    at: At = "",
) -> Response[str]:
    """Return the week of a provider."""
    visitor = visitor_of(request)
    async with database.system() as db:
        practices = _open_to(visitor, await queries.practices(db, visitor.practicepass or practice))
    chosen = next((one for one in practices if one["practicepass"] == practice), practices[0] if practices else None)
    if chosen is None:
        return page(request, "calendar.html", practices=[], practicepass="", days=[], **_nothing(duration))
    async with database.practice(chosen["practice_id"]) as db:
        setup = await known_setup(db, setups, chosen["practice_id"])
        someone = _provider(setup, provider)
        if someone is None:
            return page(
                request, "calendar.html", practices=practices, practicepass=practice, days=[], **_nothing(duration)
            )
        kind = visit_type if _may_do(setup, visit_type, someone) else ""
        first = _monday(setup, week)
        wanted = Wanted(provider_ids=[someone.provider_id], first=first, days=7, visit_type=kind or None)
        diary = await open_diary(OnConnection(db), setups, chosen["practice_id"], wanted)
        busy = await _busy(db, diary, someone)
    query = {"practice": chosen["practicepass"], "provider": str(someone.provider_id), "duration": str(duration)}
    query |= {"visitType": kind} if kind else {}
    days = _days(diary, someone, duration, busy, query)
    chosen_day = _day(week)
    call = _call(settings.base_url, chosen["practicepass"], someone, kind, chosen_day, at, duration)
    return page(
        request,
        "calendar.html",
        practices=practices,
        practicepass=chosen["practicepass"],
        providers=[(one.provider_id, one.name) for one in diary.setup.providers.values() if one.active],
        provider_id=someone.provider_id,
        visit_types=[one.visit_type for one in diary.setup.visit_types.values() if one.active],
        visit_type=kind,
        duration=duration,
        zone=diary.setup.zone,
        days=days,
        earlier=urlencode({**query, "date": (first - timedelta(days=7)).isoformat()}),
        later=urlencode({**query, "date": (first + timedelta(days=7)).isoformat()}),
        chosen_day=chosen_day,
        chosen_time=at,
        call=call if any(chosen_day == day.day and at in day.free for day in days) else None,
    )


def _nothing(duration: int) -> dict[str, Any]:
    return {"providers": [], "provider_id": "", "visit_types": [], "visit_type": "", "duration": duration}


def _open_to(visitor: Visitor, practices: list[Any]) -> list[Any]:
    """Return the practices whose calendar the visitor has access to."""
    return [one for one in practices if visitor.practice_id in (None, one["practice_id"])]


def _provider(setup: Setup, number: str) -> Provider | None:
    active = [one for one in setup.providers.values() if one.active]
    return next((one for one in active if str(one.provider_id) == number), active[0] if active else None)


def _may_do(setup: Setup, visit_type: str, provider: Provider) -> bool:
    kind = setup.visit_types.get(visit_type)
    return kind is not None and kind.active and provider.provider_id in kind.provider_ids


def _day(text: str) -> date | None:
    try:
        return LocalDate.parse(text)
    except ValueError:
        return None


def _monday(setup: Setup, text: str) -> date:
    """Return the Monday of the requested week; by default of the current week, on a weekend of the next."""
    day = _day(text) or today(setup.zone, now()) + timedelta(days=2)
    return day - timedelta(days=day.weekday()) if day.toordinal() > 7 else day


async def _busy(db: Connection, diary: Diary, provider: Provider) -> dict[date, list[str]]:
    clock = Clock(diary.setup.zone)
    begins, ends = clock.day_begins(diary.window.first), clock.day_begins(diary.window.last + timedelta(days=1))
    rows = await scheduling.schedule(db, diary.setup.practice_id, provider.provider_id, begins, ends, None)
    busy: dict[date, list[str]] = {}
    for row in rows:
        starts = clock.local(row["starts_at"])
        stops = clock.local(row["starts_at"] + timedelta(minutes=row["minutes"]))
        busy.setdefault(starts.date(), []).append(f"{starts:%H:%M}–{stops:%H:%M}")
    return busy


def _days(
    diary: Diary, provider: Provider, duration: int, busy: dict[date, list[str]], query: dict[str, str]
) -> list[Day]:
    visit, rooms = diary.visit(duration), diary.rooms()
    roomless = 0 if rooms is None else roomless_starts(diary.window, visit, rooms.values())
    starts = start_times(diary.window, visit, diary.period(), diary.calendar(provider), roomless).by_day()
    days = [diary.window.first + timedelta(days=number) for number in range(7)]
    return [
        Day(
            day,
            _hours(provider, day),
            busy.get(day, []),
            [time_text(minute_of_day) for _, minute_of_day in starts.get(day, [])],
            urlencode({**query, "date": day.isoformat()}),
        )
        for day in days
    ]


def _hours(provider: Provider, day: date) -> list[str]:
    """Return the configured opening hours of a day, without time off."""
    spans = [
        (starts, ends)
        for weekday, starts, ends, valid_from, valid_until in provider.weekly
        if weekday == day.weekday()
        and (valid_from is None or valid_from <= day)
        and (valid_until is None or day <= valid_until)
    ]
    spans += [(starts, ends) for extra, starts, ends in provider.extra if extra == day]
    return [f"{time_text(starts)[:5]}–{time_text(ends % 1440)[:5]}" for starts, ends in sorted(spans)]


def _call(
    base: str, practicepass: str, provider: Provider, visit_type: str, day: date | None, at: str, duration: int
) -> str:
    body = {
        "PatientID": 1001,
        "ProviderID": provider.provider_id,
        "VisitType": visit_type or "Consult",
        "VisitDate": day.isoformat() if day else "",
        "VisitTime": at,
        "VisitDuration": duration,
    }
    return (
        f'curl -s {base}/v1/{practicepass}/visits/book \\\n  -H "Authorization: Bearer $TOKEN" \\\n'
        f"  -H 'Content-Type: application/json' -H \"Idempotency-Key: $(uuidgen)\" \\\n  -d '{json.dumps(body)}'"
    )


router = Router("/portal", route_handlers=[show_calendar])
