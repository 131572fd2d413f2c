"""Fixtures: a worker for each test, stepped manually or running, and a receiver."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from officepro.settings import Settings
from officepro.webhooks.dispatcher import Dispatcher, dispatcher
from tests.webhooks.receivers import Receiver, receiving


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[Dispatcher]:
    """A worker that the test steps with `round` or `settle`."""
    async with dispatcher(settings) as worker:
        yield worker


@pytest.fixture
async def running(worker: Dispatcher) -> AsyncIterator[Dispatcher]:
    """The worker, running in the background, for requests that wait for a delivery's result."""
    stop = asyncio.Event()
    life = asyncio.create_task(worker.live(stop, 1.0))
    yield worker
    stop.set()
    await life


@pytest.fixture
async def another_worker(settings: Settings) -> AsyncIterator[Dispatcher]:
    """A second worker."""
    async with dispatcher(settings) as worker:
        yield worker


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on a local port."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def other_receiver() -> AsyncIterator[Receiver]:
    """A second receiver."""
    async with receiving() as receiver:
        yield receiver
