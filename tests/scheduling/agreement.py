"""Comparison of slots, check and book for random practices and days: exactly the offered times are bookable.

(PROOF.md, row 2)
"""

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from officepro.foundation import clock
from tests.scheduling.racer import caller_of
from tests.world import House, Office, make_office

# Dates of offset changes: forward, back, by half an hour, at midnight, or none at all.
ZONES = {
    "America/New_York": ("2027-03-14", "2027-11-07"),
    "Europe/Berlin": ("2027-03-28", "2027-10-31"),
    "Australia/Lord_Howe": ("2027-10-03", "2027-04-04"),
    "Asia/Kathmandu": ("2027-03-14",),
    "America/Sao_Paulo": ("2027-11-07",),
    "America/Santiago": ("2027-09-05", "2027-04-04"),
    "Africa/Cairo": ("2027-04-30", "2027-10-29"),
    "Pacific/Apia": ("2027-04-04",),
}
DAYS_OF_A_PRACTICE = 4
ASKED_OF_EACH_KIND = 8  # sampled times per day: offered ones, and as many that were not offered


@dataclass
class Agreement:
    """Numbers of checks, and the disagreements found."""

    practice_days: int = 0
    offered: int = 0
    refused: int = 0
    disagreements: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.practice_days} practice-days, {self.offered} offered times booked, {self.refused} others refused, "
            f"{len(self.disagreements)} disagreements {self.disagreements[:3]}"
        )


