"""A task that nobody awaits goes on, or hands its failure to the requests that wait, whatever is raised in it."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from officepro import app as application
from officepro.access.gate import Gate
from officepro.activity import ledger as ledger_module
from officepro.foundation.database import Database
from officepro.foundation.joining import Joined
from officepro.settings import Settings
from officepro.webhooks.dispatcher import Dispatcher, dispatcher
from tests.webhooks.acts import deliveries, happen, sign_up
from tests.webhooks.receivers import receiving
from tests.world import House, Office

WITHIN_SECONDS = 5.0


class BrokenOnce:
    """A gate whose first flush fails by a fault of the code."""

    def __init__(self) -> None:
        self.flushes = 0
        self.second = asyncio.Event()

    async def flush_use(self) -> None:
        self.flushes += 1
        if self.flushes == 1:
            raise ZeroDivisionError
        self.second.set()


async def test_the_last_use_of_keys_is_written_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "USE_FLUSH_SECONDS", 0.001)
    gate = BrokenOnce()
    flushing = asyncio.create_task(application._flush_use(cast(Gate, gate)))
    async with asyncio.timeout(WITHIN_SECONDS):
        await gate.second.wait()
    flushing.cancel()
    await asyncio.gather(flushing, return_exceptions=True)


async def test_a_batch_with_too_few_results_fails_its_requests() -> None:
    async def none(wishes: Sequence[str]) -> list[str]:
        return []

    joined: Joined[str, str] = Joined(none, 4)
    async with asyncio.timeout(WITHIN_SECONDS):
        with pytest.raises(ValueError, match="zip"):
            await joined.do("wish")


async def test_a_disclosure_that_cannot_even_be_tried_fails_its_request(
    house: House, database: Database, demo_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(waiting: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ledger_module._Waiting, "as_row", broken)
    async with asyncio.timeout(WITHIN_SECONDS):
        answer = await demo_office.partner.get("/prospects")
    assert answer.status_code == 503


async def test_deliveries_whose_sending_failed_by_a_fault_of_the_code_are_given_back(
    demo_office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = Dispatcher._attempt
    failed: list[object] = []

    async def broken_once(worker: Dispatcher, item: object) -> object:
        if not failed:
            failed.append(item)
            raise ZeroDivisionError
        return await attempt(worker, item)  # type: ignore[arg-type]

    monkeypatch.setattr(Dispatcher, "_attempt", broken_once)
    async with receiving() as receiver, dispatcher(settings) as worker:
        await sign_up(demo_office, receiver)
        numbers = await happen(demo_office, 3)
        async with asyncio.timeout(WITHIN_SECONDS):
            await worker.settle()
        assert receiver.log_ids == numbers
    assert {delivery["state"] for delivery in await deliveries(demo_office)} == {"delivered"}
