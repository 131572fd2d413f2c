"""Availability data: a practice's configuration and its visits, consistent with each other.

The configuration is cached in the worker process, the visits are read from the database. The query for visits also
returns the configuration's version; if it differs from the cached one, the configuration is reloaded.
(docs/decisions/0002)
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from litestar.di import NamedDependency
from litestar.types import Scope

from officepro.foundation import clock
from officepro.foundation.database import Connection
from officepro.foundation.errors import Impossible, NotFound, Unavailable
from officepro.practices import setup as setups_of_practices
from officepro.practices.setup import Provider, Setup, Setups, VisitType
from officepro.scheduling import queries
from officepro.scheduling.appointment import minute_of
from officepro.scheduling.minutes import Ranges
from officepro.scheduling.openings import (
    BookingPeriod,
    Calendar,
    Reason,
    StartTimes,
    Visit,
    has_room,
    reasons,
    roomless_starts,
    start_times,
)
from officepro.scheduling.queries import Busy, Look
from officepro.scheduling.questions import OnConnection, Visits
from officepro.scheduling.wall_clock import DAY_MINUTES, local_time
from officepro.scheduling.window import LONGEST_VISIT_MINUTES, Window, make_window

TheSetups = NamedDependency[Setups]  # for handlers: cached practice configurations

ATTEMPTS = 4  # to read configuration and visits in one version while an admin changes the configuration


class UnknownProvider(NotFound):
    """This practice has no active provider with this ID. GET /availability/providers lists them."""

    code = "unknown_provider"


class UnknownVisitType(Impossible):
    """This practice has no such visit type. GET /visit-types lists them."""

    code = "unknown_visit_type"


class InactiveVisitType(Impossible):
    """This visit type is inactive and cannot be booked. GET /visit-types lists the active ones."""

    code = "inactive_visit_type"


class ProviderNotAllowed(Impossible):
    """This provider does not take visits of this type. GET /visit-types lists the providers of each type."""

    code = "provider_not_allowed"


class SetupKeepsChanging(Unavailable):
    """The practice's configuration is being changed. Retry in a moment."""

    code = "setup_changing"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Query for availability: providers, days, visit type and duration."""

    provider_ids: Sequence[int] | None  # None: all providers of the visit type
    first: date | None  # None: today
    days: int
    visit_type: str | None = None
    longest: int = LONGEST_VISIT_MINUTES  # the longest visit to look for, in minutes
    minute_of_day: int | None = None  # only visits that start then; None: any time of the days
    but_visit: int | None = None  # a visit being rescheduled: not an obstacle to itself


class Diary(msgspec.Struct, frozen=True):
    """Open hours and busy times of the requested providers and days."""

    setup: Setup
    window: Window
    visit_type: VisitType | None
    providers: list[Provider]
    look: Look
    busy: Busy
    now: datetime

    @property
    def own_duration(self) -> int:
        """The visit type's default duration in minutes."""
        assert self.visit_type is not None
        return self.visit_type.duration_minutes

    def calendar(self, provider: Provider) -> Calendar:
        """Return opening hours and busy times of a provider."""
        booked, held = self.busy.booked[provider.provider_id], self.busy.held[provider.provider_id]
        return Calendar(provider.weekly, provider.extra, provider.time_off, booked, held)

    def rooms(self) -> dict[int, Ranges] | None:
        """Return the busy times of the visit type's rooms, by room ID; None if no room is needed."""
        if self.visit_type is None or not self.visit_type.room_ids:
            return None
        return {room: self.busy.rooms[room] for room in usable_rooms(self.setup, self.visit_type)}

    def roomless(self, visit: Visit) -> int:
        """Return the mask of starts at which no room is free for the visit; see `start_times`."""
        rooms = self.rooms()
        return 0 if rooms is None else roomless_starts(self.window, visit, rooms.values())

    def starts(self, visit: Visit) -> list[tuple[Provider, StartTimes]]:
        """Return the start times of the visit for each provider; where the type needs a room, one is free too."""
        period, roomless = self.period(), self.roomless(visit)
        return [
            (provider, start_times(self.window, visit, period, self.calendar(provider), roomless))
            for provider in self.providers
        ]

    def refuses(self, visit: Visit, start: int) -> list[Reason]:
        """Return why the first provider cannot take the visit at this minute; empty if the minute is bookable."""
        calendar, rooms = self.calendar(self.providers[0]), self.rooms()
        roomless = 0 if rooms is None or has_room(visit, start, rooms.values()) else self.window.every_minute
        return reasons(self.window, visit, self.period(), calendar, start, roomless)

    def period(self) -> BookingPeriod:
        """Return the booking notice and horizon, of the visit type if there is one, else of the practice."""
        rule = self.visit_type or self.setup
        return BookingPeriod(
            _second(self.now),
            rule.minimum_notice_minutes,
            _horizon(self.setup.zone, self.now, rule.booking_horizon_days),
        )

    def changes_at(self) -> int:
        """Return the first minute (see `minute_of_booking`) at which passing time alone may change the result.

        For future days it is the minute at which the booking notice reaches their first minute.
        """
        period, window = self.period(), self.window
        ends, present = window.begins + window.length, minute_of_booking(self.now)
        if period.latest is not None and period.latest // 60 < ends - 1:  # it moves on at midnight
            return present + 1
        if present >= ends:
            return present + DAY_MINUTES
        return max(window.begins - period.notice_minutes, present) + 1

    def visit(self, duration: int, provider_after: int = 0, provider_duration: int | None = None) -> Visit:
        """Return a visit with the buffers of the visit type; durations in minutes."""
        return Visit(duration, provider_after, provider_duration, *_buffers(self.visit_type))


