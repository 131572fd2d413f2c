"""`officepro serve` is told to stop while it works: nobody who was sent to it goes without an answer."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.activity.test_every_disclosing_route import visit
from tests.chaos.instances import Balancer, Connection, Instance, instances
from tests.world import Office

UNREADY_SECONDS = 1


@pytest.fixture
async def instance(demo_office: Office, tmp_path: Path) -> AsyncIterator[Instance]:
    settings = demo_office.house.settings.but(workers="1", unready_seconds=str(UNREADY_SECONDS), drain_seconds="5")
    async with instances(settings, tmp_path, 1) as [one]:
        yield one


async def test_told_to_stop_it_sends_callers_away_answers_who_is_inside_and_ends(
    demo_office: Office, instance: Instance
) -> None:
    token, owner = await demo_office.token(), demo_office.house.owner
    body = json.dumps(visit(demo_office)).encode()
    async with Connection.opened(instance.port) as idle, Connection.opened(instance.port) as working:
        assert (await idle.get(f"{demo_office.path}/tags", token))[0] == 200
        async with owner.transaction():  # in which a booking waits for its turn
            await owner.execute("SELECT FROM log_head WHERE practice_id = $1 FOR UPDATE", demo_office.practice_id)
            booking = asyncio.create_task(working.ask("POST", f"{demo_office.path}/visits/book", token, body))
            await asyncio.sleep(0.3)

            instance.send(signal.SIGTERM)
            await asyncio.sleep(0.3)
            async with Connection.opened(instance.port) as one_who_has_not_heard:
                status, told = await one_who_has_not_heard.get("/readyz")
            assert (status, json.loads(told)["missing"]) == (503, ["this process is shutting down"])
            assert (await idle.get(f"{demo_office.path}/tags", token))[0] == 200
            assert idle.is_to_close
            await asyncio.sleep(UNREADY_SECONDS)
            with pytest.raises(OSError, match="Connect"):
                await Connection.open(instance.port)
            assert not booking.done()

        assert (await booking)[0] == 201
    assert instance.process is not None
    assert await asyncio.wait_for(instance.process.wait(), 10) == 0, instance.log()


async def test_its_workers_are_replaced_without_a_word(demo_office: Office, instance: Instance) -> None:
    before = instance.workers()
    balancer = Balancer([instance], f"{demo_office.path}/tags", await demo_office.token())
    async with balancer.loading(clients=8):
        instance.send(signal.SIGHUP)
        async with asyncio.timeout(30):
            while len(after := instance.workers()) != 1 or after == before:  # noqa: ASYNC110 -- processes tell nobody
                await asyncio.sleep(0.1)

    assert balancer.answers.keys() == {200}
    assert balancer.failures == []
