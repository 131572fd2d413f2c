"""A database whose clock can be set, and a worker's way to it."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import asyncpg
import pytest

from officepro.foundation.embedded import EmbeddedServer
from officepro.settings import Settings
from tests.conftest import ADMIN_SECRET, KEYS, clone
from tests.maintenance.shifted_clock import ShiftedClock, install

_numbers = count(1)


@pytest.fixture
async def name(server: EmbeddedServer, worker_id: str) -> AsyncIterator[str]:
    """A migrated database of its own."""
    name = await asyncio.to_thread(clone, server, f"maintained_{worker_id}_{next(_numbers)}")
    yield name
    caretaker = await asyncpg.connect(server.url("postgres"))
    await caretaker.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await caretaker.close()


@pytest.fixture
async def shifted(server: EmbeddedServer, name: str) -> AsyncIterator[ShiftedClock]:
    owner = await asyncpg.connect(server.url(name))
    yield await install(owner, name)
    await owner.close()


@pytest.fixture
def own_settings(server: EmbeddedServer, name: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.from_environment(
        {
            "OFFICEPRO_DATABASE_URL": server.url(name, user="officepro"),
            "OFFICEPRO_DATA_DIR": str(tmp_path_factory.mktemp("data")),
            "OFFICEPRO_ADMIN_SECRET": ADMIN_SECRET,
            "OFFICEPRO_TOKEN_KEYS": KEYS,
            "OFFICEPRO_ENCRYPTION_KEYS": KEYS,
            "OFFICEPRO_RATE_LIMIT_PER_MINUTE": "0",
            "OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
    )
