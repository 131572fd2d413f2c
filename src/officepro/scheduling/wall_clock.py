"""A practice's wall clock: between local times and minutes, and as both are written. PURE: the standard library alone.

A *minute* is a count of whole UTC minutes since 1970; a *minute of day* counts wall-clock minutes from local midnight.
An offset from UTC counts in whole minutes, rounded down (only before 1972 did zones keep seconds). A time that is
shown twice means the first.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY_MINUTES = 1440

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
EPOCH_WEEKDAY = _EPOCH.weekday()
_TIMES = [f"{minute // 60:02}:{minute % 60:02}:00" for minute in range(DAY_MINUTES)]


class NonexistentTime(ValueError):
    """The wall clock skips this local time: it lies in the gap when clocks go forward."""


class LocalTime(NamedTuple):
    day: date
    minute_of_day: int
    utc_offset: int  # minutes east of UTC


class Stretch(NamedTuple):
    """Minutes from `begins` to before `ends` that share one offset from UTC."""

    begins: int
    ends: int
    offset: int


class Piece(NamedTuple):
    """Minutes of a window, counted from its first, and the wall-clock minute its `begins` shows.

    After clocks went back they show times a second time. Such a piece does not run: it stays at the last new minute
    until the clocks show a new one.
    """

    begins: int
    length: int
    shows: int  # counted from local midnight of the day before the window
    runs: bool


def time_text(minute_of_day: int) -> str:
    """`09:00:00`"""
    return _TIMES[minute_of_day]


def moment_texts(stretches: tuple[Stretch, ...], minutes: Sequence[int]) -> list[str]:
    """`2026-03-09T09:00:00-04:00`, for minutes in ascending order."""
    texts: list[str] = []
    while len(texts) < len(minutes):
        first = len(texts)
        _, ends, offset = stretch_at(stretches, minutes[first])
        behind = len(minutes) if minutes[-1] < ends else bisect_left(minutes, ends, first)
        texts += [_moment_text(minute + offset, offset) for minute in minutes[first:behind]]
    return texts


@lru_cache(maxsize=16_384)
def _moment_text(wall: int, offset: int) -> str:
    """Many ask for the same days: their times are written once."""
    day, minute_of_day = divmod(wall, DAY_MINUTES)
    return f"{date_of(day).isoformat()}T{_TIMES[minute_of_day]}{_offset_text(offset)}"


@lru_cache(maxsize=256)
def _offset_text(offset_minutes: int) -> str:
    sign, minutes = ("-", -offset_minutes) if offset_minutes < 0 else ("+", offset_minutes)
    return f"{sign}{timedelta(minutes=minutes).seconds // 3600:02}:{minutes % 60:02}"


class Clock:
    """A practice's wall clock, for times that come from the database: an EMR's visits have seconds, too."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._zone_info = ZoneInfo(zone)

    def local(self, moment: datetime) -> datetime:
        """`fold` is 1 when the clock shows it for the second time."""
        return moment.astimezone(self._zone_info)

    def time(self, moment: datetime) -> str:
        """`09:00:00`"""
        return self.local(moment).time().isoformat("seconds")

    def moment(self, moment: datetime) -> str:
        """`2026-03-09T09:00:00-04:00`"""
        return self.local(moment).isoformat(timespec="seconds")

    def day_begins(self, day: date) -> datetime:
        """The instant of a day's local midnight; where clocks skip it, of the change."""
        return _EPOCH + timedelta(minutes=day_begins(self.zone, day))


def resolve(zone: str, day: date, minute_of_day: int) -> int:
    """The minute at which the wall clock shows this time; the first of two. NonexistentTime when it is skipped."""
    wall = midnight(day) + minute_of_day
    stretches = stretches_of(zone, (day - timedelta(days=2)).year, (day + timedelta(days=2)).year)
    minute = moment_of(stretches, wall)
    if minute + stretch_at(stretches, minute).offset != wall:
        raise NonexistentTime(f"{day} {minute_of_day // 60:02}:{minute_of_day % 60:02} does not exist in {zone}.")
    return minute


