"""A separate installation for a drill: its PostgreSQL may be stopped, and its workers killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

from officepro.foundation import embedded
from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations.run import migrate
from officepro.settings import Settings
from officepro.webhooks.sealing import Sealer
from officepro.webhooks.signing import make_secret
from tests.chaos.instances import Instance, instances
from tests.conftest import ADMIN_SECRET, KEYS
from tests.world import House, Office, make_office

DATABASE = "drill"
# Granian exits if a worker crashes twice within 6 s, and leaves the restart to the supervisor.
KILL_EVERY_SECONDS = 7.0


@dataclass
class Drill:
    """PostgreSQL server, environment and worker processes of one drill."""

    server: EmbeddedServer
    environment: dict[str, str]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def owner_url(self) -> str:
        """Return the database URL of the owner role."""
        return self.server.url(DATABASE)

    def start_worker(self, module: str = "officepro.cli") -> subprocess.Popen[bytes]:
        """Start a worker process."""
        command = [sys.executable, "-m", module, "worker"]
        worker = subprocess.Popen(command, env={**os.environ, **self.environment}, stderr=subprocess.DEVNULL)
        self.workers.append(worker)
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """Kill a worker process with SIGKILL."""
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.workers.remove(worker)

    def crash_database(self) -> None:
        """Crash and restart PostgreSQL, as after a power failure."""
        self.server._control("stop", "--mode=immediate", "--wait")
        self.server.launch()

    async def wait_for_no_commit(self) -> None:
        """Acknowledge commits before they are durable, as the control of crash drills."""
        owner = await asyncpg.connect(self.owner_url)
        await owner.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        await owner.execute("SELECT pg_reload_conf()")
        await owner.execute(f"ALTER ROLE officepro IN DATABASE {DATABASE} SET synchronous_commit = off")
        await owner.close()

    async def subscribe(self, practice: str, url: str) -> int:
        """Create the practice if needed, and a key with a subscription to its claims."""
        settings = Settings.from_environment(self.environment)
        sealed = Sealer(settings.encryption_keys).seal(make_secret())
        owner = await asyncpg.connect(self.owner_url)
        try:
            practice_id: int = await owner.fetchval(
                """
                INSERT INTO practice (practicepass, name, time_zone) VALUES ($1, $1, 'UTC')
                ON CONFLICT (practicepass) DO UPDATE SET name = excluded.name RETURNING practice_id
                """,
                practice,
            )
            await owner.execute("INSERT INTO log_head VALUES ($1) ON CONFLICT DO NOTHING", practice_id)
            await owner.execute(
                """
                WITH partner AS (INSERT INTO partner (company) VALUES ('a partner') RETURNING partner_id), key AS (
                    INSERT INTO api_key (partner_id, practice_id, name, scopes, secret_sha256)
                    SELECT partner_id, $1, 'key', ARRAY['Claims'], sha256(gen_random_uuid()::text::bytea)
                    FROM partner RETURNING api_key_id)
                INSERT INTO webhook_subscription (api_key_id, practice_id, hook_url, scopes, secret)
                SELECT api_key_id, $1, $2, ARRAY['Claims'], $3 FROM key
                """,
                practice_id,
                url,
                sealed,
            )
        finally:
            await owner.close()
        return practice_id

    async def committed(self, practice_id: int) -> list[int]:
        """Return the events in the log, against which deliveries are checked."""
        owner = await asyncpg.connect(self.owner_url)
        try:
            rows = await owner.fetch("SELECT log_id FROM log WHERE practice_id = $1 ORDER BY log_id", practice_id)
        finally:
            await owner.close()
        return [row["log_id"] for row in rows]

    async def leased(self) -> int:
        """Count deliveries in flight. Waits for a database that is starting."""
        async with asyncio.timeout(60):
            while True:
                try:
                    owner = await asyncpg.connect(self.owner_url)
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.1)
                    continue
                try:
                    number: int = await owner.fetchval("SELECT count(*) FROM webhook_delivery WHERE state = 'sending'")
                finally:
                    await owner.close()
                return number


@contextmanager
def drill(folder: Path) -> Iterator[Drill]:
    """Run a PostgreSQL with a migrated database; on exit stop it and its workers."""
    server = embedded.start(folder / "data")
    try:
        server.create_database(DATABASE)
        migrate(server.url(DATABASE), "officepro")
        environment = {
            "OFFICEPRO_DATABASE_URL": server.url(DATABASE, user="officepro"),
            "OFFICEPRO_DATA_DIR": str(folder / "officepro"),
            "OFFICEPRO_ADMIN_SECRET": ADMIN_SECRET,
            "OFFICEPRO_TOKEN_KEYS": KEYS,
            "OFFICEPRO_ENCRYPTION_KEYS": KEYS,
            "OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        running = Drill(server, environment)
        try:
            yield running
        finally:
            for worker in list(running.workers):
                running.kill(worker)
    finally:
        server.stop()


@asynccontextmanager
async def standing(
    server: Drill, folder: Path, practices: int
) -> AsyncIterator[tuple[Instance, list[Office], dict[str, str]]]:
    """Run an instance with two workers, and practices with access tokens of all scopes."""
    environment = {
        **server.environment,
        "OFFICEPRO_RATE_LIMIT_PER_MINUTE": "0",
        "OFFICEPRO_TRUSTED_PROXIES": "127.0.0.1/32",
        "OFFICEPRO_WORKERS": "2",
    }
    settings = Settings.from_environment(environment)
    os.makedirs(folder, exist_ok=True)
    async with instances(settings, folder, 1) as [instance]:
        owner = await asyncpg.connect(server.owner_url)
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{instance.port}") as stranger:
                house = House(None, owner, settings, stranger, stranger)  # type: ignore[arg-type]  # another server
                offices = [await make_office(house, "Drill", "UTC") for _ in range(practices)]
                tokens = {office.practicepass: await office.token() for office in offices}
        finally:
            await owner.close()
        yield instance, offices, tokens
