"""512 test events of one key to a receiver that never responds: calls, tests and events of other practices continue.
(PROOF.md: One caller cannot stop another)"""

import asyncio
import random
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from officepro.webhooks.dispatcher import dispatcher
from tests.chaos.instances import Connection, Instance, instances
from tests.chaos.neighbours import calls, is_unharmed
from tests.webhooks.acts import happen, sign_up, until
from tests.webhooks.receivers import receiving
from tests.world import Office

CALLERS = 512
SECONDS = 10.0


@pytest.fixture
async def instance(demo_office: Office, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Instance]:
    """One API instance, with the file limit raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        async with instances(demo_office.house.settings.but(workers="1"), tmp_path, 1, request.param) as [one]:
            yield one
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def hang(_: web.Request) -> web.StreamResponse:
    """Never respond."""
    await asyncio.sleep(3600)
    raise AssertionError


async def send_tests(instance: Instance, token: str, end: float, answers: Counter[int]) -> None:
    """Send test events over one connection, one shortly after the response to the previous one."""
    connection = None
    try:
        while time.monotonic() < end:
            with suppress(OSError, EOFError):
                if connection is None or connection.is_gone:
                    if connection is not None:
                        connection.close()
                    connection = await Connection.open(instance.port)
                answers[(await connection.ask("POST", "/v1/webhooks/test", token))[0]] += 1
            await asyncio.sleep(random.uniform(0.5, 1.5))
    finally:
        if connection is not None:
            connection.close()


@pytest.mark.chaos
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("instance", "is_bounded"),
    [("officepro.cli", True), ("tests.chaos.unbounded_tests", False)],
    indirect=["instance"],
    ids=["bounded", "the control: no bounds"],
)
async def test_hanging_tests_of_one_key_stop_nobody_else(
    demo_office: Office,
    berlin_office: Office,
    instance: Instance,
    capsys: pytest.CaptureFixture[str],
    is_bounded: bool,
) -> None:
    path, token = f"{berlin_office.path}/tags", await berlin_office.token()
    async with receiving(answer=hang) as hanging, receiving() as well, dispatcher(demo_office.house.settings) as worker:
        await sign_up(demo_office, hanging)
        await sign_up(berlin_office, well)
        stop = asyncio.Event()
        life = asyncio.create_task(worker.live(stop, 1.0))
        await calls(instance, path, token, 1)
        _, calm = await calls(instance, path, token, 3)
        attacker, tests = await demo_office.token(), Counter[int]()
        end = time.monotonic() + SECONDS
        attack = [asyncio.create_task(send_tests(instance, attacker, end, tests)) for _ in range(CALLERS)]
        answers, busy = await calls(instance, path, token, SECONDS / 2)
        await happen(berlin_office, 5)
        async with Connection.opened(instance.port) as connection:
            own = await connection.ask("POST", "/v1/webhooks/test", token)
        with capsys.disabled():
            print(  # noqa: T201 -- result of the drill
                f"\ncalm p99 {calm * 1000:.1f} ms; beside hanging tests {busy * 1000:.1f} ms, {dict(answers)}; "
                f"the tests so far: {dict(tests)}"
            )
        if is_bounded:
            await until(lambda: len(well.received) == 6, 20)
        for task in attack:
            task.cancel()
        await asyncio.gather(*attack, return_exceptions=True)
        stop.set()
        await life

    if not is_bounded:
        assert answers[503] > 0
        return
    assert is_unharmed(answers, busy, calm)
    assert own[0] == 200
    assert b'"success":true' in own[1]
    assert len(hanging.received) <= 2 * 3  # two at a time, each for at most 15 s
    assert tests.keys() <= {429, 503}
