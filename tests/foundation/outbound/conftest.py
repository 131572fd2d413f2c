"""A client with a short deadline."""

from collections.abc import AsyncIterator

import pytest_asyncio

from officepro.foundation.outbound.client import OutboundClient
from tests.foundation.outbound.receivers import DEADLINE_SECONDS, LOCAL


@pytest_asyncio.fixture
async def client() -> AsyncIterator[OutboundClient]:
    async with OutboundClient(LOCAL, deadline_seconds=DEADLINE_SECONDS) as client:
        yield client
