"""Book accepts exactly the times that slots, check and next-slot offer. (PROOF.md, row 2)"""

from dataclasses import replace

import pytest

from officepro.practices.setup import Provider
from officepro.scheduling.diary import Diary
from officepro.scheduling.openings import StartTimes, Visit, start_times
from tests.scheduling.agreement import DAYS_OF_A_PRACTICE, ZONES, agreement
from tests.world import House

PRACTICE_DAYS = len(ZONES) * DAYS_OF_A_PRACTICE


async def test_what_is_offered_can_be_booked_and_nothing_else(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await agreement(house, monkeypatch, PRACTICE_DAYS, seed=1)

    assert found.disagreements == [], found
    assert found.offered > 2 * PRACTICE_DAYS, found
    assert found.refused > PRACTICE_DAYS, found


async def test_the_control_where_slots_forget_what_is_taken_they_disagree(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: if this found no disagreement, the test above would prove nothing."""
    monkeypatch.setattr(Diary, "starts", _starts_where_nothing_is_taken)
    found = await agreement(house, monkeypatch, PRACTICE_DAYS // 2, seed=1)

    assert found.disagreements, found


def _starts_where_nothing_is_taken(diary: Diary, visit: Visit) -> list[tuple[Provider, StartTimes]]:
    free = [(one, replace(diary.calendar(one), busy=(), held=())) for one in diary.providers]
    return [
        (one, start_times(diary.window, visit, diary.period(), calendar, diary.roomless(visit)))
        for one, calendar in free
    ]