def next_showing(zone: str, minute: int, minute_of_day: int) -> int:
    """The first minute, from `minute` on, at which the wall clock shows this time of day."""
    year = (_EPOCH + timedelta(minutes=minute)).year
    for begins, ends, offset in stretches_of(zone, year, year + 1):
        earliest = max(minute, begins)
        found = earliest + (minute_of_day - earliest - offset) % DAY_MINUTES
        if found < ends:
            return found
    raise NonexistentTime(f"{minute_of_day // 60:02}:{minute_of_day % 60:02} does not come again in {zone}.")


def day_begins(zone: str, day: date) -> int:
    """The minute of a day's local midnight; where clocks skip it, of the change."""
    stretches = stretches_of(zone, (day - timedelta(days=2)).year, (day + timedelta(days=2)).year)
    return moment_of(stretches, midnight(day))


def local_time(zone: str, minute: int) -> LocalTime:
    """What the wall clock shows at a minute."""
    year = (_EPOCH + timedelta(minutes=minute)).year
    return shown(stretches_of(zone, year, year), minute)


def date_of(day_number: int) -> date:
    """The day so many days after 1970-01-01."""
    return date.fromordinal(day_number + _EPOCH_ORDINAL)


def shown(stretches: tuple[Stretch, ...], minute: int) -> LocalTime:
    offset = stretch_at(stretches, minute).offset
    day, minute_of_day = divmod(minute + offset, DAY_MINUTES)
    return LocalTime(date_of(day), minute_of_day, offset)


def midnight(day: date) -> int:
    """The wall-clock minute of a day's midnight, counted as if the day were UTC's."""
    return day_number(day) * DAY_MINUTES


def day_number(day: date) -> int:
    return day.toordinal() - _EPOCH_ORDINAL


def moment_of(stretches: tuple[Stretch, ...], wall: int) -> int:
    """The first minute at which the wall clock shows this time or a later one."""
    return next(max(begins, wall - offset) for begins, ends, offset in stretches if wall - offset < ends)


def stretch_at(stretches: tuple[Stretch, ...], minute: int) -> Stretch:
    return next(stretch for stretch in stretches if minute < stretch.ends)


def pieces_of(stretches: tuple[Stretch, ...], begins: int, ends: int, origin: int) -> Iterator[Piece]:
    """The window from `begins` to `ends`, cut where the wall clock changes and where it catches up with itself."""
    latest = stretches[0].begins + stretches[0].offset
    for stretch in stretches:
        caught_up = min(max(latest - stretch.offset, stretch.begins), stretch.ends)
        for cut_begins, cut_ends, runs in ((stretch.begins, caught_up, False), (caught_up, stretch.ends, True)):
            piece_begins, piece_ends = max(cut_begins, begins), min(cut_ends, ends)
            if piece_begins < piece_ends:
                shows = piece_begins + stretch.offset if runs else latest - 1
                yield Piece(piece_begins - begins, piece_ends - piece_begins, shows - origin, runs)
        latest = max(latest, stretch.ends + stretch.offset)


@lru_cache(maxsize=2048)
def stretches_of(zone: str, first_year: int, last_year: int) -> tuple[Stretch, ...]:
    """All stretches of these UTC years."""
    changes = [change for year in range(first_year, last_year + 1) for change in _offset_changes(zone, year)]
    new_offsets = [changes[0], *(after for before, after in pairwise(changes) if before[1] != after[1])]
    ends = [*(minute for minute, _ in new_offsets[1:]), midnight(date(last_year + 1, 1, 1))]
    return tuple(Stretch(begins, end, offset) for (begins, offset), end in zip(new_offsets, ends, strict=True))


@lru_cache(maxsize=4096)
def _offset_changes(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """(minute, offset from then on) of a UTC year, the first at its beginning.

    One look a day finds them all: in no zone do two changes of the years 1900 to 2100 lie within three days.
    """
    zone_info = ZoneInfo(zone)

    def offset_at(minute: int) -> int:
        offset = (_EPOCH + timedelta(minutes=minute)).astimezone(zone_info).utcoffset() or timedelta()
        return offset // timedelta(minutes=1)

    midnights = range(midnight(date(year, 1, 1)), midnight(date(year + 1, 1, 1)) + 1, DAY_MINUTES)
    changes = [(midnights[0], offset_at(midnights[0]))]
    for yesterday, today in pairwise(midnights):
        offset = offset_at(today)
        if offset != changes[-1][1]:
            day = range(yesterday, today + 1)
            changes.append((day[bisect_left(day, True, key=lambda minute: offset_at(minute) == offset)], offset))
    return tuple(changes)