async def agreement(house: House, monkeypatch: pytest.MonkeyPatch, practice_days: int, seed: int) -> Agreement:
    found = Agreement()
    chance = random.Random(seed)
    zones = list(ZONES)
    while found.practice_days < practice_days:
        zone = zones[(found.practice_days // DAYS_OF_A_PRACTICE) % len(zones)]
        office = await make_office(house, "Random", zone)
        call = caller_of(house.app, await office.token(), office.path)
        change = date.fromisoformat(chance.choice(ZONES[zone]))
        await _furnish(office, chance, change)
        for days in range(-2, DAYS_OF_A_PRACTICE - 2):
            day = change + timedelta(days=days)
            await _visits(office, chance, day)
            moment = datetime.combine(day, time(0), UTC) + timedelta(
                hours=chance.choice([-900, -500, -50, -30, -5, 3, 9])
            )
            with monkeypatch.context() as patch:
                patch.setattr(clock, "now", partial(_same, moment))
                await _Day(call, chance, day, found, f"{zone} {day} seed {seed}").agree()
            found.practice_days += 1
    return found


def _same(moment: datetime) -> datetime:
    return moment


class _Day:
    """One practice's day, one provider, one visit type."""

    def __init__(self, call: Any, chance: random.Random, day: date, found: Agreement, name: str) -> None:
        self.call, self.chance, self.day, self.found = call, chance, day, found
        self.provider = chance.choice([1, 2])
        self.visit_type = chance.choice(["Consult", "FOLLOWUP", "Call"])
        self.duration = chance.choice([15, 15, 20, 30, 30, 45, 60, 90, 400])
        self.name = f"{name} provider {self.provider} {self.visit_type} {self.duration}"

    async def agree(self) -> None:
        offered = (await self.ask(f"/providers/{self.provider}/slots", date=self.day))["Slots"]
        await self.others_agree(offered)
        every_minute = [f"{minute // 60:02}:{minute % 60:02}:00" for minute in range(1440)]
        grid = [at for at in every_minute if at[3:5] in ("00", "15", "30", "45", "20")]
        others = sorted(set(grid) - set(offered))
        for at in self.chance.sample(offered, min(len(offered), ASKED_OF_EACH_KIND)):
            await self.is_bookable(at, offered=True)
        for at in self.chance.sample(others, min(len(others), ASKED_OF_EACH_KIND)):
            await self.is_bookable(at, offered=False)
        if offered:
            await self.book_for_good(self.chance.choice(offered))

    async def others_agree(self, offered: list[str]) -> None:
        following = (await self.ask(f"/providers/{self.provider}/next-slot", fromDate=self.day, maxDays=1))[
            "TheNextSlot"
        ]
        self.must_be(following and following["Time"], offered[0] if offered else None, "next-slot")
        spanned = await self.ask(
            "/slots", startDate=self.day - timedelta(days=1), endDate=self.day, providerId=self.provider
        )
        shown = [slot["Time"] for slot in spanned["Slots"] if slot["Date"] == self.day.isoformat()]
        self.must_be(shown, offered, "slots over all")

    async def is_bookable(self, at: str, *, offered: bool) -> None:
        query = urlencode({"date": self.day, "time": at, **self.wanted})
        status, checked = await self.call("GET", f"/availability/providers/{self.provider}/check?{query}", None)
        self.must_be(status == 200 and checked["data"]["Available"], offered, f"check {at} {checked}")
        status, answer = await self.call("POST", "/visits/book?dryRun=true", self.body(at))
        due = (200,) if offered else (409, 422)
        self.must_be(status in due, True, f"book {at} {status} {json.dumps(answer)[:300]}")
        if offered:
            self.found.offered += 1
        else:
            self.found.refused += 1
            for alternative in answer.get("alternatives", ())[:1]:
                body = {"PatientID": 1001, **alternative}
                status, other = await self.call("POST", "/visits/book?dryRun=true", body)
                self.must_be(status, 200, f"alternative {alternative} {json.dumps(other)[:300]}")

    async def book_for_good(self, at: str) -> None:
        status, answer = await self.call("POST", "/visits/book", self.body(at))
        self.must_be(status, 201, f"book for good {at} {json.dumps(answer)[:300]}")
        left = (await self.ask(f"/providers/{self.provider}/slots", date=self.day))["Slots"]
        self.must_be(at in left, False, f"{at} is offered again")

    def body(self, at: str) -> dict[str, Any]:
        return {
            "PatientID": 1001,
            "ProviderID": self.provider,
            "VisitType": self.visit_type,
            "VisitDate": self.day.isoformat(),
            "VisitTime": at,
            "VisitDuration": self.duration,
        }

    @property
    def wanted(self) -> dict[str, Any]:
        return {"visitType": self.visit_type, "duration": self.duration}

    async def ask(self, path: str, **query: Any) -> Any:
        status, answer = await self.call("GET", f"/availability{path}?{urlencode({**query, **self.wanted})}", None)
        assert status == 200, answer
        return answer["data"]

    def must_be(self, had: object, due: object, what: str) -> None:
        if had != due:
            self.found.disagreements.append(f"{self.name}: {what}: {had} instead of {due}")


async def _furnish(office: Office, chance: random.Random, change: date) -> None:
    """Insert a random practice configuration: hours, time off, extra openings, rooms, rules and buffers."""
    owner, practice = office.house.owner, office.practice_id
    await owner.execute(
        """
        UPDATE practice SET slot_minutes = $2, minimum_notice_minutes = $3, booking_horizon_days = $4
        WHERE practice_id = $1
        """,
        practice,
        chance.choice([5, 10, 15, 15, 20, 30, 60]),
        chance.choice([0, 0, 60, 600]),
        chance.choice([None, None, None, 1, 2, 90]),
    )
    await owner.execute("DELETE FROM working_hours WHERE practice_id = $1", practice)
    await owner.execute("INSERT INTO visit_type (practice_id, visit_type) VALUES ($1, 'Call')", practice)
    await owner.execute("INSERT INTO visit_type_provider SELECT $1, 'Call', generate_series(1, 2)", practice)
    if chance.random() < 0.3:
        await owner.execute("UPDATE room SET active = false WHERE practice_id = $1 AND room_id = 102", practice)
    for kind in ("Consult", "FOLLOWUP", "Call"):
        await owner.execute(
            """
            UPDATE visit_type SET buffer_before_minutes = $3, buffer_after_minutes = $4, minimum_notice_minutes = $5,
                                  booking_horizon_days = $6 WHERE practice_id = $1 AND visit_type = $2
            """,
            practice,
            kind,
            chance.choice([0, 0, 0, 5, 10, 240]),
            chance.choice([0, 0, 0, 5, 15, 240]),
            chance.choice([None, None, 0, 120]),
            chance.choice([None, None, 3]),
        )
    rows = [(practice, provider, weekday, *_span(chance)) for provider in (1, 2) for weekday in range(7)]
    await owner.executemany(
        """
        INSERT INTO working_hours (practice_id, provider_id, weekday, starts_minute, ends_minute)
        VALUES ($1, $2, $3, $4, $5)
        """,
        [row for row in rows if chance.random() < 0.9],
    )
    await owner.executemany(
        """
        INSERT INTO extra_opening (practice_id, provider_id, day, starts_minute, ends_minute)
        VALUES ($1, $2, $3, $4, $5)
        """,
        [(practice, 1, change + timedelta(days=chance.randrange(-2, 3)), *_span(chance)) for _ in range(2)],
    )
    await owner.executemany(
        "INSERT INTO time_off (practice_id, provider_id, starts_at, ends_at) VALUES ($1, $2, $3, $4)",
        [(practice, provider, *_times(chance, office, change, 300)) for provider in (1, 2)],
    )
    await owner.execute("UPDATE practice_setup SET version = version + 1 WHERE practice_id = $1", practice)


def _span(chance: random.Random) -> tuple[int, int]:
    starts = chance.choice([0, 60, 120, 480, 540, 780, 1320, chance.randrange(1440)])
    return starts, starts + chance.choice([90, 240, 480, 1440, chance.randrange(1, 1441)])


def _times(chance: random.Random, office: Office, day: date, longest: int) -> tuple[datetime, datetime]:
    midnight = datetime.combine(day, time(0), ZoneInfo(office.time_zone)).astimezone(UTC)
    starts = midnight + timedelta(minutes=chance.randrange(-120, 1560, 5), seconds=chance.choice([0, 0, 0, 30.5]))
    return starts, starts + timedelta(minutes=chance.randrange(5, longest, 5), seconds=chance.choice([0, 0, 20.25]))


async def _visits(office: Office, chance: random.Random, day: date) -> None:
    """Insert random visits as an EMR does: with seconds and across midnight. Overlapping ones are skipped."""
    rows = []
    for _ in range(chance.choice([0, 3, 12])):
        starts, ends = _times(chance, office, day, chance.choice([30, 30, 60, 60, 60, 1400]))
        held = chance.random() < 0.2
        rows.append(
            (
                office.practice_id,
                None if held else 1001,
                chance.choice([1, 2]),
                chance.choice([None, 101, 102]),
                "held" if held else chance.choice(["booked", "booked", "booked", "cancelled"]),
                starts,
                ends,
                starts - timedelta(minutes=chance.choice([0, 0, 0, 0, 10, 240])),
                ends + timedelta(minutes=chance.choice([0, 0, 0, 0, 10, 240])),
                chance.choice([-5, 300]) if held else None,
            )
        )
    await office.house.owner.executemany(
        """
        INSERT INTO visit (practice_id, patient_id, provider_id, room_id, needs_room, visit_type, status, starts_at,
                           ends_at, provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at, held_until)
        VALUES ($1, $2, $3, $4, false, 'Consult', $5, $6, $7, $6, $7, $8, $9, now() + make_interval(secs => $10))
        ON CONFLICT DO NOTHING
        """,
        rows,
    )
