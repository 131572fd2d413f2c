"""From opening hours, time off, busy time, duration and grid to start times.

PURE: no clock, no I/O; `now` is passed in. Slots, check, next-slot, hold and book all ask this one engine, so that
what one offers the others accept.

Units: a *minute* is a count of whole UTC minutes since 1970; a *minute of day* counts wall-clock minutes from local
midnight; busy time and time off are half-open UTC ranges in epoch *seconds*, rounded outward to whole minutes.

How it works: the minutes of a `Window` are the bits of one big integer, bit 0 being its first minute. "Open for 30
minutes from here" is then a few shifts and ANDs over all days at once. Each rule yields the minutes at which it refuses
a start; a start time is a minute that no rule refuses, and the reasons for a refusal are the rules that do.

The wall clock: an offset from UTC counts in whole minutes, rounded down (only before 1972 did zones keep seconds). An
opening hour that falls into a spring gap means the moment of the change; a time shown twice means the first.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, reduce
from itertools import compress, pairwise
from operator import and_, lt
from typing import Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

DAY_MINUTES = 1440
WEEK_MINUTES = 7 * DAY_MINUTES
LONGEST_VISIT_MINUTES = DAY_MINUTES
LONGEST_BUFFER_MINUTES = 240
LONGEST_WINDOW_DAYS = 366

# The rows as SQL gives them. Hours are minutes of day: starts 0..1439, ends > starts; an end beyond 1440 runs over
# midnight, at most 24 hours in all. Weekday 0 is Monday. The validity dates, both inclusive, judge the day on which a
# span begins.
WeeklyHours = tuple[int, int, int, date | None, date | None]  # weekday, starts, ends, valid from, valid until
ExtraHours = tuple[date, int, int]  # the day, starts, ends
Ranges = Collection[tuple[int, int]]  # (starts, ends) in epoch seconds, starts < ends; any order, overlaps allowed
Reason = Literal[
    "past", "too_soon", "too_far", "off_grid", "outside_hours", "time_off", "provider_busy", "held", "no_room"
]
RoomId = TypeVar("RoomId", int, str)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_EPOCH_WEEKDAY = _EPOCH.weekday()


class NonexistentTime(ValueError):
    """The wall clock skips this local time: it lies in the gap when clocks go forward."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """What is known of one provider: open is (weekly or extra) minus time off; visits that are held are kept apart."""

    weekly: Collection[WeeklyHours] = ()
    extra: Collection[ExtraHours] = ()
    time_off: Ranges = ()
    busy: Ranges = ()
    held: Ranges = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """The time a visit takes, in minutes: the room for `duration`, the provider for a part of it.

    The provider's part begins `provider_after` minutes into the visit and must be open time; the buffers around it
    may lie outside opening hours, but touch nothing that keeps the provider busy.
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
        return self.duration - self.provider_after if self.provider_duration is None else self.provider_duration


@dataclass(frozen=True, slots=True)
class BookingPeriod:
    """A visit starts from `now` + notice until `latest`, both inclusive and in epoch seconds."""

    now: int
    notice_minutes: int = 0
    latest: int | None = None


class LocalTime(NamedTuple):
    day: date
    minute_of_day: int
    utc_offset: int  # minutes east of UTC


class _Stretch(NamedTuple):
    """Minutes from `begins` to before `ends` that share one offset from UTC."""

    begins: int
    ends: int
    offset: int


class _Piece(NamedTuple):
    """Minutes of a window, counted from its first, and the wall-clock minute its `begins` shows.

    After clocks went back they show times a second time. Such a piece does not run: it stays at the last new minute
    until the clocks show a new one.
    """

    begins: int
    length: int
    shows: int  # counted from local midnight of the day before the window
    runs: bool


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The days that are asked for, as an axis of minutes; made by `make_window` and shared. Bit 0 is `begins`."""

    zone: str
    first: date
    last: date
    grid: int
    begins: int  # the minute of the first day's local midnight
    length: int  # minutes until the midnight after the last day
    every_minute: int
    off_grid: int  # where no visit may start: between the grid's wall-clock times, or when these show a second time
    stretches: tuple[_Stretch, ...]
    pieces: tuple[_Piece, ...]
    wall_days: int  # local days that the pieces show, from the day before the first

    def local_time(self, minute: int) -> LocalTime:
        """What the wall clock shows, for minutes from the window's first day to two days after its last."""
        return _shown(self.stretches, minute)