def minute_of_booking(now: datetime) -> int:
    """Return the first epoch minute that is not past. Availability depends on the current time by this value alone."""
    return -(-_second(now) // 60)


def _second(now: datetime) -> int:
    return int(now.timestamp()) + (now.microsecond > 0)


def provide_setups(scope: Scope) -> Any:
    """Return the worker's cached practice configurations, for dependency injection."""
    return scope["litestar_app"].state.setups


async def open_diary(visits: Visits, setups: Setups, practice_id: int, wanted: Wanted) -> Diary:
    """Read the availability data of a query. Takes one round trip if the current configuration is cached.

    Raises UnknownProvider, UnknownVisitType, InactiveVisitType, ProviderNotAllowed, TimeDoesNotExist, and
    SetupKeepsChanging after `ATTEMPTS` reads in different versions.
    """
    setup = setups.known(practice_id) or await _newest(visits, setups, practice_id)
    for _ in range(ATTEMPTS):
        now = clock.now()
        try:
            diary = await _read(visits, setup, wanted, now)
        except (NotFound, Impossible):
            # The cached configuration may be older than the requested provider or visit type.
            newest = await _newest(visits, setups, practice_id)
            if newest.version == setup.version:
                raise
            setup = newest
            continue
        if diary.busy.seen.version == setup.version:
            return diary
        setup = await _newest(visits, setups, practice_id)
    raise SetupKeepsChanging


async def known_setup(db: Connection, setups: Setups, practice_id: int) -> Setup:
    """Return the cached configuration, which may be out of date; load it if it is not cached."""
    return setups.known(practice_id) or await _newest(OnConnection(db), setups, practice_id)


async def _newest(visits: Visits, setups: Setups, practice_id: int) -> Setup:
    async with visits.bound(practice_id) as db:
        setup = await setups_of_practices.load(db, practice_id)
    setups.remember(setup)
    return setup


async def _read(visits: Visits, setup: Setup, wanted: Wanted, now: datetime) -> Diary:
    visit_type = _visit_type(setup, wanted.visit_type)
    providers = _providers(setup, visit_type, wanted.provider_ids)
    first = wanted.first or today(setup.zone, now)
    window = make_window(setup.zone, first, first + timedelta(days=wanted.days - 1), setup.slot_minutes)
    begins, ends = _minutes_to_look_at(setup, window, wanted, visit_type)
    rooms = usable_rooms(setup, visit_type) if visit_type else []
    provider_ids = [provider.provider_id for provider in providers]
    look = Look(provider_ids, rooms, clock.from_seconds(begins * 60), clock.from_seconds(ends * 60))
    busy = await queries.busy(visits, setup.practice_id, look, wanted.but_visit)
    return Diary(setup, window, visit_type, providers, look, busy, now)


def _minutes_to_look_at(setup: Setup, window: Window, wanted: Wanted, visit_type: VisitType | None) -> tuple[int, int]:
    """Return first and last epoch minute to read visits of. Raises TimeDoesNotExist."""
    if wanted.minute_of_day is None:
        begins, last = window.begins, window.begins + window.length
    else:  # and starts of visits that would overlap it, which `choose_room` counts
        start = minute_of(setup.zone, window.first, wanted.minute_of_day)
        begins, last = start - wanted.longest, start + wanted.longest
    before, after = _buffers(visit_type)
    return begins - before, last + wanted.longest + after


def _buffers(visit_type: VisitType | None) -> tuple[int, int]:
    """Return the buffers before and after the provider time, in minutes."""
    return (visit_type.buffer_before_minutes, visit_type.buffer_after_minutes) if visit_type else (0, 0)


def _visit_type(setup: Setup, name: str | None) -> VisitType | None:
    if name is None:
        return None
    visit_type = setup.visit_types.get(name)
    if visit_type is None:
        raise UnknownVisitType
    if not visit_type.active:
        raise InactiveVisitType
    return visit_type


def _providers(setup: Setup, visit_type: VisitType | None, wanted: Sequence[int] | None) -> list[Provider]:
    allowed = visit_type.provider_ids if visit_type else setup.providers
    if wanted is None:
        return [setup.providers[one] for one in allowed if setup.providers[one].active]
    found = []
    for provider_id in dict.fromkeys(wanted):
        provider = setup.providers.get(provider_id)
        if provider is None or not provider.active:
            raise UnknownProvider
        if provider_id not in allowed:
            raise ProviderNotAllowed
        found.append(provider)
    return found


def usable_rooms(setup: Setup, visit_type: VisitType) -> list[int]:
    """Return the IDs of the visit type's active rooms."""
    return [room_id for room_id in visit_type.room_ids if setup.rooms[room_id].active]


def today(zone: str, now: datetime) -> date:
    """Return the current date in the practice's time zone."""
    return local_time(zone, int(now.timestamp()) // 60).day


def _horizon(zone: str, now: datetime, days: int | None) -> int | None:
    """Return the last epoch second of the day that is `days` ahead; None if there is no booking horizon."""
    if days is None:
        return None
    after = today(zone, now) + timedelta(days=days + 1)
    return make_window(zone, after, after, 1440).begins * 60 - 1
