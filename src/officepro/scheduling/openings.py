"""Slot computation: start times from opening hours, time off, busy time, duration and slot interval.

PURE: no clock, no I/O; `now` is passed in. Slots, check, next-slot, hold and book all use this computation, so that
every offered slot is also accepted.

Units: a *minute* is a count of whole UTC minutes since 1970; a *minute of day* counts local minutes from local
midnight; busy time and time off are half-open UTC ranges in epoch *seconds*, rounded outward to whole minutes.

How it works: the minutes of a `Window` are the bits of one big integer, bit 0 being its first minute. "Open for 30
minutes from here" is then a few shifts and ANDs over all days at once. Each rule yields the minutes at which it refuses
a start; a start time is a minute that no rule refuses, and the reasons for a refusal are the rules that do.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, reduce
from itertools import pairwise
from operator import and_
from typing import Literal, TypeVar

from officepro.scheduling.minutes import Ranges, lasting, ones, repeat, touching, union
from officepro.scheduling.wall_clock import DAY_MINUTES, EPOCH_WEEKDAY, date_of, day_number, stretch_at
from officepro.scheduling.window import LONGEST_VISIT_MINUTES, Window, to_real_time

WEEK_MINUTES = 7 * DAY_MINUTES
LONGEST_BUFFER_MINUTES = 240
REMEMBERED_MINUTES = 2 * DAY_MINUTES  # windows up to this long are requested often, and their masks take little memory

# The rows as SQL returns them. Hours are minutes of day: starts 0..1439, ends > starts; an end beyond 1440 runs over
# midnight, at most 24 hours in all. Weekday 0 is Monday. The validity dates, both inclusive, apply to the day on which
# a span begins.
WeeklyHours = tuple[int, int, int, date | None, date | None]  # weekday, starts, ends, valid from, valid until
ExtraHours = tuple[date, int, int]  # the day, starts, ends
Reason = Literal[
    "past", "too_soon", "too_far", "off_grid", "outside_hours", "time_off", "provider_busy", "held", "no_room"
]
RoomId = TypeVar("RoomId", int, str)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Hours and busy times of one provider. Open is (weekly or extra) minus time off; `held` are the times of holds."""

    weekly: Collection[WeeklyHours] = ()
    extra: Collection[ExtraHours] = ()
    time_off: Ranges = ()
    busy: Ranges = ()
    held: Ranges = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """The durations of a visit, in minutes: the room is busy for `duration`, the provider for a part of it.

    The provider's part begins `provider_after` minutes into the visit and must be within opening hours. The buffers
    around it may lie outside opening hours, but must not overlap other busy time of the provider.
    Raises ValueError if a duration is out of range.
    """

    duration: int
    provider_after: int = 0
    provider_duration: int | None = None  # None: to the end of the visit
    buffer_before: int = 0
    buffer_after: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.duration <= LONGEST_VISIT_MINUTES:
            raise ValueError(f"A visit takes 1 to {LONGEST_VISIT_MINUTES} minutes.")
        if not 0 <= self.provider_after < self.provider_after + self.provider_minutes <= self.duration:
            raise ValueError("The provider's part lies inside the visit.")
        if not (0 <= self.buffer_before <= LONGEST_BUFFER_MINUTES and 0 <= self.buffer_after <= LONGEST_BUFFER_MINUTES):
            raise ValueError(f"A buffer takes 0 to {LONGEST_BUFFER_MINUTES} minutes.")

    @property
    def provider_minutes(self) -> int:
        """The duration of the provider's part, in minutes."""
        return self.duration - self.provider_after if self.provider_duration is None else self.provider_duration


