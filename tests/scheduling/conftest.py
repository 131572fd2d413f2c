"""Fixtures of the concurrency test: a separate database, application and practice."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

import asyncpg
import psycopg
import pytest

from officepro import app as application
from officepro.door import Door
from officepro.foundation.embedded import EmbeddedServer
from officepro.settings import Settings
from tests.conftest import alive, clone
from tests.scheduling.race import Verdict, furnish, race
from tests.scheduling.test_slots import next_monday
from tests.world import House, Office, make_office

_numbers = count(1)


@dataclass
class Track:
    owner: "asyncpg.Connection[Any]"
    office: Office
    settings: Settings
    owner_url: str

    async def race(self, attempts: int) -> Verdict:
        day = date.fromisoformat(next_monday())
        return await race(self.owner, self.office, self.settings, self.owner_url, day, attempts=attempts)


@pytest.fixture
def track_database(server: EmbeddedServer, worker_id: str) -> Iterator[str]:
    name = clone(server, f"race_{worker_id}_{next(_numbers)}")
    yield name
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def track(server: EmbeddedServer, track_database: str, settings: Settings) -> AsyncIterator[Track]:
    own = settings.but(database_url=server.url(track_database, user="officepro"))
    owner = await asyncpg.connect(server.url(track_database))
    inner = application.create_inner_app(own)
    try:
        async with alive(inner), House.open(Door(inner), owner, own) as house:
            office = await make_office(house, "Race", "America/New_York")
            await furnish(owner, office)
            yield Track(owner, office, own, server.url(track_database))
    finally:
        await owner.close()
