"""Every offered slot can be booked, at full size: 2,400 practice-days in eight time zones. (PROOF.md, row 2)"""

import pytest

from tests.scheduling.agreement import agreement
from tests.world import House

PRACTICE_DAYS = 2400


@pytest.mark.chaos
@pytest.mark.timeout(3600)
async def test_what_is_offered_can_be_booked_and_nothing_else(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await agreement(house, monkeypatch, PRACTICE_DAYS, seed=2)

    with capsys.disabled():
        print(f"\n{found}")  # noqa: T201 -- result of the drill
    assert found.disagreements == [], found
