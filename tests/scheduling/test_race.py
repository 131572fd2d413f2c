"""No time is booked twice under concurrency. (PROOF.md, row 1; at full size in tests/chaos/)"""

from tests.scheduling.conftest import Track


async def test_in_a_race_of_64_nobody_gets_a_time_that_somebody_else_has(track: Track) -> None:
    verdict = await track.race(attempts=2000)

    assert verdict.answers["book 201"] > 100, verdict
    assert verdict.answers["book 409"] > 100, verdict
    assert verdict.overlaps == verdict.gaps == verdict.unlogged == 0, verdict
    assert (verdict.lost, verdict.groundless, verdict.failures) == ([], [], []), verdict


async def test_the_control_without_the_constraints_two_get_the_same_time(track: Track) -> None:
    """Control: if this passed without overlaps, the test above would prove nothing."""
    await track.owner.execute("ALTER TABLE visit DROP CONSTRAINT visit_provider_free, DROP CONSTRAINT visit_room_free")
    verdict = await track.race(attempts=1000)

    assert verdict.overlaps > 0, verdict
