"""The booking race at full size: 100,000 attempts, 64 concurrent. (PROOF.md, row 1)"""

import pytest

from tests.scheduling.conftest import Track, track, track_database

__all__ = ["track", "track_database"]  # fixtures

ATTEMPTS = 100_000


@pytest.mark.chaos
@pytest.mark.timeout(1800)
async def test_of_a_hundred_thousand_attempts_none_gets_a_time_that_somebody_else_has(
    track: Track,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdict = await track.race(attempts=ATTEMPTS)
    with capsys.disabled():
        print(f"\n{verdict}")  # noqa: T201 -- result of the drill

    assert verdict.overlaps == verdict.gaps == verdict.unlogged == 0, verdict
    assert (verdict.lost, verdict.groundless, verdict.failures) == ([], [], []), verdict
