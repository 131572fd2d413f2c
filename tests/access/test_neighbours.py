"""One caller cannot block another at the same address, with any credentials. (PROOF.md)

The large form, with the former way of counting as control, is tests/chaos/test_neighbours.py."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.access.neighbours import recover, share_an_address
from tests.chaos.instances import Instance, instances
from tests.world import Office


@pytest.fixture
async def instance(demo_office: Office, tmp_path: Path) -> AsyncIterator[Instance]:
    async with instances(demo_office.house.settings.but(workers="2"), tmp_path, 1) as [one]:
        yield one


async def test_sixty_clients_whose_tokens_expire_together_work_again_at_once(
    demo_office: Office, instance: Instance
) -> None:
    recovery = await recover(demo_office, instance, clients=60, longest_seconds=10)

    assert len(recovery.seconds) == 60, recovery
    assert max(recovery.seconds) < 3, recovery
    assert recovery.exchanges == [1] * 60, recovery
    assert not recovery.refused


async def test_twenty_good_keys_and_an_admin_are_served_beside_clients_that_are_refused(
    demo_office: Office, instance: Instance
) -> None:
    beside = await share_an_address(demo_office, instance, good_keys=20, seconds=2)

    assert beside.refused == {}, beside
    assert beside.good["key 200"] >= 20
    assert min(beside.good["admin 200"], beside.good["sign-in 303"]) >= 1
    assert {"revoked token 401", "expired token 401", "wrong secret 429", "wrong admin secret 429"} <= set(beside.noise)
