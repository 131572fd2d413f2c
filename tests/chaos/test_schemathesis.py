"""Schemathesis on the whole OpenAPI document at full length, with a new seed each time. (PROOF.md: Bad input)"""

import asyncio
import time

import pytest
from litestar import Litestar

from tests.documentation.test_schemathesis import configuration, delete_deliveries, described_for, explore, served
from tests.world import Office

EXAMPLES_AN_OPERATION = 40


@pytest.mark.chaos
@pytest.mark.timeout(3600)
async def test_what_the_document_says_is_true_however_long_one_looks(
    inner_app: Litestar, demo_office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    await delete_deliveries(demo_office)
    described, seed = described_for(inner_app, demo_office), int(time.time())
    bearer, secret = await demo_office.token(), demo_office.house.settings.admin_secret
    async with served(inner_app) as base_url:
        how = configuration(base_url, bearer, secret, examples=EXAMPLES_AN_OPERATION, seed=seed)
        requests, faults = await asyncio.to_thread(explore, described, how)

    with capsys.disabled():
        print(f"\nseed {seed}: {dict(requests)}, {len(faults)} faults")  # noqa: T201 -- result of the drill
    assert not faults, "\n\n".join(faults)
    assert requests["STATEFUL_TESTING"] > 0
