"""A check of one time reads only visits around it, and returns the same result as a query of the whole day."""

import random
from datetime import date
from typing import Any

import pytest

from officepro.foundation.database import Database
from officepro.practices.setup import Setups
from officepro.scheduling.diary import Diary, Wanted, open_diary
from officepro.scheduling.openings import choose_room
from officepro.scheduling.questions import Together
from officepro.scheduling.wall_clock import resolve
from tests.scheduling.test_slots import next_monday
from tests.world import Office

DAYS = 12

VISITS = """
    INSERT INTO visit (practice_id, patient_id, provider_id, room_id, needs_room, visit_type, status, starts_at,
                       ends_at, provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
    SELECT $1, 1001, $2, $3, true, 'FOLLOWUP', 'booked', at, ends, at, ends,
           at - make_interval(mins => $6), ends + make_interval(mins => $7)
    FROM (SELECT at, at + make_interval(mins => $5) AS ends
          FROM (SELECT ($4::text::timestamp) AT TIME ZONE $8 AS at) AS start) AS span
    ON CONFLICT DO NOTHING
"""


@pytest.fixture
def visits(straight_database: Database) -> Together:
    return Together(straight_database)


@pytest.mark.parametrize("seed", range(DAYS))
async def test_a_time_and_its_room_are_found_alike(demo_office: Office, visits: Together, seed: int) -> None:
    chance = random.Random(seed)
    monday, practice_id, setups = date.fromisoformat(next_monday()), demo_office.practice_id, Setups()
    before, after = chance.choice([0, 15, 240]), chance.choice([0, 10, 240])
    await demo_office.house.owner.execute(
        """
        WITH longer AS (
            UPDATE visit_type SET buffer_before_minutes = $2, buffer_after_minutes = $3
            WHERE practice_id = $1 AND visit_type = 'Consult')
        UPDATE practice_setup SET version = version + 1 WHERE practice_id = $1
        """,
        practice_id,
        before,
        after,
    )
    for _ in range(25):
        starts = f"{monday} {chance.randrange(7, 20):02}:{chance.choice([0, 15, 30, 45]):02}"
        await demo_office.house.owner.execute(
            VISITS,
            practice_id,
            chance.choice([1, 2]),
            chance.choice([101, 102]),
            starts,
            chance.choice([15, 45, 90]),
            chance.choice([0, 0, 30, 240]),
            chance.choice([0, 0, 30, 240]),
            demo_office.time_zone,
        )
    asked: dict[str, Any] = {"provider_ids": [1], "first": monday, "days": 1, "visit_type": "Consult"}

    outcomes = set()
    for duration in (15, 60, 120):
        whole = await open_diary(visits, setups, practice_id, Wanted(**asked, longest=duration))
        for minute_of_day in range(7 * 60, 19 * 60, 15):
            wanted = Wanted(**asked, longest=duration, minute_of_day=minute_of_day)
            narrow = await open_diary(visits, setups, practice_id, wanted)
            start = resolve(whole.setup.zone, monday, minute_of_day)
            assert len(narrow.busy.booked[1]) <= len(whole.busy.booked[1])
            outcome = found_in(narrow, duration, start)
            assert outcome == found_in(whole, duration, start), (duration, minute_of_day)
            outcomes.add(repr(outcome))
    assert len(outcomes) > 2  # some free, some refused, for different reasons


def found_in(diary: Diary, duration: int, start: int) -> tuple[list[str], list[int]]:
    """Return the reasons of a refusal, and the free rooms, best first."""
    visit = diary.visit(duration)
    rooms = diary.rooms()
    assert rooms is not None
    return list(diary.refuses(visit, start)), choose_room(diary.window, visit, start, rooms)
