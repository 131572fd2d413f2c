"""The diary: a practice's set-up and its visits brought together, as of one moment, for the openings to be found in.

The set-up comes from what the worker remembers of it, the visits from the database; the version that comes with the
visits says whether the two belong together.
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

TheSetups = NamedDependency[Setups]  # in a handler: what this worker remembers of the practices' set-up

ATTEMPTS = 4  # to see set-up and visits in one version, while an admin is writing the set-up


class UnknownProvider(NotFound):
    """There is no such provider in this practice, or not any more; GET /availability/providers lists them."""

    code = "unknown_provider"


class UnknownVisitType(Impossible):
    """There is no such visit type in this practice; GET /visit-types lists them."""

    code = "unknown_visit_type"


class InactiveVisitType(Impossible):
    """This visit type can no longer be booked; GET /visit-types lists those that can."""

    code = "inactive_visit_type"


class ProviderNotAllowed(Impossible):
    """This provider does not take visits of this type; GET /visit-types lists who does."""

    code = "provider_not_allowed"


class SetupKeepsChanging(Unavailable):
    """The practice's set-up is being changed just now; try again in a moment."""

    code = "setup_changing"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for: whose time, how much of it, between which days."""

    provider_ids: Sequence[int] | None  # None: all who may do the visit type
    first: date | None  # None: today
    days: int
    visit_type: str | None = None
    longest: int = LONGEST_VISIT_MINUTES  # minutes that the visit may take
    minute_of_day: int | None = None  # only whether and where one may start then; None: all of the days
    but_visit: int | None = None  # a visit that is to be moved, and so is not in its own way


class Diary(msgspec.Struct, frozen=True):
    """What is open and what is taken on the days that were asked for."""

    setup: Setup
    window: Window
    visit_type: VisitType | None
    providers: list[Provider]
    look: Look
    busy: Busy
    now: datetime

    @property
    def own_duration(self) -> int:
        """How long a visit of the type takes unless told otherwise."""
        assert self.visit_type is not None
        return self.visit_type.duration_minutes

    def calendar(self, provider: Provider) -> Calendar:
        booked, held = self.busy.booked[provider.provider_id], self.busy.held[provider.provider_id]
        return Calendar(provider.weekly, provider.extra, provider.time_off, booked, held)

    def rooms(self) -> dict[int, Ranges] | None:
        """The visit type's rooms with their taken times; None when no room is needed."""
        if self.visit_type is None or not self.visit_type.room_ids:
            return None
        return {room: self.busy.rooms[room] for room in usable_rooms(self.setup, self.visit_type)}

    def roomless(self, visit: Visit) -> int:
        """For `start_times`: where no room is free for the visit."""
        rooms = self.rooms()
        return 0 if rooms is None else roomless_starts(self.window, visit, rooms.values())

    def starts(self, visit: Visit) -> list[tuple[Provider, StartTimes]]:
        """When each provider, and where needed a room, is free for the visit."""
        period, roomless = self.period(), self.roomless(visit)
        return [
            (provider, start_times(self.window, visit, period, self.calendar(provider), roomless))
            for provider in self.providers
        ]

    def refuses(self, visit: Visit, start: int) -> list[Reason]:
        """Why the first provider cannot take the visit at this minute; empty when that is among the start times."""
        calendar, rooms = self.calendar(self.providers[0]), self.rooms()
        roomless = 0 if rooms is None or has_room(visit, start, rooms.values()) else self.window.every_minute
        return reasons(self.window, visit, self.period(), calendar, start, roomless)

    def period(self) -> BookingPeriod:
        rule = self.visit_type or self.setup
        return BookingPeriod(
            _second(self.now),
            rule.minimum_notice_minutes,
            _horizon(self.setup.zone, self.now, rule.booking_horizon_days),
        )

    def changes_at(self) -> int:
        """The first minute, counted as `minute_of_booking` does, at which something else may be free because of the
        time alone: of days to come, when the notice for their first minute runs out."""
        period, window = self.period(), self.window
        ends, present = window.begins + window.length, minute_of_booking(self.now)
        if period.latest is not None and period.latest // 60 < ends - 1:  # it moves on at midnight
            return present + 1
        if present >= ends:
            return present + DAY_MINUTES
        return max(window.begins - period.notice_minutes, present) + 1

    def visit(self, duration: int, provider_after: int = 0, provider_duration: int | None = None) -> Visit:
        """The visit that is looked for, with its type's buffers."""
        return Visit(duration, provider_after, provider_duration, *_buffers(self.visit_type))


def minute_of_booking(now: datetime) -> int:
    """The first minute, counted from the epoch, that is not past: what is free depends on the time by this alone."""
    return -(-_second(now) // 60)


def _second(now: datetime) -> int:
    return int(now.timestamp()) + (now.microsecond > 0)


def provide_setups(scope: Scope) -> Any:
    return scope["litestar_app"].state.setups


async def open_diary(visits: Visits, setups: Setups, practice_id: int, wanted: Wanted) -> Diary:
    """One round trip when the worker remembers the set-up as it is.

    Raises UnknownProvider, UnknownVisitType, InactiveVisitType, ProviderNotAllowed.
    """
    setup = setups.known(practice_id) or await _newest(visits, setups, practice_id)
    for _ in range(ATTEMPTS):
        now = clock.now()
        try:
            diary = await _read(visits, setup, wanted, now)
        except (NotFound, Impossible):
            # What the remembered set-up does not know, the newest may.
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
    """As the worker remembers it, which may be out of date; loaded when it does not."""
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
    """Raises TimeDoesNotExist."""
    if wanted.minute_of_day is None:
        begins, last = window.begins, window.begins + window.length
    else:  # and where a visit would overlap it, which says what a room is good for: see `choose_room`
        start = minute_of(setup.zone, window.first, wanted.minute_of_day)
        begins, last = start - wanted.longest, start + wanted.longest
    before, after = _buffers(visit_type)
    return begins - before, last + wanted.longest + after


def _buffers(visit_type: VisitType | None) -> tuple[int, int]:
    """Minutes before and after the provider's part."""
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
    return [room_id for room_id in visit_type.room_ids if setup.rooms[room_id].active]


def today(zone: str, now: datetime) -> date:
    """The practice's own day."""
    return local_time(zone, int(now.timestamp()) // 60).day


def _horizon(zone: str, now: datetime, days: int | None) -> int | None:
    """The last second, so many days ahead, at which a visit may start: the end of that day."""
    if days is None:
        return None
    after = today(zone, now) + timedelta(days=days + 1)
    return make_window(zone, after, after, 1440).begins * 60 - 1
