"""Effect of five harmful endpoints on a healthy one in the same practice. (PROOF.md)

Measured alone and beside them alternately, each time with a new worker and a new practice, so that other load of the
machine affects both. The result is the median of the ratios of the p99 from commit to receipt.
"""

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import asyncpg
import pytest
from aiohttp import web

from tests.chaos.drill import Drill, drill
from tests.webhooks.receivers import Receiver, receiving

APPEND = "SELECT append_to_log($1, 'Claims', 'claim.paid', 7, '{\"ClaimID\": 7}')"
RATE = 50  # events a second
PAIRS = 3
WARM_UP_SECONDS = 7  # the first retries, after 5 s ± 20 %, have started
MEASURED_SECONDS = 10
MOST_RISE = 1.2
CONTROL = "tests.chaos.shared_senders"
CONTROL_SECONDS = 3
LONGEST_WAIT_SECONDS = 10.0


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """A separate installation for each test."""
    with drill(tmp_path_factory.mktemp("drill")) as running:
        yield running


@pytest.mark.chaos
@pytest.mark.timeout(400)
async def test_poisonous_endpoints_harm_no_healthy_one(house: Drill) -> None:
    alone, beside = [], []
    for number in range(PAIRS):
        alone.append(await p99(house, f"Alone{number}", []))
        with poisonous() as urls:
            beside.append(await p99(house, f"Beside{number}", urls))
    ratios = [after / before for before, after in zip(alone, beside, strict=True)]
    rise, noise = statistics.median(ratios), max(alone) / min(alone)
    print(f"healthy p99 alone {_milliseconds(alone)}, beside five poisonous {_milliseconds(beside)}: "  # noqa: T201
          f"× {rise:.2f} in the median; alone it differs by × {noise:.2f}")  # fmt: skip
    assert rise <= MOST_RISE


@pytest.mark.chaos
@pytest.mark.timeout(200)
async def test_where_endpoints_share_their_senders_the_drill_finds_it(house: Drill) -> None:
    """The control: two hanging endpoints occupy both senders for 15 s each time."""
    alone = await p99(house, "ControlAlone", [], CONTROL, CONTROL_SECONDS)
    with poisonous() as urls:
        beside = await p99(house, "ControlBeside", urls, CONTROL, CONTROL_SECONDS)

    print(f"control: healthy p99 alone {_milliseconds([alone])}, beside {_milliseconds([beside])}")  # noqa: T201
    assert beside > 10 * MOST_RISE * alone


def _milliseconds(each: list[float]) -> str:
    return ", ".join(f"{seconds * 1000:.0f}" for seconds in each) + " ms"


@contextlib.contextmanager
def poisonous() -> Iterator[list[str]]:
    """Run the harmful endpoints in their own process, so that their own load is not measured."""
    process = subprocess.Popen([sys.executable, "-m", "tests.chaos.poison"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


async def p99(
    house: Drill, practice: str, others: list[str], worker: str = "officepro.cli", seconds: int = MEASURED_SECONDS
) -> float:
    """Return the p99 from commit to receipt at a healthy endpoint in seconds, with its own worker and practice."""
    async with receiving() as healthy:
        practice_id = await house.subscribe(practice, healthy.url)
        running = house.start_worker(worker)
        try:
            await latencies(house, practice_id, healthy, 1)
            for url in others:
                await house.subscribe(practice, url)
            await latencies(house, practice_id, healthy, WARM_UP_SECONDS)
            measured = sorted(await latencies(house, practice_id, healthy, seconds))
        finally:
            house.kill(running)  # before its receiver stops
            await forget(house)
    return measured[int(len(measured) * 0.99)]


async def forget(house: Drill) -> None:
    """Delete the data of a run before the next one."""
    owner = await asyncpg.connect(house.owner_url)
    try:
        await owner.execute(
            """
            DELETE FROM webhook_subscription;
            UPDATE webhook_delivery SET state = 'cancelled', due_at = NULL, leased_by = NULL
            WHERE state IN ('queued', 'pending', 'sending');
            UPDATE dispatch_state SET next_due_at = NULL
            """
        )
    finally:
        await owner.close()


async def latencies(house: Drill, practice_id: int, receiver: Receiver, seconds: int) -> list[float]:
    """Return the seconds from commit to receipt; for missing events, until now."""
    arrived: dict[int, float] = {}

    async def note(request: web.Request) -> web.StreamResponse:
        arrived[receiver.received[-1][1]["logId"]] = time.monotonic()
        return web.Response()

    receiver.answer = note
    committed = {}
    connection = await asyncpg.connect(house.owner_url)
    try:
        for _ in range(RATE * seconds):
            number = await connection.fetchval(APPEND, practice_id)
            committed[number] = time.monotonic()
            await asyncio.sleep(1 / RATE)
    finally:
        await connection.close()
    until = time.monotonic() + LONGEST_WAIT_SECONDS
    while committed.keys() - arrived.keys() and time.monotonic() < until:  # noqa: ASYNC110 -- the receiver has no event
        await asyncio.sleep(0.05)
    return [arrived.get(number, time.monotonic()) - at for number, at in committed.items()]
