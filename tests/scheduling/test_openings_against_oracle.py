"""Slot computation against an independent oracle without bit masks, which checks each minute with the time zone.

The oracle shares no code with the computation. It follows the documented rules: open hours, busy time, existing local
times, and the first occurrence of repeated ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from officepro.scheduling.minutes import Ranges
from officepro.scheduling.openings import (
    BookingPeriod,
    Calendar,
    Visit,
    choose_room,
    reasons,
    roomless_starts,
    start_times,
)
from officepro.scheduling.wall_clock import NonexistentTime, local_time, resolve
from officepro.scheduling.window import make_window

# Dates of offset changes: forward, back, by half an hour or a day, at or just after midnight, or none.
PLACES = [
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Asia/Kathmandu", date(2026, 1, 1)),
    ("Asia/Kolkata", date(2026, 2, 28)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Santiago", date(2026, 4, 4)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Africa/Cairo", date(2026, 4, 24)),
    ("Africa/Cairo", date(2026, 10, 29)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Asia/Beirut", date(2026, 10, 24)),
    ("Africa/Casablanca", date(2026, 2, 15)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Pacific/Kwajalein", date(1969, 9, 30)),
    ("America/St_Johns", date(2010, 11, 7)),
    ("UTC", date(2027, 1, 1)),
]


@dataclass(frozen=True)
class Question:
    zone: str
    first: date
    last: date
    grid: int
    visit: Visit
    period: BookingPeriod
    calendar: Calendar
    rooms: list[Ranges] | None


@st.composite
def hours_of_a_day(draw: st.DrawFn) -> tuple[int, int]:
    starts = draw(st.integers(0, 1439) | st.sampled_from([0, 60, 120, 150, 540, 780, 1380]))
    return starts, starts + draw(st.sampled_from([60, 240, 480, 1440]) | st.integers(1, 1440))


@st.composite
def ranges_near(draw: st.DrawFn, midnight: int, most: int) -> Ranges:
    """Generate ranges with and without seconds; they may overlap each other and the ends of the window."""
    edge = st.integers(-200, 400).map(lambda quarter: quarter * 900) | st.integers(-100_000, 300_000)
    length = st.sampled_from([900, 1800, 3600, 14_400]) | st.integers(1, 20_000) | st.integers(1, 100_000)
    pairs = draw(st.lists(st.tuples(edge, length), max_size=most))
    return [(midnight + starts, midnight + starts + seconds) for starts, seconds in pairs]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    zone, changes = draw(st.sampled_from(PLACES))
    first = changes + timedelta(days=draw(st.integers(-1, 1)))
    last = first + timedelta(days=draw(st.integers(0, 1)))
    midnight = int(datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)).timestamp())

    duration = draw(st.sampled_from([15, 30, 45, 60]) | st.integers(1, 120) | st.integers(1, 1440))
    after = draw(st.just(0) | st.integers(0, duration - 1))
    part = draw(st.none() | st.integers(1, duration - after))
    buffers = st.just(0) | st.integers(0, 240)
    visit = Visit(duration, after, part, draw(buffers), draw(buffers))

    near = st.none() | st.integers(-2, 3).map(lambda days: first + timedelta(days=days))
    weekly = st.tuples(st.integers(0, 6), hours_of_a_day(), near, near).map(lambda row: (row[0], *row[1], *row[2:]))
    everyday = hours_of_a_day().map(lambda hours: [(weekday, *hours, None, None) for weekday in range(7)])
    extra = st.tuples(st.integers(-2, 3).map(lambda days: first + timedelta(days=days)), hours_of_a_day())
    calendar = Calendar(
        weekly=draw(everyday | st.lists(weekly, max_size=8)),
        extra=[(day, *hours) for day, hours in draw(st.lists(extra, max_size=2))],
        time_off=draw(ranges_near(midnight, 1)),
        busy=draw(ranges_near(midnight, 3)),
        held=draw(ranges_near(midnight, 2)),
    )
    now = midnight + draw(st.just(-(10**6)) | st.integers(-90_000, 90_000))
    quarters = st.integers(40, 200).map(lambda quarter: quarter * 900)
    latest = draw(st.none() | (quarters | st.integers(40_000, 200_000)).map(lambda later: midnight + later))
    period = BookingPeriod(now, draw(st.just(0) | st.integers(0, 600)), latest)
    rooms = draw(st.none() | st.lists(ranges_near(midnight, 3), max_size=3))
    grid = draw(st.sampled_from([1, 5, 7, 10, 15, 20, 30, 60, 1440]))
    return Question(zone, first, last, grid, visit, period, calendar, rooms)


# Oracle


def minutes_of(ranges: Iterable[tuple[int, int]]) -> set[int]:
    """Return every minute of which a range covers at least a second."""
    touched: set[int] = set()
    for starts, ends in ranges:
        touched.update(range((starts - starts % 60) // 60, (ends + (-ends) % 60) // 60))
    return touched


def moment(zone: ZoneInfo, day: date, minute_of_day: int) -> int:
    """Convert an opening hour to a minute: the first occurrence; in a gap, the time of the change."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute_of_day)  # noqa: DTZ001 — a wall clock
    real = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if real.astimezone(zone).replace(tzinfo=None) == wall:
        return int(real.timestamp()) // 60
    offset_after = real.astimezone(zone).utcoffset()
    while (real - timedelta(minutes=1)).astimezone(zone).utcoffset() == offset_after:
        real -= timedelta(minutes=1)
    return int(real.timestamp()) // 60