@dataclass(frozen=True, slots=True)
class BookingPeriod:
    """The period in which a visit may start: `now` + notice until `latest` (inclusive; epoch seconds). None: no end."""

    now: int
    notice_minutes: int = 0
    latest: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StartTimes:
    """Set of epoch minutes at which the visit may start. Iterates in ascending order; false if empty."""

    window: Window
    mask: int

    def __bool__(self) -> bool:
        return self.mask != 0

    def __len__(self) -> int:
        return self.mask.bit_count()

    def __contains__(self, minute: int) -> bool:
        position = minute - self.window.begins
        return position >= 0 and bool(self.mask >> position & 1)

    def __iter__(self) -> Iterator[int]:
        digits = f"{self.mask:b}"[::-1]  # a search in text beats 44,640 shifts of a month
        position = digits.find("1")
        while position >= 0:
            yield self.window.begins + position
            position = digits.find("1", position + 1)

    def first(self) -> int | None:
        """Return the earliest start, or None."""
        return self.window.begins + (self.mask & -self.mask).bit_length() - 1 if self.mask else None

    def first_from(self, minute: int) -> int | None:
        """Return the earliest start that is not before `minute`, or None."""
        skipped = max(minute - self.window.begins, 0)
        mask = self.mask >> skipped
        return self.window.begins + skipped + (mask & -mask).bit_length() - 1 if mask else None

    def by_day(self) -> dict[date, list[tuple[int, int]]]:
        """Group the starts by local day: (minute, minute of day), ascending. Days without starts are omitted."""
        days: dict[int, list[tuple[int, int]]] = {}
        ends, offset = self.window.begins, 0
        for minute in self:
            if minute >= ends:
                _, ends, offset = stretch_at(self.window.stretches, minute)
            day, minute_of_day = divmod(minute + offset, DAY_MINUTES)
            days.setdefault(day, []).append((minute, minute_of_day))
        return {date_of(day): starts for day, starts in days.items()}


def start_times(
    window: Window, visit: Visit, period: BookingPeriod, calendar: Calendar, roomless: int = 0
) -> StartTimes:
    """Return the possible starts on the window's days. `roomless`, if a room is needed, is from `roomless_starts`."""
    refused = 0
    for _, mask in _refusals(window, visit, period, calendar, roomless):
        refused |= mask
    return StartTimes(window, window.every_minute ^ (window.every_minute & refused))


def reasons(
    window: Window, visit: Visit, period: BookingPeriod, calendar: Calendar, start: int, roomless: int = 0
) -> list[Reason]:
    """Return why the visit cannot start at the minute `start`; empty exactly if it is one of `start_times`.

    Raises ValueError if `start` is outside the window.
    """
    position = start - window.begins
    if not 0 <= position < window.length:
        raise ValueError("The start lies on none of the window's days.")
    refusals = _refusals(window, visit, period, calendar, roomless)
    return [reason for reason, mask in refusals if mask >> position & 1]


def roomless_starts(window: Window, visit: Visit, rooms: Iterable[Ranges]) -> int:
    """Return the mask of starts at which no room is free for the whole visit. `rooms` holds each room's busy times.

    The mask is the same for all providers of the visit type. Without rooms it has every minute.
    """
    roomless = window.every_minute
    for busy in rooms:
        roomless &= touching(window.begins, window.length, busy, visit.duration - 1, 0)
    return roomless


def has_room(visit: Visit, start: int, rooms: Iterable[Ranges]) -> bool:
    """Return whether a room is free for a visit at `start`: `roomless_starts` for a single minute."""
    return any(not touching(start, 1, busy, visit.duration - 1, 0) for busy in rooms)


def choose_room(window: Window, visit: Visit, start: int, rooms: Mapping[RoomId, Ranges]) -> list[RoomId]:
    """Return the rooms free for a visit at `start`; first the room whose use costs the fewest other slots.

    The cost counts start times on the grid at which a visit of this duration would overlap this one: first the starts
    at which no other room is free, since they are lost completely; then the starts lost in the room itself, so that
    the tightest gap is filled (best fit); then the room ID. Starts outside the window's days are not counted.
    """
    begins = max(start - visit.duration + 1, window.begins)
    ends = min(start + visit.duration, window.begins + window.length)
    on_grid = (window.every_minute ^ window.off_grid) >> begins - window.begins & ones(ends - begins)
    taken = {room: touching(begins, ends - begins, busy, visit.duration - 1, 0) for room, busy in rooms.items()}

    def loss(room: RoomId) -> tuple[int, int, RoomId]:
        in_room = on_grid ^ (on_grid & taken[room])
        altogether = reduce(and_, (mask for other, mask in taken.items() if other != room), in_room)
        return altogether.bit_count(), in_room.bit_count(), room

    return sorted((room for room, mask in taken.items() if not mask >> start - begins & 1), key=loss)


