"""A caller cannot block another one at the same IP address, whatever credentials it sends: 300 clients whose tokens
expire in the same second, and 60 valid keys beside every kind of invalid credential. (PROOF.md)

The control counts failures per address before the credential is checked, and must fail both.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.access.neighbours import recover, share_an_address
from tests.chaos.instances import Instance, instances
from tests.world import Office

AS_IT_IS, CONTROL = "officepro.cli", "tests.chaos.counting_gate"


@pytest.fixture
async def instance(demo_office: Office, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Instance]:
    """One API instance of two workers, of the module in the parameter."""
    async with instances(demo_office.house.settings.but(workers="2"), tmp_path, 1, request.param) as [one]:
        yield one


@pytest.mark.chaos
@pytest.mark.timeout(120)
@pytest.mark.parametrize("instance", [AS_IT_IS, CONTROL], indirect=True)
async def test_clients_whose_tokens_expire_together_work_again_at_once(
    demo_office: Office, instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    recovery = await recover(demo_office, instance, clients=300, longest_seconds=10)
    with capsys.disabled():
        print(f"\n{instance.module}: {recovery}")  # noqa: T201 -- result of the drill

    if instance.module == CONTROL:
        assert len(recovery.seconds) < 60
        return
    assert len(recovery.seconds) == 300
    assert max(recovery.seconds) < 5
    assert recovery.exchanges == [1] * 300
    assert {refusal.split()[0] for refusal in recovery.refused} <= {"503"}  # some of 300 at a time are shed


@pytest.mark.chaos
@pytest.mark.timeout(120)
@pytest.mark.parametrize("instance", [AS_IT_IS, CONTROL], indirect=True)
async def test_good_keys_and_an_admin_are_served_beside_wrong_credentials(
    demo_office: Office, instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = await share_an_address(demo_office, instance, good_keys=60, seconds=15)
    with capsys.disabled():
        print(f"\n{instance.module}: {beside}")  # noqa: T201 -- result of the drill

    if instance.module == CONTROL:
        assert {name.split()[0] for name in beside.refused} == {"key", "admin", "sign-in"}
        return
    assert beside.refused == {}
