"""A caller that sends bulks of bad rows again and again, beside another practice's caller, on one worker."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.chaos.instances import Connection, Instance, instances
from tests.world import Office

BULKS_IN_FLIGHT = 3
MOST_WORK_SECONDS = (
    0.06  # of the worker's processor, while another's call waits; 15 ms were measured, 0.5 ms without bulks
)
LEAST_SECONDS = 0.01  # a calm p99 of less is taken as this: ten times of it is a machine's own noise
ROWS = [
    {"VendorCode": "V", "ProductCode": f"P{number}", "Product": "A product", "RetailPrice": -1, "Cost": "1.005"}
    for number in range(10_000)
]


@dataclass
class Calls:
    """What the calls of one caller took, in seconds: by the clock, and of the worker's processor meanwhile."""

    took: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)]


def worked(instance: Instance) -> float:
    """Seconds of the processor that the workers have had. (proc(5): schedstat)"""
    threads = (thread for pid in instance.workers() for thread in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


async def called(office: Office, instance: Instance, number: int) -> Calls:
    """Every answer is 200."""
    token, calls = await office.token(), Calls()
    async with Connection.opened(instance.port) as connection:
        for _ in range(number):
            before, began = worked(instance), time.perf_counter()
            status, _ = await connection.get(f"{office.path}/tags", token)
            calls.took.append(time.perf_counter() - began)
            calls.work.append(worked(instance) - before)
            assert status == 200
    return calls


@asynccontextmanager
async def bulks(office: Office, port: int) -> AsyncIterator[Counter[int]]:
    """While it lasts, so many bulks are in flight. The counter has the statuses of their answers."""
    body, token, answered = json.dumps({"products": ROWS}).encode(), await office.token(), Counter[int]()

    async def send() -> None:
        async with Connection.opened(port) as connection:
            while True:
                answered[(await connection.ask("POST", "/v1/products", token, body))[0]] += 1

    sending = [asyncio.create_task(send()) for _ in range(BULKS_IN_FLIGHT)]
    try:
        await asyncio.sleep(0.3)
        yield answered
    finally:
        for task in sending:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def calm_and_beside_bulks(
    noisy: Office, quiet: Office, folder: Path, number: int, calm_number: int, module: str = "officepro.cli"
) -> tuple[Calls, Calls]:
    """The quiet one's calls: `calm_number` of them alone, `number` beside bulks."""
    settings = quiet.house.settings.but(workers="1")
    async with instances(settings, folder, 1, module) as [one]:
        await called(quiet, one, 20)
        calm = await called(quiet, one, calm_number)
        async with bulks(noisy, one.port) as answered:
            beside = await called(quiet, one, number)
        assert set(answered) <= {400}
    return calm, beside


@pytest.mark.parametrize(
    ("module", "number"),
    [("officepro.cli", 50), ("tests.products.without_slices", 8)],
    ids=["as it is", "the control"],
)
async def test_bad_bulks_of_one_practice_hold_up_no_other(
    demo_office: Office, berlin_office: Office, tmp_path: Path, module: str, number: int
) -> None:
    """By the work that is done before another's call is answered: how long that takes is the machine's affair here."""
    _, beside = await calm_and_beside_bulks(demo_office, berlin_office, tmp_path, number, 0, module)

    if module == "officepro.cli":
        assert p99(beside.work) < MOST_WORK_SECONDS
    else:
        assert max(beside.work) > MOST_WORK_SECONDS


@pytest.mark.chaos
async def test_beside_bad_bulks_calls_take_at_most_ten_times_as_long(
    demo_office: Office, berlin_office: Office, tmp_path: Path
) -> None:
    calm, beside = await calm_and_beside_bulks(demo_office, berlin_office, tmp_path, 1000, 1000)

    assert p99(beside.took) <= 10 * max(p99(calm.took), LEAST_SECONDS)
