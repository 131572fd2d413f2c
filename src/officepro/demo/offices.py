"""Configuration of the demo's practices: providers and their weeks, rooms, visit types, tags. PURE.

Weekday 0 is Monday; hours are minutes of day. Dates are relative to today.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

import msgspec

from officepro.demo.names import BERLIN, NEW_YORK, Region
from officepro.foundation.local_time import wall_clock
from officepro.scheduling.openings import ExtraHours, WeeklyHours

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY = range(6)
WEEKDAYS = range(MONDAY, SATURDAY)
ALTERNATING_WEEKS = range(-10, 28)  # relative to this week; each week has hours with its own validity


class Absence(msgspec.Struct, frozen=True):
    """Time off of a provider."""

    starts: datetime  # local time of the practice
    ends: datetime
    reason: str


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A provider of a demo practice."""

    provider_id: int
    name: str
    title: str
    specialty: str
    weekly: list[WeeklyHours]
    extra: list[ExtraHours] = []
    absences: list[Absence] = []


class VisitType(msgspec.Struct, frozen=True, kw_only=True):
    """A visit type of a demo practice."""

    visit_type: str
    duration_minutes: int
    provider_ids: list[int]
    room_ids: list[int]  # empty: no room needed
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    active: bool = True
    adults_only: bool = False
    for_prospects: bool = False  # suitable as a first visit
    share: int  # relative frequency
    complaints: tuple[str, ...]


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """A demo practice."""

    practicepass: str
    name: str
    time_zone: str
    slot_minutes: int
    region: Region
    people: int
    calendar_days: int  # days with visits before and after today
    providers: list[Provider]
    rooms: dict[int, str]
    visit_types: list[VisitType]
    tags: dict[int, str]


def demo_office(now: datetime) -> Office:
    """Return the demo practice. Jane Smith, `Consult`, its providers and rooms, patient 1001 and tag 123 are the
    examples of the source API specification."""
    return Office(
        practicepass="DemoOffice",
        name="Demo Office Dermatology & Aesthetics",
        time_zone="America/New_York",
        slot_minutes=15,
        region=NEW_YORK,
        people=300,
        calendar_days=60,
        providers=_new_york_providers(wall_clock("America/New_York", now).date()),
        rooms={
            101: "Consult Room 101", 102: "Consult Room 102", 103: "Aesthetics Suite 103", 104: "Exam Room 104",
            105: "Exam Room 105", 106: "Procedure Room 106",
        },
        visit_types=_new_york_visit_types(),
        tags={
            123: "VIP", 124: "Newsletter", 125: "Botox interest", 126: "Referred by a friend", 127: "Payment plan",
            128: "Call back",
        },
    )  # fmt: skip


def berlin_office(now: datetime) -> Office:
    """Return a second, small practice in another time zone, to demonstrate tenant isolation."""
    return Office(
        practicepass="BerlinOffice",
        name="Hautarztpraxis am Park",
        time_zone="Europe/Berlin",
        slot_minutes=15,
        region=BERLIN,
        people=40,
        calendar_days=21,
        providers=_berlin_providers(wall_clock("Europe/Berlin", now).date()),
        rooms={1: "Sprechzimmer 1", 2: "Sprechzimmer 2"},
        visit_types=[
            VisitType(
                visit_type="Erstgespräch", duration_minutes=30, provider_ids=[1, 2], room_ids=[1, 2], share=30,
                for_prospects=True, complaints=("Hautausschlag", "Muttermal prüfen", "Akne"),
            ),
            VisitType(
                visit_type="Kontrolle", duration_minutes=30, provider_ids=[1, 2], room_ids=[1, 2], share=45,
                complaints=("Verlaufskontrolle", "Befundbesprechung"),
            ),
            VisitType(
                visit_type="Hautkrebsvorsorge", duration_minutes=30, provider_ids=[1], room_ids=[1], share=25,
                buffer_after_minutes=15, adults_only=True, complaints=("Vorsorge",),
            ),
        ],
        tags={1: "Newsletter", 2: "Privat versichert"},
    )  # fmt: skip


def _new_york_providers(today: date) -> list[Provider]:
    monday = today - timedelta(days=today.weekday())
    return [
        Provider(
            provider_id=1, name="Jane Smith", title="PA-C", specialty="Aesthetics",
            weekly=_hours(WEEKDAYS, "9:00-12:00", "13:00-17:00"),
            extra=[(monday + timedelta(days=12), _minute("10:00"), _minute("14:00"))],
            absences=[_absence(monday + timedelta(days=9), "13:00", "15:00", "Training")],
        ),
        Provider(
            provider_id=2, name="Daniel Rivera", title="MD", specialty="Dermatology",
            weekly=[
                *_hours([MONDAY, TUESDAY, THURSDAY], "8:00-12:00", "13:00-16:30"),
                *_hours([WEDNESDAY], "12:00-16:00", "16:30-20:00"), *_hours([FRIDAY], "8:00-13:00"),
            ],
            absences=[_days_off(monday + timedelta(days=21), 7, "Vacation")],
        ),
        Provider(
            provider_id=3, name="Priya Patel", title="NP", specialty="Medical Dermatology",
            weekly=[
                *_hours([TUESDAY, WEDNESDAY, THURSDAY, FRIDAY], "10:00-14:00", "14:30-18:30"),
                *_hours([SATURDAY], "9:00-13:00"),
            ],
            absences=[_absence(monday + timedelta(days=15), "10:00", "12:30", "Appointment")],
        ),
        Provider(
            provider_id=4, name="Michael Chen", title="MD, FAAD", specialty="Mohs Surgery",
            weekly=[  # other hours from the fourth Monday on
                *_hours([MONDAY, WEDNESDAY], "7:00-11:30", "12:00-15:00", until=monday + timedelta(days=27)),
                *_hours([FRIDAY], "7:00-12:00", until=monday + timedelta(days=27)),
                *_hours([MONDAY, TUESDAY, WEDNESDAY], "7:30-12:00", "12:45-15:30", since=monday + timedelta(days=28)),
            ],
            absences=[_absence(monday - timedelta(days=18), "7:00", "12:00", "Conference")],
        ),
        Provider(
            provider_id=5, name="Sofia Rossi", title="LE", specialty="Skin Care",
            weekly=[
                *_hours([TUESDAY, WEDNESDAY, THURSDAY], "11:00-15:00", "16:00-20:00"), *_hours([FRIDAY], "9:00-17:00"),
            ],
            absences=[_days_off(monday - timedelta(days=14), 7, "Vacation")],
        ),
        Provider(
            provider_id=6, name="Hannah Kim", title="RN", specialty="Injectables",
            weekly=_alternating(
                monday, _hours([MONDAY, TUESDAY, WEDNESDAY], "9:00-13:00", "13:30-17:00"),
                _hours([WEDNESDAY, THURSDAY, FRIDAY, SATURDAY], "12:00-18:00"),
            ),
        ),
    ]  # fmt: skip


