"""Rolling restart: one instance after another is stopped and started under load. (PROOF.md: Deploys lose nothing)"""

from pathlib import Path

import pytest

from tests.chaos.instances import Balancer, instances
from tests.world import Office

ROUNDS = 4
CLIENTS = 24


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("unready_seconds", "is_lossless"), [(2, True), (0, False)], ids=["told", "the control"])
async def test_a_rolling_restart_under_load_fails_no_request(
    demo_office: Office,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    unready_seconds: int,
    is_lossless: bool,
) -> None:
    settings = demo_office.house.settings.but(workers="2", unready_seconds=str(unready_seconds))
    async with instances(settings, tmp_path, 2) as running:
        balancer = Balancer(running, f"{demo_office.path}/prospects?search=ada", await demo_office.token())
        async with balancer.loading(CLIENTS):
            for _ in range(ROUNDS):
                for one in running:
                    assert await one.stop() == 0, one.log()
                    await one.start()

    with capsys.disabled():
        print(  # noqa: T201 -- result of the drill
            f"\nunready for {unready_seconds} s: {ROUNDS * 2} restarts, {balancer.answers.total()} answers, "
            f"{len(balancer.failures)} failures {sorted(set(balancer.failures))[:3]}"
        )
    assert balancer.answers.keys() == {200}
    assert (balancer.failures == []) == is_lossless
