"""The calendar on all sorts of days: a weekend, a leap day, both changes of the clocks, the turn of a year."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise, product
from random import Random
from typing import Any

import pytest

from officepro.demo.calendar import VisitRow, absences, make_visits
from officepro.demo.offices import Office, Provider, berlin_office, demo_office
from officepro.demo.people import make_people
from officepro.foundation.local_time import wall_clock
from officepro.scheduling.openings import BookingPeriod, Calendar, Visit, reasons, start_times
from officepro.scheduling.window import Window, make_window

DAYS = [
    datetime(2026, 3, 9, 14, 0, tzinfo=UTC),
    datetime(2026, 7, 4, 3, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 59, tzinfo=UTC),
    datetime(2027, 12, 31, 23, 59, tzinfo=UTC),
    datetime(2028, 2, 29, 12, 0, tzinfo=UTC),
]
STANDS = ("booked", "completed", "noshow")
ANYTIME = BookingPeriod(now=0)


class Made:
    def __init__(self, office: Office, now: datetime) -> None:
        self.office, self.now = office, now
        self.today = wall_clock(office.time_zone, now).date()
        chance = Random(7)
        ids = range(1001, 1001 + office.people)
        self.people = make_people(chance, office.region, ids, [one.provider_id for one in office.providers], now)
        self.visits = make_visits(chance, office, self.people, now)

    def window(self, day: date) -> Window:
        return make_window(self.office.time_zone, day, day, self.office.slot_minutes)

    def calendar(self, provider: Provider, busy: list[tuple[int, int]]) -> Calendar:
        away = [_seconds(starts, ends) for starts, ends, _ in absences(self.office, provider)]
        return Calendar(provider.weekly, provider.extra, away, busy)

    def future_workdays(self) -> Iterator[date]:
        for ahead in range(1, self.office.calendar_days):
            day = self.today + timedelta(days=ahead)
            if day.weekday() < 5:
                yield day


@cache
def _made(make: Callable[[datetime], Office], now: datetime) -> Made:
    return Made(make(now), now)


@pytest.fixture(params=DAYS, ids=str)
def demo(request: pytest.FixtureRequest) -> Made:
    return _made(demo_office, request.param)


@pytest.fixture(params=product((demo_office, berlin_office), DAYS), ids=lambda each: f"{each[0].__name__} on {each[1]}")
def made(request: pytest.FixtureRequest) -> Made:
    return _made(*request.param)


def test_nobody_and_no_room_is_taken_twice(made: Made) -> None:
    taken: dict[Any, list[tuple[datetime, datetime]]] = defaultdict(list)
    for visit in made.visits:
        if visit["status"] in STANDS:
            taken["provider", visit["provider_id"]].append((visit["busy_starts_at"], visit["busy_ends_at"]))
            taken["patient", visit["patient_id"]].append((visit["starts_at"], visit["ends_at"]))
            if visit["room_id"] is not None:
                taken["room", visit["room_id"]].append((visit["starts_at"], visit["ends_at"]))
    for spans in taken.values():
        assert all(ends <= next_starts for (_, ends), (next_starts, _) in pairwise(sorted(spans)))


def test_every_visit_could_have_been_booked(made: Made) -> None:
    providers = {one.provider_id: one for one in made.office.providers}
    types = {one.visit_type: one for one in made.office.visit_types}
    for visit in made.visits:
        visit_type = types[visit["visit_type"]]
        assert visit["provider_id"] in visit_type.provider_ids
        assert visit["room_id"] in visit_type.room_ids or not visit_type.room_ids
        assert (visit["room_id"] is None) == (not visit_type.room_ids)
        assert visit["needs_room"] == bool(visit_type.room_ids)
        day = wall_clock(made.office.time_zone, visit["starts_at"]).date()
        start = int(visit["starts_at"].timestamp()) // 60
        calendar = made.calendar(providers[visit["provider_id"]], [])
        assert not reasons(made.window(day), Visit(visit_type.duration_minutes), ANYTIME, calendar, start)


def test_what_is_past_took_place_and_what_is_to_come_stands(made: Made) -> None:
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for visit in made.visits:
        found[visit["ends_at"] <= made.now].add(visit["status"])
        assert visit["created_at"] <= visit["updated_at"] <= made.now
        assert visit["created_at"] <= visit["starts_at"]
        assert (visit["cancel_reason"] is None) == (visit["status"] != "cancelled")
    assert found == {True: {"completed", "noshow", "cancelled"}, False: {"booked", "cancelled"}}


def test_seven_tenths_are_taken_with_gaps_on_every_workday(demo: Made) -> None:
    shares = []
    for day in demo.future_workdays():
        free, whole = _free_and_whole(demo, day, 15)
        assert 0.20 <= free / whole <= 0.50, day
        shares.append(free / whole)
        assert _free_and_whole(demo, day, 30)[0] >= 5, day
    assert 0.27 <= sum(shares) / len(shares) <= 0.36


def test_visits_are_numbered_in_the_order_of_time(made: Made) -> None:
    assert [visit["visit_id"] for visit in made.visits] == list(range(101, 101 + len(made.visits)))
    assert all(one["starts_at"] <= other["starts_at"] for one, other in pairwise(made.visits))


def test_they_reach_as_far_back_as_ahead(demo: Made) -> None:
    days = {wall_clock(demo.office.time_zone, visit["starts_at"]).date() for visit in demo.visits}
    assert timedelta(days=57) <= demo.today - min(days) <= timedelta(days=60)
    assert timedelta(days=57) <= max(days) - demo.today <= timedelta(days=60)


def test_only_those_of_age_have_cosmetic_visits(made: Made) -> None:
    of_age = {one["patient_id"] for one in made.people if one["life_stage"] in ("EarlyAdult", "Adult", "Senior")}
    adults_only = {one.visit_type for one in made.office.visit_types if one.adults_only}
    assert {visit["patient_id"] for visit in made.visits if visit["visit_type"] in adults_only} <= of_age


def test_weeks_differ(demo: Made) -> None:
    jane, daniel, _, michael, sofia, hannah = demo.office.providers
    assert {(starts, ends) for _, starts, ends, _, _ in jane.weekly} == {(540, 720), (780, 1020)}
    assert jane.extra
    assert any(ends == 20 * 60 for _, _, ends, _, _ in daniel.weekly + sofia.weekly)
    assert any(weekday == 5 for provider in demo.office.providers for weekday, *_ in provider.weekly)
    assert any(since for *_, since, _ in michael.weekly)
    assert any(until for *_, until in michael.weekly)
    assert len({since for *_, since, _ in hannah.weekly}) > 20
    assert len(hannah.weekly) <= 200  # else no admin could put it back
    assert [one.provider_id for one in demo.office.providers if one.absences] == [1, 2, 3, 4, 5]


def _free_and_whole(made: Made, day: date, minutes: int) -> tuple[int, int]:
    window = made.window(day)
    free = whole = 0
    for provider in made.office.providers:
        busy = [
            _seconds(visit["busy_starts_at"], visit["busy_ends_at"])
            for visit in _standing(made.visits)
            if visit["provider_id"] == provider.provider_id
        ]
        free += len(start_times(window, Visit(minutes), ANYTIME, made.calendar(provider, busy)))
        whole += len(start_times(window, Visit(minutes), ANYTIME, made.calendar(provider, [])))
    return free, whole


def _standing(visits: list[VisitRow]) -> Iterator[VisitRow]:
    return (visit for visit in visits if visit["status"] in STANDS)


def _seconds(starts: datetime, ends: datetime) -> tuple[int, int]:
    return int(starts.timestamp()), int(ends.timestamp())