@dataclass(frozen=True, slots=True, eq=False)
class StartTimes:
    """The minutes at which the visit may start; iterates in ascending order, false when there is none."""

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
        return self.window.begins + (self.mask & -self.mask).bit_length() - 1 if self.mask else None

    def first_from(self, minute: int) -> int | None:
        """The earliest one that is not before `minute`."""
        skipped = max(minute - self.window.begins, 0)
        mask = self.mask >> skipped
        return self.window.begins + skipped + (mask & -mask).bit_length() - 1 if mask else None

    def by_day(self) -> dict[date, list[tuple[int, int]]]:
        """For each local day that has any: (minute, minute of day), in ascending order."""
        days: dict[int, list[tuple[int, int]]] = {}
        ends, offset = self.window.begins, 0
        for minute in self:
            if minute >= ends:
                _, ends, offset = _stretch_at(self.window.stretches, minute)
            day, minute_of_day = divmod(minute + offset, DAY_MINUTES)
            days.setdefault(day, []).append((minute, minute_of_day))
        return {date.fromordinal(day + _EPOCH_ORDINAL): starts for day, starts in days.items()}


def start_times(
    window: Window, visit: Visit, period: BookingPeriod, calendar: Calendar, roomless: int = 0
) -> StartTimes:
    """Where the visit may start on the window's days. `roomless` comes from `roomless_starts`, if it needs a room."""
    refused = 0
    for _, mask in _refusals(window, visit, period, calendar, roomless):
        refused |= mask
    return StartTimes(window, window.every_minute ^ (window.every_minute & refused))


def reasons(
    window: Window, visit: Visit, period: BookingPeriod, calendar: Calendar, start: int, roomless: int = 0
) -> list[Reason]:
    """Why the visit may not start at the minute `start`: empty exactly when that is among the start times."""
    position = start - window.begins
    if not 0 <= position < window.length:
        raise ValueError("The start lies on none of the window's days.")
    refusals = _refusals(window, visit, period, calendar, roomless)
    return [reason for reason, mask in refusals if mask >> position & 1]


def roomless_starts(window: Window, visit: Visit, rooms: Iterable[Ranges]) -> int:
    """The mask of starts at which none of the rooms, each given by its busy time, is free for the whole visit.

    It serves every provider of the visit type; without any room it is every minute.
    """
    roomless = window.every_minute
    for busy in rooms:
        roomless &= _touching(window.begins, window.length, busy, visit.duration - 1, 0)
    return roomless


def choose_room(window: Window, visit: Visit, start: int, rooms: Mapping[RoomId, Ranges]) -> list[RoomId]:
    """The rooms free for a visit at `start`, on the window's days; those first that cost the fewest later openings.

    Counted are the grid's starts at which a like visit would overlap this one: first those where no other room is
    free, which are lost altogether; then those lost in the room itself, so that the tightest gap is filled (best fit);
    then the lowest id. Starts beyond the window's days are not counted.
    """
    begins = max(start - visit.duration + 1, window.begins)
    ends = min(start + visit.duration, window.begins + window.length)
    on_grid = (window.every_minute ^ window.off_grid) >> begins - window.begins & _ones(ends - begins)
    taken = {room: _touching(begins, ends - begins, busy, visit.duration - 1, 0) for room, busy in rooms.items()}

    def loss(room: RoomId) -> tuple[int, int, RoomId]:
        in_room = on_grid ^ (on_grid & taken[room])
        altogether = reduce(and_, (mask for other, mask in taken.items() if other != room), in_room)
        return altogether.bit_count(), in_room.bit_count(), room

    return sorted((room for room, mask in taken.items() if not mask >> start - begins & 1), key=loss)