def _new_york_visit_types() -> list[VisitType]:
    return [
        VisitType(
            visit_type="Consult", duration_minutes=30, provider_ids=[1, 2], room_ids=[101, 102], share=22,
            for_prospects=True,
            complaints=("New patient", "Wrinkles", "Acne scars", "Rosacea", "Mole check"),
        ),
        VisitType(
            visit_type="FOLLOWUP", duration_minutes=30, provider_ids=[1, 2, 3, 4, 5, 6],
            room_ids=[101, 102, 103, 104, 105, 106], share=26,
            complaints=("Follow-up", "Wound check", "Suture removal", "Review of results"),
        ),
        VisitType(
            visit_type="Botox", duration_minutes=30, provider_ids=[1, 6], room_ids=[101, 102, 103], share=30,
            buffer_after_minutes=15, adults_only=True, complaints=("Forehead lines", "Crow's feet", "Touch-up"),
        ),
        VisitType(
            visit_type="Chemical Peel", duration_minutes=60, provider_ids=[1, 5, 6], room_ids=[103, 104], share=26,
            adults_only=True, complaints=("Glycolic peel", "TCA peel", "Melasma"),
        ),
        VisitType(
            visit_type="Skin Check", duration_minutes=15, provider_ids=[2, 3, 4], room_ids=[104, 105, 106], share=24,
            complaints=("Annual skin check", "New mole", "Itchy spot"),
        ),
        VisitType(
            visit_type="Mohs Surgery", duration_minutes=90, provider_ids=[4], room_ids=[106], share=20,
            buffer_before_minutes=15, buffer_after_minutes=15, adults_only=True,
            complaints=("Basal cell carcinoma, nose", "Squamous cell carcinoma, ear"),
        ),
        VisitType(
            visit_type="Video Visit", duration_minutes=15, provider_ids=[2, 3], room_ids=[], share=14,
            complaints=("Review of results", "Medication question"),
        ),
        VisitType(
            visit_type="Laser Hair Removal", duration_minutes=45, provider_ids=[5, 6], room_ids=[106], share=20,
            active=False, adults_only=True, complaints=("Upper lip", "Legs"),
        ),
    ]  # fmt: skip


def _berlin_providers(today: date) -> list[Provider]:
    monday = today - timedelta(days=today.weekday())
    return [
        Provider(
            provider_id=1, name="Anna Schäfer", title="Dr. med.", specialty="Dermatologie",
            weekly=[
                *_hours([MONDAY, TUESDAY, THURSDAY], "8:00-12:00", "14:00-18:00"),
                *_hours([WEDNESDAY, FRIDAY], "8:00-13:00"),
            ],
            absences=[_days_off(monday + timedelta(days=14), 5, "Urlaub")],
        ),
        Provider(
            provider_id=2, name="Lukas Weber", title="Dr. med.", specialty="Allergologie",
            weekly=_hours([TUESDAY, WEDNESDAY, THURSDAY, FRIDAY], "9:00-12:30", "13:30-16:00"),
        ),
    ]  # fmt: skip


def _hours(
    weekdays: Iterable[int], *spans: str, since: date | None = None, until: date | None = None
) -> list[WeeklyHours]:
    """Return weekly hours; each span is written as `9:00-12:00`."""
    return [(weekday, *_span(span), since, until) for weekday in weekdays for span in spans]


def _alternating(monday: date, one: list[WeeklyHours], other: list[WeeklyHours]) -> list[WeeklyHours]:
    """Return hours for alternating weeks: `one` in even weeks, counted from date 1, `other` in odd weeks."""
    weekly: list[WeeklyHours] = []
    for week in ALTERNATING_WEEKS:
        first = monday + timedelta(weeks=week)
        hours = one if first.toordinal() // 7 % 2 == 0 else other
        weekly += [(weekday, starts, ends, first, first + timedelta(days=6)) for weekday, starts, ends, _, _ in hours]
    return weekly


def _span(span: str) -> tuple[int, int]:
    starts, _, ends = span.partition("-")
    return _minute(starts), _minute(ends)


def _minute(clock_time: str) -> int:
    hours, _, minutes = clock_time.partition(":")
    return int(hours) * 60 + int(minutes)


def _absence(day: date, starts: str, ends: str, reason: str) -> Absence:
    return Absence(_at(day, _minute(starts)), _at(day, _minute(ends)), reason)


def _days_off(first: date, days: int, reason: str) -> Absence:
    return Absence(_at(first, 0), _at(first + timedelta(days=days), 0), reason)


def _at(day: date, minute_of_day: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minute_of_day)