def _refusals(
    window: Window, visit: Visit, period: BookingPeriod, calendar: Calendar, roomless: int
) -> Iterator[tuple[Reason, int]]:
    """Yield each rule with the mask of the starts that it refuses."""
    present = -(-period.now // 60) - window.begins
    past, soon = (_first_minutes(window, until) for until in (present, present + period.notice_minutes))
    yield "past", past
    yield "too_soon", past ^ soon
    if period.latest is not None:
        yield "too_far", window.every_minute ^ _first_minutes(window, period.latest // 60 + 1 - window.begins)
    yield "off_grid", window.off_grid

    after, minutes = visit.provider_after, visit.provider_minutes
    outside = _outside_hours if window.length > REMEMBERED_MINUTES else _remembered_outside_hours
    yield "outside_hours", outside(window, tuple(calendar.weekly), tuple(calendar.extra), after, minutes)

    begins, length, reach = window.begins, window.length, after + minutes - 1
    yield "time_off", touching(begins, length, calendar.time_off, reach, -after)
    before, behind = reach + visit.buffer_after, visit.buffer_before - after
    yield "provider_busy", touching(begins, length, calendar.busy, before, behind)
    yield "held", touching(begins, length, calendar.held, before, behind)
    yield "no_room", roomless


def _first_minutes(window: Window, count: int) -> int:
    return ones(min(max(count, 0), window.length))


def _outside_hours(
    window: Window, weekly: Collection[WeeklyHours], extra: Collection[ExtraHours], after: int, minutes: int
) -> int:
    """Return the starts whose provider part (`minutes` long, `after` minutes into the visit) is partly outside them."""
    hours = lasting(_opening_minutes(window, weekly, extra), minutes) >> after
    return window.every_minute ^ (window.every_minute & hours)


# Cache for the days requested most. Arguments are immutable and changed hours are a new key: nothing to invalidate.
_remembered_outside_hours = lru_cache(maxsize=4096)(_outside_hours)


def _opening_minutes(window: Window, weekly: Collection[WeeklyHours], extra: Collection[ExtraHours]) -> int:
    """Return weekly and extra hours on the window's axis, extended by the longest visit."""
    first_day = day_number(window.first) - 1
    wall = _weekly_minutes(weekly, first_day, window.wall_days)
    if extra:
        midnights = [(day_number(day) - first_day) * DAY_MINUTES for day, _, _ in extra]
        starts = sorted(midnight + starts for midnight, (_, starts, _) in zip(midnights, extra, strict=True))
        ends = sorted(midnight + ends for midnight, (_, _, ends) in zip(midnights, extra, strict=True))
        wall |= union(starts, ends, window.wall_days * DAY_MINUTES)
    return to_real_time(wall, window.pieces, repeated=True)


def _weekly_minutes(weekly: Collection[WeeklyHours], first_day: int, days: int) -> int:
    """Return the open local minutes of `days` days from `first_day`, a count of days since the epoch.

    Between two changes of the weekly hours all weeks are equal: one week's mask is computed and repeated.
    """
    changes = {first_day, first_day + days}
    for *_, valid_from, valid_until in weekly:
        if valid_from:
            changes.add(day_number(valid_from))
        if valid_until:
            changes.add(day_number(valid_until) + 1)
    wall = 0
    for day, next_day in pairwise(sorted(change for change in changes if first_day <= change <= first_day + days)):
        valid_spans = _spans_valid_on(date_of(day), weekly)
        weeks, rest = divmod(next_day - day, 7)
        alike = _week_minutes(valid_spans, day, rest) << weeks * WEEK_MINUTES
        if weeks:
            alike |= repeat(_week_minutes(valid_spans, day, 7), WEEK_MINUTES, weeks)
        wall |= alike << (day - first_day) * DAY_MINUTES
    return wall


def _spans_valid_on(day: date, weekly: Collection[WeeklyHours]) -> list[tuple[int, int, int]]:
    return [
        (weekday, starts, ends)
        for weekday, starts, ends, valid_from, valid_until in weekly
        if (valid_from is None or valid_from <= day) and (valid_until is None or day <= valid_until)
    ]


def _week_minutes(spans: Sequence[tuple[int, int, int]], first_day: int, days: int) -> int:
    """Return the minutes of the spans that begin on the `days` (at most 7) days from `first_day`."""
    mask = 0
    for weekday, starts, ends in spans:
        day = (weekday - first_day - EPOCH_WEEKDAY) % 7
        if day < days:
            mask |= ones(ends - starts) << day * DAY_MINUTES + starts
    return mask