def _refusals(
    window: Window, visit: Visit, period: BookingPeriod, calendar: Calendar, roomless: int
) -> Iterator[tuple[Reason, int]]:
    """Every rule, with the mask of the starts that it refuses."""
    present = -(-period.now // 60) - window.begins
    past, soon = (_first_minutes(window, until) for until in (present, present + period.notice_minutes))
    yield "past", past
    yield "too_soon", past ^ soon
    if period.latest is not None:
        yield "too_far", window.every_minute ^ _first_minutes(window, period.latest // 60 + 1 - window.begins)
    yield "off_grid", window.off_grid

    after, minutes = visit.provider_after, visit.provider_minutes
    hours = _lasting(_opening_minutes(window, calendar), minutes) >> after
    yield "outside_hours", window.every_minute ^ (window.every_minute & hours)

    begins, length, reach = window.begins, window.length, after + minutes - 1
    yield "time_off", _touching(begins, length, calendar.time_off, reach, -after)
    before, behind = reach + visit.buffer_after, visit.buffer_before - after
    yield "provider_busy", _touching(begins, length, calendar.busy, before, behind)
    yield "held", _touching(begins, length, calendar.held, before, behind)
    yield "no_room", roomless


def _first_minutes(window: Window, count: int) -> int:
    return _ones(min(max(count, 0), window.length))


def _ones(count: int) -> int:
    return (1 << count) - 1


def _lasting(mask: int, minutes: int) -> int:
    """The bits from which `minutes` bits in a row are set, found by doubling."""
    found = 1
    while found < minutes:
        step = min(found, minutes - found)
        mask &= mask >> step
        found += step
    return mask


def _touching(begins: int, length: int, ranges: Ranges, before: int, behind: int) -> int:
    """The minutes of the axis from `before` minutes before a range until `behind` minutes after it."""
    if not ranges:
        return 0
    first, last = begins + before, begins - behind
    starts = sorted([start // 60 - first for start, _ in ranges])
    ends = sorted([-(-end // 60) - last for _, end in ranges])
    return _union(starts, ends, length)


def _union(starts: list[int], ends: list[int], length: int) -> int:
    """The minutes, of `length`, that lie in any range. Both lists are sorted, each by itself.

    The union pauses after the n-th end exactly when the next start comes later. What is left are runs that neither
    overlap nor touch, and a run is a subtraction: 2**end - 2**start. No step costs ranges x length.
    """
    pauses = list(map(lt, ends, starts[1:]))
    run_starts = [starts[0], *compress(starts[1:], pauses)]
    run_ends = [*compress(ends, pauses), ends[-1]]
    inside = slice(bisect_right(run_ends, 0), bisect_left(run_starts, length))
    run_starts = [max(start, 0) for start in run_starts[inside]]
    run_ends = [min(end, length) for end in run_ends[inside]]
    return _bits(run_ends, length) - _bits(run_starts, length)


def _bits(positions: list[int], length: int) -> int:
    octets = bytearray(length // 8 + 1)
    for position in positions:
        octets[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(octets, "little")


def _opening_minutes(window: Window, calendar: Calendar) -> int:
    """Weekly and extra hours on the window's axis, and on for one longest visit."""
    first_day = _day_number(window.first) - 1
    wall = _weekly_minutes(calendar.weekly, first_day, window.wall_days)
    if calendar.extra:
        midnights = [(_day_number(day) - first_day) * DAY_MINUTES for day, _, _ in calendar.extra]
        starts = sorted(midnight + starts for midnight, (_, starts, _) in zip(midnights, calendar.extra, strict=True))
        ends = sorted(midnight + ends for midnight, (_, _, ends) in zip(midnights, calendar.extra, strict=True))
        wall |= _union(starts, ends, window.wall_days * DAY_MINUTES)
    return _to_real_time(wall, window.pieces, repeated=True)


def _weekly_minutes(weekly: Collection[WeeklyHours], first_day: int, days: int) -> int:
    """The wall-clock minutes that are open in `days` days; days are counted from the epoch.

    Between two changes of the weekly hours every week is alike: one is drawn, and repeated.
    """
    changes = {first_day, first_day + days}
    for *_, valid_from, valid_until in weekly:
        if valid_from:
            changes.add(_day_number(valid_from))
        if valid_until:
            changes.add(_day_number(valid_until) + 1)
    wall = 0
    for day, next_day in pairwise(sorted(change for change in changes if first_day <= change <= first_day + days)):
        valid_spans = _spans_valid_on(date.fromordinal(day + _EPOCH_ORDINAL), weekly)
        weeks, rest = divmod(next_day - day, 7)
        alike = _week_minutes(valid_spans, day, rest) << weeks * WEEK_MINUTES
        if weeks:
            alike |= _repeat(_week_minutes(valid_spans, day, 7), WEEK_MINUTES, weeks)
        wall |= alike << (day - first_day) * DAY_MINUTES
    return wall


def _spans_valid_on(day: date, weekly: Collection[WeeklyHours]) -> list[tuple[int, int, int]]:
    return [
        (weekday, starts, ends)
        for weekday, starts, ends, valid_from, valid_until in weekly
        if (valid_from is None or valid_from <= day) and (valid_until is None or day <= valid_until)
    ]


def _week_minutes(spans: Sequence[tuple[int, int, int]], first_day: int, days: int) -> int:
    """What begins on the first `days` (at most 7) days from `first_day`."""
    mask = 0
    for weekday, starts, ends in spans:
        day = (weekday - first_day - _EPOCH_WEEKDAY) % 7
        if day < days:
            mask |= _ones(ends - starts) << day * DAY_MINUTES + starts
    return mask


def _repeat(mask: int, period: int, times: int) -> int:
    done = 1
    while done < times:
        step = min(done, times - done)
        mask |= mask << step * period
        done += step
    return mask


def _to_real_time(wall: int, pieces: tuple[_Piece, ...], repeated: bool) -> int:
    """From wall-clock minutes to the window's axis. `repeated`: whether minutes shown a second time go on as before."""
    if len(pieces) == 1 and pieces[0].runs:
        return wall >> pieces[0].shows
    mask = 0
    for begins, length, shows, runs in pieces:
        if runs:
            mask |= (wall >> shows & _ones(length)) << begins
        elif repeated and wall >> shows & 1:
            mask |= _ones(length) << begins
    return mask


@lru_cache(maxsize=256)
def make_window(zone: str, first: date, last: date, grid: int) -> Window:
    """The local days `first` to `last`, with visits starting every `grid` minutes from local midnight."""
    days = (last - first).days + 1
    if not 1 <= days <= LONGEST_WINDOW_DAYS:
        raise ValueError(f"A window has 1 to {LONGEST_WINDOW_DAYS} days.")
    if not 1 <= grid <= DAY_MINUTES:
        raise ValueError(f"A grid has steps of 1 to {DAY_MINUTES} minutes.")
    stretches = _stretches(zone, (first - timedelta(days=2)).year, (last + timedelta(days=4)).year)
    begins = _moment(stretches, _midnight(first))
    length = _moment(stretches, _midnight(last) + DAY_MINUTES) - begins
    origin = _midnight(first) - DAY_MINUTES
    pieces = tuple(_pieces(stretches, begins, begins + length + LONGEST_VISIT_MINUTES, origin))
    wall_days = max(-(-(shows + length) // DAY_MINUTES) for _, length, shows, _ in pieces)

    grid_of_day = _repeat(1, grid, -(-DAY_MINUTES // grid))
    grid_of_days = _repeat(grid_of_day, DAY_MINUTES, days) << DAY_MINUTES
    every_minute = _ones(length)
    off_grid = every_minute ^ (every_minute & _to_real_time(grid_of_days, pieces, repeated=False))
    return Window(zone, first, last, grid, begins, length, every_minute, off_grid, stretches, pieces, wall_days)


def resolve(zone: str, day: date, minute_of_day: int) -> int:
    """The minute at which the wall clock shows this time; the first of two. NonexistentTime when it is skipped."""
    wall = _midnight(day) + minute_of_day
    stretches = _stretches(zone, (day - timedelta(days=2)).year, (day + timedelta(days=2)).year)
    minute = _moment(stretches, wall)
    if minute + _stretch_at(stretches, minute).offset != wall:
        raise NonexistentTime(f"{day} {minute_of_day // 60:02}:{minute_of_day % 60:02} does not exist in {zone}.")
    return minute


def local_time(zone: str, minute: int) -> LocalTime:
    """What the wall clock shows at a minute."""
    year = (_EPOCH + timedelta(minutes=minute)).year
    return _shown(_stretches(zone, year, year), minute)


def _shown(stretches: tuple[_Stretch, ...], minute: int) -> LocalTime:
    offset = _stretch_at(stretches, minute).offset
    day, minute_of_day = divmod(minute + offset, DAY_MINUTES)
    return LocalTime(date.fromordinal(day + _EPOCH_ORDINAL), minute_of_day, offset)


def _midnight(day: date) -> int:
    """The wall-clock minute of a day's midnight, counted as if the day were UTC's."""
    return _day_number(day) * DAY_MINUTES


def _day_number(day: date) -> int:
    return day.toordinal() - _EPOCH_ORDINAL


def _moment(stretches: tuple[_Stretch, ...], wall: int) -> int:
    """The first minute at which the wall clock shows this time or a later one."""
    return next(max(begins, wall - offset) for begins, ends, offset in stretches if wall - offset < ends)


def _stretch_at(stretches: tuple[_Stretch, ...], minute: int) -> _Stretch:
    return next(stretch for stretch in stretches if minute < stretch.ends)


def _pieces(stretches: tuple[_Stretch, ...], begins: int, ends: int, origin: int) -> Iterator[_Piece]:
    """The window from `begins` to `ends`, cut where the wall clock changes and where it catches up with itself."""
    latest = stretches[0].begins + stretches[0].offset
    for stretch in stretches:
        caught_up = min(max(latest - stretch.offset, stretch.begins), stretch.ends)
        for cut_begins, cut_ends, runs in ((stretch.begins, caught_up, False), (caught_up, stretch.ends, True)):
            piece_begins, piece_ends = max(cut_begins, begins), min(cut_ends, ends)
            if piece_begins < piece_ends:
                shows = piece_begins + stretch.offset if runs else latest - 1
                yield _Piece(piece_begins - begins, piece_ends - piece_begins, shows - origin, runs)
        latest = max(latest, stretch.ends + stretch.offset)


@lru_cache(maxsize=2048)
def _stretches(zone: str, first_year: int, last_year: int) -> tuple[_Stretch, ...]:
    """All stretches of these UTC years."""
    changes = [change for year in range(first_year, last_year + 1) for change in _offset_changes(zone, year)]
    new_offsets = [changes[0], *(after for before, after in pairwise(changes) if before[1] != after[1])]
    ends = [*(minute for minute, _ in new_offsets[1:]), _midnight(date(last_year + 1, 1, 1))]
    return tuple(_Stretch(begins, end, offset) for (begins, offset), end in zip(new_offsets, ends, strict=True))


@lru_cache(maxsize=4096)
def _offset_changes(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """(minute, offset from then on) of a UTC year, the first at its beginning.

    One look a day finds them all: in no zone do two changes of the years 1900 to 2100 lie within three days.
    """
    zone_info = ZoneInfo(zone)

    def offset_at(minute: int) -> int:
        offset = (_EPOCH + timedelta(minutes=minute)).astimezone(zone_info).utcoffset() or timedelta()
        return offset // timedelta(minutes=1)

    midnights = range(_midnight(date(year, 1, 1)), _midnight(date(year + 1, 1, 1)) + 1, DAY_MINUTES)
    changes = [(midnights[0], offset_at(midnights[0]))]
    for yesterday, today in pairwise(midnights):
        offset = offset_at(today)
        if offset != changes[-1][1]:
            day = range(yesterday, today + 1)
            changes.append((day[bisect_left(day, True, key=lambda minute: offset_at(minute) == offset)], offset))
    return tuple(changes)
