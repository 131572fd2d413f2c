"""Visits of a demo practice, past and future, placed by the engine that computes openings for partners. PURE.

Each provider's day has a share of free time, split into gaps of different sizes; visits fill the rest from morning
to evening. About seven tenths of the time are booked, and no day is full or empty by chance.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from officepro.demo.offices import Office, Provider, VisitType
from officepro.demo.people import Person, is_of_age
from officepro.foundation.local_time import instant, wall_clock
from officepro.scheduling.minutes import Ranges
from officepro.scheduling.openings import (
    BookingPeriod,
    Calendar,
    StartTimes,
    Visit,
    choose_room,
    roomless_starts,
    start_times,
)
from officepro.scheduling.window import make_window

Range = tuple[int, int]  # epoch seconds
VisitRow = dict[str, Any]  # a row of `visit`, by its columns

FIRST_VISIT_ID = 101
FREE_SHARE = 0.35  # requested share of the open time; a gap next to a break is shorter
GAPS_MINUTES = (15, 30, 60, 60, 75, 90, 105, 120)
WITHDRAWN_TYPES_LAST_DAY = -30  # last day with visits of inactive types, relative to today
CANCELLED, MISSED, BOOKED_BY_PROSPECT = 0.07, 0.06, 0.35
MINUTE = timedelta(minutes=1)
LONG = 10_000  # minutes
ANYTIME = BookingPeriod(now=0)
CANCEL_REASONS = ("Patient is ill", "Work conflict", "Found another time", "No longer needed")
NOTES = ("Ask for insurance card.", "Running late last time: remind the day before.", "Photo documentation.")


def make_visits(chance: Random, office: Office, people: Sequence[Person], now: datetime) -> list[VisitRow]:
    """Return the visits in order of time, numbered from FIRST_VISIT_ID."""
    today = wall_clock(office.time_zone, now).date()
    visits: list[VisitRow] = []
    for offset in range(-office.calendar_days, office.calendar_days + 1):
        day = _Day(chance, office, people, today + timedelta(days=offset), offset, now)
        for turn in range(len(office.providers)):  # rotate: the first provider of a day has the free choice of rooms
            visits += day.of_provider(office.providers[(turn + offset) % len(office.providers)])
    visits.sort(key=lambda visit: (visit["starts_at"], visit["provider_id"], visit["status"]))
    for visit_id, visit in zip(count(FIRST_VISIT_ID), visits, strict=False):
        visit["visit_id"] = visit_id
    return visits


def absences(office: Office, provider: Provider) -> list[tuple[datetime, datetime, str]]:
    """Return the absences of a provider as instants, with reasons."""
    zone = office.time_zone
    return [(instant(zone, away.starts), instant(zone, away.ends), away.reason) for away in provider.absences]


class _Day:
    """One day of a practice while it is filled with visits."""

    def __init__(
        self, chance: Random, office: Office, people: Sequence[Person], day: date, offset: int, now: datetime
    ) -> None:
        self._chance = chance
        self._office = office
        self._people = people
        self._now = now
        self._window = make_window(office.time_zone, day, day, office.slot_minutes)
        self._types = [one for one in office.visit_types if one.active or offset <= WITHDRAWN_TYPES_LAST_DAY]
        self._rooms: dict[int, list[tuple[int, int]]] = {room: [] for room in office.rooms}
        self._here: set[int] = set()  # patients with a visit on this day

    def of_provider(self, provider: Provider) -> Iterator[VisitRow]:
        """Yield the visits of a provider on this day."""
        types = [one for one in self._types if provider.provider_id in one.provider_ids]
        time_off = [_seconds(starts, ends) for starts, ends, _ in absences(self._office, provider)]
        busy: list[Range] = []
        calendar = Calendar(provider.weekly, provider.extra, time_off, busy)  # reads `busy` as it grows
        gaps = self._gaps(calendar)
        minute, taken = self._window.begins, 0
        while True:
            while gaps and taken >= gaps[0][0]:
                minute += gaps.pop(0)[1]
            row = self._visit_from(minute, provider, types, calendar)
            if row is None:
                return
            yield row
            if row["status"] != "cancelled":  # otherwise the time stays free for another visit
                busy.append(_seconds(row["busy_starts_at"], row["busy_ends_at"]))
                taken += (busy[-1][1] - busy[-1][0]) // 60
                minute = busy[-1][1] // 60

    def _gaps(self, calendar: Calendar) -> list[tuple[int, int]]:
        """Return pairs: minutes of visits before the gap, length of the gap in minutes."""
        grid = self._office.slot_minutes
        open_minutes = grid * len(start_times(self._window, Visit(grid), ANYTIME, calendar))
        free = round(open_minutes * FREE_SHARE / grid) * grid
        lengths: list[int] = []
        while (left := free - sum(lengths)) > 0:
            lengths.append(min(self._chance.choice(GAPS_MINUTES), left))
        return sorted((self._chance.randint(0, (open_minutes - free) * 9 // 10), length) for length in lengths)

    def _visit_from(
        self, minute: int, provider: Provider, types: Sequence[VisitType], calendar: Calendar
    ) -> VisitRow | None:
        """Return the next visit of the provider, of a type in demand; None when the day is over."""
        found = self._next_start(types, calendar, minute)
        if found is None:
            return None
        start, visit_type = found
        person = self._person(visit_type)
        if person is None:
            return None
        visit = _visit(visit_type)
        row = {
            "patient_id": person["patient_id"],
            "provider_id": provider.provider_id,
            "room_id": self._room(visit_type, visit, start),
            "needs_room": bool(visit_type.room_ids),
            "visit_type": visit_type.visit_type,
            **_times(visit, start),
            "complaint": self._chance.choice(visit_type.complaints) if self._chance.random() < 0.7 else None,
            "notes": self._chance.choice(NOTES) if self._chance.random() < 0.1 else None,
        }
        row |= self._fate(row, person["created_at"])
        if row["status"] != "cancelled":
            self._here.add(row["patient_id"])
            if row["room_id"] is not None:
                self._rooms[row["room_id"]].append(_seconds(row["starts_at"], row["ends_at"]))
        return row

    def _next_start(self, types: Sequence[VisitType], calendar: Calendar, minute: int) -> tuple[int, VisitType] | None:
        """Return a randomly chosen type with its start; if the provider would have to wait for it, the type that can
        start first."""
        asked = self._chance.choices(types, [one.share for one in types])[0] if types else None
        soonest, least_waiting = None, LONG
        for visit_type in sorted(types, key=lambda one: one is not asked):
            start = self._starts(visit_type, calendar).first_from(minute + visit_type.buffer_before_minutes)
            if start is None:
                continue
            waiting = start - visit_type.buffer_before_minutes - minute
            if waiting < least_waiting:
                soonest, least_waiting = (start, visit_type), waiting
            if not least_waiting:
                break
        return soonest

    def _starts(self, visit_type: VisitType, calendar: Calendar) -> StartTimes:
        visit = _visit(visit_type)
        roomless = roomless_starts(self._window, visit, self._busy_rooms(visit_type).values())
        return start_times(self._window, visit, ANYTIME, calendar, roomless if visit_type.room_ids else 0)

    def _room(self, visit_type: VisitType, visit: Visit, start: int) -> int | None:
        rooms = self._busy_rooms(visit_type)
        return choose_room(self._window, visit, start, rooms)[0] if rooms else None

    def _busy_rooms(self, visit_type: VisitType) -> dict[int, Ranges]:
        return {room_id: self._rooms[room_id] for room_id in visit_type.room_ids}

    def _person(self, visit_type: VisitType) -> Person | None:
        """Return a person without a visit on this day; a prospect only for a future first visit."""
        is_to_come = self._window.begins * 60 > self._now.timestamp()
        first_time = visit_type.for_prospects and is_to_come and self._chance.random() < BOOKED_BY_PROSPECT
        fitting = [
            person
            for person in self._people
            if person["prospect"] == first_time
            and person["patient_id"] not in self._here
            and (first_time or not visit_type.adults_only or is_of_age(person))
        ]
        return self._chance.choice(fitting) if fitting else None

    def _fate(self, row: VisitRow, known_at: datetime) -> VisitRow:
        """Return status and times of a visit: past ones are completed or missed, future ones are booked; some are
        cancelled."""
        latest = min(row["starts_at"], self._now)
        created_at = max(known_at, latest - timedelta(minutes=self._chance.randint(60, 30 * 1440)))
        luck = self._chance.random()
        fate = {"status": "booked", "cancel_reason": None, "created_at": created_at, "updated_at": created_at}
        if luck < CANCELLED:
            fate["status"] = "cancelled"
            fate["cancel_reason"] = self._chance.choice(CANCEL_REASONS)
            fate["updated_at"] = created_at + (latest - created_at) * self._chance.random()
        elif row["ends_at"] <= self._now:
            fate["status"] = "noshow" if luck < CANCELLED + MISSED else "completed"
            fate["updated_at"] = row["ends_at"]
        return fate


def _visit(visit_type: VisitType) -> Visit:
    return Visit(
        visit_type.duration_minutes,
        buffer_before=visit_type.buffer_before_minutes,
        buffer_after=visit_type.buffer_after_minutes,
    )


def _times(visit: Visit, start: int) -> VisitRow:
    starts_at, ends_at = _moment(start), _moment(start + visit.duration)
    return {
        "starts_at": starts_at,
        "ends_at": ends_at,
        "provider_starts_at": starts_at,
        "provider_ends_at": ends_at,
        "busy_starts_at": starts_at - visit.buffer_before * MINUTE,
        "busy_ends_at": ends_at + visit.buffer_after * MINUTE,
    }


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def _seconds(starts: datetime, ends: datetime) -> Range:
    return int(starts.timestamp()), int(ends.timestamp())