def days_from(first: date, last: date) -> list[date]:
    return [first + timedelta(days=days) for days in range((last - first).days + 1)]


def open_minutes(question: Question) -> set[int]:
    zone, minutes = ZoneInfo(question.zone), set[int]()
    for day in days_from(question.first - timedelta(days=2), question.last + timedelta(days=3)):
        spans = [(starts, ends) for extra_day, starts, ends in question.calendar.extra if extra_day == day]
        for weekday, starts, ends, valid_from, valid_until in question.calendar.weekly:
            if day.weekday() == weekday and (valid_from or day) <= day <= (valid_until or day):
                spans.append((starts, ends))
        for starts, ends in spans:
            minutes.update(range(moment(zone, day, starts), moment(zone, day, ends)))
    return minutes


def walked(question: Question) -> list[tuple[int, datetime]]:
    """Return every minute of the window's days with its local time."""
    zone = ZoneInfo(question.zone)
    begins = datetime(question.first.year, question.first.month, question.first.day, tzinfo=UTC) - timedelta(days=2)
    length = (question.last - question.first).days * 1440 + 5 * 1440
    minutes = ((int(begins.timestamp()) // 60 + minute) for minute in range(length))
    shown = ((minute, datetime.fromtimestamp(minute * 60, zone)) for minute in minutes)
    return [(minute, wall) for minute, wall in shown if question.first <= wall.date() <= question.last]


class Oracle:
    def __init__(self, question: Question) -> None:
        self.question = question
        self.open = open_minutes(question)
        self.time_off, self.busy, self.held = (
            minutes_of(ranges)
            for ranges in (question.calendar.time_off, question.calendar.busy, question.calendar.held)
        )
        self.rooms = None if question.rooms is None else [minutes_of(room) for room in question.rooms]

    def reasons(self, start: int, wall: datetime) -> set[str]:
        visit, period = self.question.visit, self.question.period
        begins = start + visit.provider_after
        ends = start + visit.duration if visit.provider_duration is None else begins + visit.provider_duration
        part = range(begins, ends)
        padded = range(begins - visit.buffer_before, ends + visit.buffer_after)
        earliest = period.now + period.notice_minutes * 60
        found = {
            "past": start * 60 < period.now,
            "too_soon": period.now <= start * 60 < earliest,
            "too_far": period.latest is not None and start * 60 > period.latest,
            "off_grid": wall.fold == 1 or (wall.hour * 60 + wall.minute) % self.question.grid != 0,
            "outside_hours": not self.open.issuperset(part),
            "time_off": not self.time_off.isdisjoint(part),
            "provider_busy": not self.busy.isdisjoint(padded),
            "held": not self.held.isdisjoint(padded),
            "no_room": self.rooms is not None and not any(self.room_is_free(room, start) for room in self.rooms),
        }
        return {reason for reason, holds in found.items() if holds}

    def room_is_free(self, room: set[int], start: int) -> bool:
        return room.isdisjoint(range(start, start + self.question.visit.duration))


# Properties


@settings(max_examples=120, deadline=None)
@given(questions())
def test_exactly_what_the_oracle_offers_is_offered(question: Question) -> None:
    oracle = Oracle(question)
    window = make_window(question.zone, question.first, question.last, question.grid)
    roomless = 0 if question.rooms is None else roomless_starts(window, question.visit, question.rooms)
    starts = start_times(window, question.visit, question.period, question.calendar, roomless)
    on_grid = [
        (minute, wall) for minute, wall in walked(question) if (wall.hour * 60 + wall.minute) % question.grid == 0
    ]
    expected = [(minute, wall) for minute, wall in on_grid if not oracle.reasons(minute, wall)]

    assert list(starts) == [minute for minute, _ in expected]
    assert starts.first() == (expected[0][0] if expected else None)
    listed = [(minute, day, at) for day, times in starts.by_day().items() for minute, at in times]
    assert listed == [(minute, wall.date(), wall.hour * 60 + wall.minute) for minute, wall in expected]


@settings(max_examples=100, deadline=None)
@given(questions(), st.integers(1, 97))
def test_reasons_are_the_oracles_and_none_means_offered(question: Question, step: int) -> None:
    oracle = Oracle(question)
    window = make_window(question.zone, question.first, question.last, question.grid)
    terms = (window, question.visit, question.period, question.calendar)
    roomless = 0 if question.rooms is None else roomless_starts(window, question.visit, question.rooms)
    starts = start_times(*terms, roomless)
    for minute, wall in walked(question)[:: 40 + step]:
        if not window.begins <= minute < window.begins + window.length:
            assert wall.fold == 1  # a repeated local time, after the next day had begun
            continue
        given_reasons = reasons(*terms, minute, roomless)
        assert set(given_reasons) == oracle.reasons(minute, wall)
        assert (given_reasons == []) == (minute in starts)
        assert resolve(question.zone, wall.date(), wall.hour * 60 + wall.minute) == minute or wall.fold == 1
        offset = wall.utcoffset() or timedelta()
        assert window.local_time(minute) == local_time(question.zone, minute)
        assert local_time(question.zone, minute).utc_offset == offset // timedelta(minutes=1)
    for start in list(starts)[:20]:
        assert reasons(*terms, start, roomless) == []


@settings(max_examples=60, deadline=None)
@given(questions(), st.data())
def test_the_preferred_room_loses_the_fewest_openings(question: Question, data: st.DataObject) -> None:
    window = make_window(question.zone, question.first, question.last, question.grid)
    assume(window.length)  # a day skipped by the time zone has no start times
    midnight = window.begins * 60
    rooms = dict(enumerate(data.draw(st.lists(ranges_near(midnight, 3), min_size=1, max_size=4))))
    start = window.begins + data.draw(st.integers(0, window.length - 1))
    oracle = Oracle(question)
    visit = range(start, start + question.visit.duration)
    taken = {room: minutes_of(busy) for room, busy in rooms.items()}
    on_grid = [
        minute
        for minute, wall in walked(question)
        if wall.fold == 0 and (wall.hour * 60 + wall.minute) % question.grid == 0
    ]

    def loss(room: int) -> tuple[int, int, int]:
        in_room = [at for at in on_grid if oracle.room_is_free(taken[room], at) and abs(at - start) < len(visit)]
        others = [minutes for other, minutes in taken.items() if other != room]
        altogether = [at for at in in_room if not any(oracle.room_is_free(other, at) for other in others)]
        return len(altogether), len(in_room), room

    free = [room for room, minutes in taken.items() if minutes.isdisjoint(visit)]
    assert choose_room(window, question.visit, start, rooms) == sorted(free, key=loss)


@pytest.mark.parametrize(("zone", "day"), PLACES)
def test_a_local_time_resolves_exactly_when_the_clock_shows_it(zone: str, day: date) -> None:
    zone_info = ZoneInfo(zone)
    shown: dict[tuple[date, int], int] = {}
    for minute in range(moment(zone_info, day, 0) - 3000, moment(zone_info, day, 0) + 6000):
        wall = datetime.fromtimestamp(minute * 60, zone_info)
        shown.setdefault((wall.date(), wall.hour * 60 + wall.minute), minute)
    resolved: dict[tuple[date, int], int] = {}
    for near in days_from(day - timedelta(days=1), day + timedelta(days=1)):
        for minute_of_day in range(0, 1440):
            try:
                resolved[near, minute_of_day] = resolve(zone, near, minute_of_day)
            except NonexistentTime:
                continue
    assert resolved == {key: minute for key, minute in shown.items() if abs((key[0] - day).days) <= 1}
