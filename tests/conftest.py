"""One real PostgreSQL for all test processes, a migrated template in it, and a clone of it for each process.

With TEST_POOLED=1 (`make test-pooled`) the application works in mode pooled, through PgBouncer in transaction mode.

Every test that asks for `demo_office` or `berlin_office` gets practices of its own, so tests leave nothing behind
that another could trip over.
"""

import asyncio
import base64
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from litestar import Litestar

from officepro import app as application
from officepro.foundation import embedded
from officepro.foundation.database import Database, Mode
from officepro.foundation.embedded import EmbeddedError, EmbeddedServer
from officepro.migrations.run import migrate
from officepro.settings import Settings
from tests.pooler import Pooler
from tests.pooler import start as start_pooler
from tests.world import House, Office, make_office

IS_POOLED = os.environ.get("TEST_POOLED") == "1"
TEMPLATE = "officepro_template"
ADMIN_SECRET = "an admin secret of more than 32 bytes"
KEYS = "test:" + base64.urlsafe_b64encode(b"a signing key of more than 32 bytes!").decode()
TEMP_ROOT = "PYTEST_DEBUG_TEMPROOT"  # pytest's variable: the folder in which it makes that of the account's test runs


def pytest_configure(config: pytest.Config) -> None:
    """Give each run of root a temporary folder of its own.

    pytest keeps all runs of an account below one folder, which each run sets to 0700 at its start: PostgreSQL, which
    never works as root, could then no longer reach its files of a run that is under way."""
    if os.geteuid() == 0 and TEMP_ROOT not in os.environ:
        os.environ[TEMP_ROOT] = tempfile.mkdtemp(prefix="officepro-tests-")  # the processes of this run inherit it
        config.add_cleanup(_remove_temp_root)


def _remove_temp_root() -> None:
    shutil.rmtree(os.environ.pop(TEMP_ROOT), ignore_errors=True)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One folder for all processes of this run."""
    folder = tmp_path_factory.getbasetemp()
    return folder if worker_id == "master" else folder.parent


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    return str(getattr(request.config, "workerinput", {"workerid": "master"})["workerid"])


@pytest.fixture(scope="session")
def server(shared_folder: Path) -> Iterator[EmbeddedServer]:
    """The PostgreSQL of this run: the first process starts it and migrates the template, the last one stops it."""
    users = shared_folder / "users"
    with open(shared_folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = embedded.start(shared_folder / "data")
        if not users.exists():
            running.create_database(TEMPLATE)
            migrate(running.url(TEMPLATE), "officepro")
        users.write_text(str(int(users.read_text() or 0) + 1 if users.exists() else 1))
        fcntl.flock(lock, fcntl.LOCK_UN)
        try:
            yield running
        finally:
            fcntl.flock(lock, fcntl.LOCK_EX)
            left = int(users.read_text()) - 1
            users.write_text(str(left))
            if left == 0:
                stop_with_patience(running)


def stop_with_patience(running: EmbeddedServer) -> None:
    """On a machine that has much else to do, stopping may take longer than an operator would wait."""
    for attempt in range(3):
        try:
            running.stop()
        except EmbeddedError:
            if attempt == 2:
                raise
        else:
            return


@pytest.fixture(scope="session")
def database_name(server: EmbeddedServer, worker_id: str) -> str:
    """A clone of the template, this process's own."""
    return clone(server, f"officepro_{worker_id}")


def clone(server: EmbeddedServer, name: str) -> str:
    async def create() -> None:
        connection = await asyncpg.connect(server.url("postgres"))
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        finally:
            await connection.close()

    with open(server.directory.parent / "cloning", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        asyncio.run(create())
    return name


@pytest.fixture(scope="session")
def pooler(server: EmbeddedServer) -> Iterator[Pooler]:
    """PgBouncer before the PostgreSQL of this run, giving each transaction another session."""
    started = start_pooler(server)
    yield started
    started.stop()


class Entrance:
    """How the application comes to its database: straight, or through the pooler."""

    def __init__(self, server: EmbeddedServer, pooler: Pooler | None) -> None:
        self._server = server
        self._pooler = pooler
        self.mode = Mode.SINGLE if pooler is None else Mode.POOLED

    def url(self, database: str) -> str:
        return self._server.url(database, user="officepro") if self._pooler is None else self._pooler.url(database)


@pytest.fixture(scope="session")
def entrance(server: EmbeddedServer, request: pytest.FixtureRequest) -> Entrance:
    return Entrance(server, request.getfixturevalue("pooler") if IS_POOLED else None)


@pytest.fixture(scope="session")
def settings(entrance: Entrance, database_name: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.from_environment(
        {
            "OFFICEPRO_DATABASE_URL": entrance.url(database_name),
            "OFFICEPRO_DATABASE_MODE": entrance.mode,
            "OFFICEPRO_DATA_DIR": str(tmp_path_factory.mktemp("data")),
            "OFFICEPRO_ADMIN_SECRET": ADMIN_SECRET,
            "OFFICEPRO_TOKEN_KEYS": KEYS,
            "OFFICEPRO_ENCRYPTION_KEYS": KEYS,
            "OFFICEPRO_RATE_LIMIT_PER_MINUTE": "0",
            "OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
    )


@pytest.fixture(scope="session")
def straight(settings: Settings, server: EmbeddedServer, database_name: str) -> Settings:
    """Without a pooler, for what is told of a single server's sessions."""
    return settings.but(database_url=server.url(database_name, user="officepro"), database_mode="single")


@pytest.fixture
async def straight_database(straight: Settings) -> AsyncIterator[Database]:
    """Such a way to the database, of the test's own."""
    database = await Database.connect(straight.database_url, pool_size=4)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def owner(server: EmbeddedServer, database_name: str) -> AsyncIterator[asyncpg.Connection]:
    """The superuser, who sees past every wall: for setting up a world and for looking behind the API's back."""
    connection = await asyncpg.connect(server.url(database_name))
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def inner_app(settings: Settings) -> AsyncIterator[Litestar]:
    app = application.create_inner_app(settings)
    async with alive(app):
        yield app


@asynccontextmanager
async def alive(app: Litestar) -> AsyncIterator[None]:
    """The application's lifespan, entered and left in one task of its own, as a server does it."""
    started, finished = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await finished.wait()

    life = asyncio.create_task(live())
    await asyncio.wait([life, asyncio.create_task(started.wait())], return_when=asyncio.FIRST_COMPLETED)
    if life.done():
        life.result()
    try:
        yield
    finally:
        finished.set()
        await life


@pytest.fixture(scope="session")
async def house(inner_app: Litestar, owner: asyncpg.Connection, settings: Settings) -> AsyncIterator[House]:
    """The application as its callers meet it, in this process."""
    async with House.open(application.enclose(inner_app), owner, settings) as house:
        yield house


@pytest.fixture(scope="session")
def database(inner_app: Litestar) -> Database:
    """The application's own way to the database, with its walls."""
    found: Database = inner_app.state.database
    return found


@pytest.fixture
async def demo_office(house: House) -> Office:
    """A practice in New York."""
    return await make_office(house, "DemoOffice", "America/New_York")


@pytest.fixture
async def berlin_office(house: House) -> Office:
    """Another practice, in Berlin, which must never show in the first one's answers."""
    return await make_office(house, "BerlinOffice", "Europe/Berlin")


os.environ.pop("OFFICEPRO_DATABASE_URL", None)
