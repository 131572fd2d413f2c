"""Time zone arithmetic: conversion between local times and minutes, and their formatting. PURE: standard library only.

A *minute* is a count of whole UTC minutes since 1970; a *minute of day* counts local minutes from local midnight.
UTC offsets are whole minutes, rounded down (only before 1972 had time zones offsets with seconds). A local time that
occurs twice means the first occurrence.
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
    """The local time does not exist: it is in the gap of a daylight-saving change."""


class LocalTime(NamedTuple):
    """A local date and time with its UTC offset."""

    day: date
    minute_of_day: int
    utc_offset: int  # minutes east of UTC


class Stretch(NamedTuple):
    """The minutes from `begins` to before `ends`, which have one UTC offset."""

    begins: int
    ends: int
    offset: int


class Piece(NamedTuple):
    """Part of a window with one UTC offset: minutes from the window's start, and the local minute at `begins`.

    A piece of repeated local times (after clocks are set back) has `runs` False: it stays at the last local minute
    before the repetition until local time advances beyond it.
    """

    begins: int
    length: int
    shows: int  # counted from local midnight of the day before the window
    runs: bool


def time_text(minute_of_day: int) -> str:
    """Format a minute of day: `09:00:00`."""
    return _TIMES[minute_of_day]


def moment_texts(stretches: tuple[Stretch, ...], minutes: Sequence[int]) -> list[str]:
    """Format ascending epoch minutes as RFC 3339: `2026-03-09T09:00:00-04:00`."""
    texts: list[str] = []
    while len(texts) < len(minutes):
        first = len(texts)
        _, ends, offset = stretch_at(stretches, minutes[first])
        behind = len(minutes) if minutes[-1] < ends else bisect_left(minutes, ends, first)
        texts += [_moment_text(minute + offset, offset) for minute in minutes[first:behind]]
    return texts


@lru_cache(maxsize=16_384)
def _moment_text(wall: int, offset: int) -> str:
    """Format a local minute with its offset. Cached: most requests are for the same days."""
    day, minute_of_day = divmod(wall, DAY_MINUTES)
    return f"{date_of(day).isoformat()}T{_TIMES[minute_of_day]}{_offset_text(offset)}"


@lru_cache(maxsize=256)
def _offset_text(offset_minutes: int) -> str:
    sign, minutes = ("-", -offset_minutes) if offset_minutes < 0 else ("+", offset_minutes)
    return f"{sign}{timedelta(minutes=minutes).seconds // 3600:02}:{minutes % 60:02}"


class Clock:
    """Conversion of database timestamps to a practice's local time. Visits of an EMR may have seconds."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._zone_info = ZoneInfo(zone)

    def local(self, moment: datetime) -> datetime:
        """Convert to local time. `fold` is 1 for the second occurrence of a local time."""
        return moment.astimezone(self._zone_info)

    def time(self, moment: datetime) -> str:
        """Format the local time: `09:00:00`."""
        return self.local(moment).time().isoformat("seconds")

    def moment(self, moment: datetime) -> str:
        """Format as RFC 3339 with local offset: `2026-03-09T09:00:00-04:00`."""
        return self.local(moment).isoformat(timespec="seconds")

    def day_begins(self, day: date) -> datetime:
        """Return the timestamp of a day's local midnight, or of the daylight-saving change that skips it."""
        return _EPOCH + timedelta(minutes=day_begins(self.zone, day))


def resolve(zone: str, day: date, minute_of_day: int) -> int:
    """Return the epoch minute of a local time, the first of two. Raises NonexistentTime."""
    wall = midnight(day) + minute_of_day
    stretches = stretches_of(zone, (day - timedelta(days=2)).year, (day + timedelta(days=2)).year)
    minute = moment_of(stretches, wall)
    if minute + stretch_at(stretches, minute).offset != wall:
        raise NonexistentTime(f"{day} {minute_of_day // 60:02}:{minute_of_day % 60:02} does not exist in {zone}.")
    return minute


def next_showing(zone: str, minute: int, minute_of_day: int) -> int:
    """Return the first epoch minute from `minute` on with this local time of day. Raises NonexistentTime."""
    year = (_EPOCH + timedelta(minutes=minute)).year
    for begins, ends, offset in stretches_of(zone, year, year + 1):
        earliest = max(minute, begins)
        found = earliest + (minute_of_day - earliest - offset) % DAY_MINUTES
        if found < ends:
            return found
    raise NonexistentTime(f"{minute_of_day // 60:02}:{minute_of_day % 60:02} does not occur again in {zone}.")


def day_begins(zone: str, day: date) -> int:
    """Return the epoch minute of a day's local midnight, or of the daylight-saving change that skips it."""
    stretches = stretches_of(zone, (day - timedelta(days=2)).year, (day + timedelta(days=2)).year)
    return moment_of(stretches, midnight(day))


def local_time(zone: str, minute: int) -> LocalTime:
    """Convert an epoch minute to local time."""
    year = (_EPOCH + timedelta(minutes=minute)).year
    return shown(stretches_of(zone, year, year), minute)


def date_of(day_number: int) -> date:
    """Return the date that is this number of days after 1970-01-01."""
    return date.fromordinal(day_number + _EPOCH_ORDINAL)


def shown(stretches: tuple[Stretch, ...], minute: int) -> LocalTime:
    """Convert an epoch minute to local time."""
    offset = stretch_at(stretches, minute).offset
    day, minute_of_day = divmod(minute + offset, DAY_MINUTES)
    return LocalTime(date_of(day), minute_of_day, offset)


def midnight(day: date) -> int:
    """Return the local minute of a day's midnight, counted from 1970-01-01 00:00 local time."""
    return day_number(day) * DAY_MINUTES


def day_number(day: date) -> int:
    """Return the number of days since 1970-01-01."""
    return day.toordinal() - _EPOCH_ORDINAL


def moment_of(stretches: tuple[Stretch, ...], wall: int) -> int:
    """Return the first epoch minute at which local time is `wall` or later."""
    return next(max(begins, wall - offset) for begins, ends, offset in stretches if wall - offset < ends)


def stretch_at(stretches: tuple[Stretch, ...], minute: int) -> Stretch:
    """Return the stretch that contains an epoch minute."""
    return next(stretch for stretch in stretches if minute < stretch.ends)


def pieces_of(stretches: tuple[Stretch, ...], begins: int, ends: int, origin: int) -> Iterator[Piece]:
    """Split the window from `begins` to `ends` at offset changes and at the end of repeated local times."""
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
    """Return the stretches of these UTC years, ascending."""
    changes = [change for year in range(first_year, last_year + 1) for change in _offset_changes(zone, year)]
    new_offsets = [changes[0], *(after for before, after in pairwise(changes) if before[1] != after[1])]
    ends = [*(minute for minute, _ in new_offsets[1:]), midnight(date(last_year + 1, 1, 1))]
    return tuple(Stretch(begins, end, offset) for (begins, offset), end in zip(new_offsets, ends, strict=True))


@lru_cache(maxsize=4096)
def _offset_changes(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """Return (minute, offset from then on) for each offset change of a UTC year, and for its beginning.

    One probe per day finds all changes: in no time zone are two changes of 1900 to 2100 within three days.
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
