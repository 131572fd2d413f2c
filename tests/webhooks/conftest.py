"""A worker for each test, stepped by hand or left running, and an endpoint."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from officepro.settings import Settings
from officepro.webhooks.dispatcher import Dispatcher, dispatcher
from tests.webhooks.receivers import Receiver, receiving


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[Dispatcher]:
    async with dispatcher(settings) as worker:
        yield worker


@pytest.fixture
async def running(worker: Dispatcher) -> AsyncIterator[Dispatcher]:
    """The same, which goes on by itself: for requests that wait for what it sends."""
    stop = asyncio.Event()
    life = asyncio.create_task(worker.live(stop, 1.0))
    yield worker
    stop.set()
    await life


@pytest.fixture
async def another_worker(settings: Settings) -> AsyncIterator[Dispatcher]:
    async with dispatcher(settings) as worker:
        yield worker


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def other_receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver
