"""Webhook benchmarks: one worker process and a sink. Each measurement has its own database.

deliveries   a backlog is delivered over 100 queues, compared with a bare aiohttp client before and after (baseline C)
receipt      from commit to receipt, at 200 events a second
idle         the cost of an idle worker, with 1,000 practices that have a subscription each
"""

import asyncio
import base64
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psycopg

from benchmarks.bare_client import body
from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations.run import migrate
from officepro.settings import Key
from officepro.webhooks.sealing import Sealer
from officepro.webhooks.signing import make_secret

PRACTICES, SUBSCRIPTIONS_EACH = 50, 2  # 100 queues, the number of requests that the bare client has in flight
BACKLOG_PER_SECOND = 20_000  # deliveries: more than can be sent
WARM_UP_SECONDS = 1.5
RECEIPT_RATE, RECEIPT_PRACTICES = 200, 20
QUIET_PRACTICES = 1000
SETTLING_SECONDS = 15.0  # a starting worker runs maintenance jobs, whose statistics are delayed
LEAST_IDLE_SECONDS = 20.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
SECRET = os.urandom(32)

AIM_DELIVERIES, AIM_MEGABYTES = 0.60, 120
AIM_P50, AIM_P99 = 100, 500
AIM_QUERIES, AIM_CORE = 5.0, 0.02


@dataclass
class Hooks:
    """A database with practices that have subscriptions, and the sink that receives their webhooks."""

    server: EmbeddedServer
    database: str
    folder: Path
    sink: str

    @property
    def url(self) -> str:
        """Return the database's URL for its owner."""
        return self.server.url(self.database)

    def furnish(self, practices: int, subscriptions_each: int) -> None:
        """Insert practices with subscriptions."""
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute(
                """
                WITH made AS (
                    INSERT INTO practice (practicepass, name, time_zone)
                    SELECT 'Hooks' || n, 'Hooks', 'UTC' FROM generate_series(1, %s) AS n RETURNING practice_id)
                INSERT INTO log_head (practice_id) SELECT practice_id FROM made
                """,
                (practices,),
            )
            db.execute("INSERT INTO partner (company) VALUES ('Hooks')")
            db.execute(
                """
                WITH key AS (
                    INSERT INTO api_key (partner_id, practice_id, name, scopes, secret_sha256)
                    SELECT partner_id, practice_id, 'key', ARRAY['Claims'], sha256(gen_random_uuid()::text::bytea)
                    FROM partner, practice, generate_series(1, %s) RETURNING api_key_id, practice_id)
                INSERT INTO webhook_subscription (api_key_id, practice_id, hook_url, scopes, secret)
                SELECT api_key_id, practice_id, %s, ARRAY['Claims'], %s FROM key
                """,
                (subscriptions_each, f"{self.sink}/hook", Sealer([Key("bench", SECRET)]).seal(make_secret())),
            )
            db.execute("VACUUM ANALYZE")

    def append_backlog(self, events_each: int) -> None:
        """Insert the events in bulk: the benchmark does not measure writers."""
        data = json.dumps(json.loads(body())["data"])
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute("UPDATE log_head SET last = %s", (events_each,))
            db.execute(
                """
                INSERT INTO log (practice_id, log_id, scope, event, entity_id, data)
                SELECT practice_id, n, 'Claims', 'claim.paid', 7, %s::jsonb
                FROM practice, generate_series(1, %s) AS n
                """,
                (data, events_each),
            )
            db.execute("VACUUM ANALYZE log, log_head")

    def value(self, query: str) -> float:
        """Return the single number that a query returns."""
        with psycopg.connect(self.url, autocommit=True) as db:
            row = db.execute(query).fetchone()
        assert row is not None
        return float(row[0])

    def arrived(self) -> tuple[int, dict[str, float]]:
        """Return the number of received deliveries, and the arrival time of each event if the sink records them."""
        connection = http.client.HTTPConnection(urlsplit(self.sink).netloc, timeout=10)
        try:
            connection.request("GET", "/")
            told = json.load(connection.getresponse())
        finally:
            connection.close()
        return told["hits"], told["arrivals"]

    def wait_for_more_than(self, hits: int) -> None:
        """Wait until the sink has received more deliveries. Raises RuntimeError after 30 s."""
        deadline = time.monotonic() + 30
        while self.arrived()[0] <= hits:
            if time.monotonic() > deadline:
                raise RuntimeError("the worker sends no deliveries")
            time.sleep(0.02)


@contextmanager
def hooks(server: EmbeddedServer, folder: Path, name: str, *, notes_arrivals: bool = False) -> Iterator[Hooks]:
    """Create the database and start the sink."""
    server.create_database(name)
    migrate(server.url(name), "officepro")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.sink", str(port), *(["--note"] if notes_arrivals else [])]
    with process(command) as sink:
        wait_for_port(port, sink)
        yield Hooks(server, name, folder, f"http://127.0.0.1:{port}")


@contextmanager
def process(command: list[str], environment: dict[str, str] | None = None) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a command, and kill it at the end."""
    running = subprocess.Popen(command, env={**os.environ, **(environment or {})})
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def wait_for_port(port: int, listener: "subprocess.Popen[bytes]") -> None:
    """Wait until the sink listens. Raises RuntimeError if it does not."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and listener.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError("the sink does not listen")


@contextmanager
def worker(world: Hooks) -> "Iterator[subprocess.Popen[bytes]]":
    """Run `officepro worker` as in production."""
    keys = "bench:" + base64.urlsafe_b64encode(SECRET).decode()
    environment = {
        "OFFICEPRO_DATABASE_URL": world.server.url(world.database, user="officepro"),
        "OFFICEPRO_DATA_DIR": str(world.folder),
        "OFFICEPRO_ADMIN_SECRET": base64.b64encode(os.urandom(32)).decode(),
        "OFFICEPRO_TOKEN_KEYS": keys,
        "OFFICEPRO_ENCRYPTION_KEYS": keys,
        "OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    with process([sys.executable, "-m", "officepro.cli", "worker"], environment) as running:
        yield running


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def megabytes(pid: int, what: str) -> float:
    """Return memory in MB. `VmRSS`: resident now; `VmHWM`: the maximum so far."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


# --- deliveries ------------------------------------------------------------------------------------------------------


def measure_deliveries(server: EmbeddedServer, folder: Path, seconds: float) -> None:
    """Measure and print the delivery rate, and its share of the bare client's."""
    with hooks(server, folder, "hooks_deliveries") as world:
        world.furnish(PRACTICES, SUBSCRIPTIONS_EACH)
        wanted = BACKLOG_PER_SECOND * (seconds + WARM_UP_SECONDS)
        world.append_backlog(round(wanted / PRACTICES / SUBSCRIPTIONS_EACH))
        before = bare_rate(world, seconds)
        rate, worker_cpu, peak = backlog_rate(world, seconds)
        after = bare_rate(world, seconds)
    bare = (before + after) / 2
    print(f"deliveries   C bare aiohttp {before:,.0f} and {after:,.0f}/s   one worker {rate:,.0f}/s")
    print(
        f"{'':12} share {rate / bare:.2f} (aim {AIM_DELIVERIES:.2f})   CPU {worker_cpu / rate * 1e6:.0f} µs each, "
        f"{worker_cpu:.0%} of a core   maximum memory {peak:.0f} MB (aim {AIM_MEGABYTES})",
        flush=True,
    )


def bare_rate(world: Hooks, seconds: float) -> float:
    """Return the rate of the bare client, in requests a second."""
    command = [sys.executable, "-m", "benchmarks.bare_client", f"{world.sink}/hook", str(seconds)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def backlog_rate(world: Hooks, seconds: float) -> tuple[float, float, float]:
    """Return deliveries a second, the worker's CPU seconds a second, and its memory in MB."""
    already = world.arrived()[0]
    with worker(world) as running:
        world.wait_for_more_than(already)
        time.sleep(WARM_UP_SECONDS)
        hits, cpu, started = world.arrived()[0], cpu_seconds(running.pid), time.perf_counter()
        time.sleep(seconds)
        more, used = world.arrived()[0] - hits, cpu_seconds(running.pid) - cpu
        took = time.perf_counter() - started
        return more / took, used / took, megabytes(running.pid, "VmHWM")


# --- receipt ---------------------------------------------------------------------------------------------------------


def measure_receipt(server: EmbeddedServer, folder: Path, seconds: float) -> None:
    """Measure and print the time from commit to receipt."""
    with hooks(server, folder, "hooks_receipt", notes_arrivals=True) as world:
        world.furnish(RECEIPT_PRACTICES, 1)
        with worker(world):
            asyncio.run(append(world, 1.0))  # warm-up
            world.wait_for_more_than(0)
            committed = asyncio.run(append(world, seconds))
            time.sleep(2)
            arrived = world.arrived()[1]
    missing = committed.keys() - arrived.keys()
    taken = sorted((arrived[event] - at) * 1000 for event, at in committed.items() if event not in missing)
    p50, p99 = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
    print(
        f"receipt      {len(committed) / seconds:,.0f} events/s   p50 {p50:.0f} ms (aim {AIM_P50})   "
        f"p99 {p99:.0f} ms (aim {AIM_P99})   longest {taken[-1]:.0f} ms   missing {len(missing)}",
        flush=True,
    )


async def append(world: Hooks, seconds: float) -> dict[str, float]:
    """Append events for `seconds`; return the commit time of each, by the same clock as the sink's."""
    committed: dict[str, float] = {}
    async with asyncpg.create_pool(world.url, min_size=4, max_size=4) as pool:
        practices = [row[0] for row in await pool.fetch("SELECT practice_id FROM practice ORDER BY practice_id")]

        async def one(practice_id: int) -> None:
            query = "SELECT append_to_log($1, 'Claims', 'claim.paid', 7, '{\"ClaimID\": 7}')"
            number = await pool.fetchval(query, practice_id)
            committed[f"evt_{practice_id}_{number}"] = time.time()

        async with asyncio.TaskGroup() as tasks:
            started = time.perf_counter()
            for number in range(round(RECEIPT_RATE * seconds)):
                await asyncio.sleep(started + number / RECEIPT_RATE - time.perf_counter())
                tasks.create_task(one(practices[number % len(practices)]))
    return committed


# --- idle ------------------------------------------------------------------------------------------------------------

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'officepro' AND datname = current_database()"
# An idle worker has no transactions of several statements, so transactions count queries.
TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"


def measure_idle(server: EmbeddedServer, folder: Path, seconds: float) -> None:
    """Measure and print the queries and CPU of an idle worker."""
    seconds = max(seconds, LEAST_IDLE_SECONDS)
    with hooks(server, folder, "hooks_idle") as world:
        world.furnish(QUIET_PRACTICES, 1)
        with worker(world) as running, psycopg.connect(world.url, autocommit=True) as watcher:
            time.sleep(SETTLING_SECONDS)
            pids = [row[0] for row in watcher.execute(BACKENDS).fetchall()]
            cpu, backends = cpu_seconds(running.pid), sum(map(cpu_seconds, pids))
            queries, started = world.value(TRANSACTIONS), time.perf_counter()
            time.sleep(seconds)
            took = time.perf_counter() - started
            own, theirs = cpu_seconds(running.pid) - cpu, sum(map(cpu_seconds, pids)) - backends
            rate = (world.value(TRANSACTIONS) - queries) / took
    print(
        f"idle         {QUIET_PRACTICES:,} practices: {rate:.1f} queries/s (aim {AIM_QUERIES:g})   worker "
        f"{own / took:.1%} of a core, its connections in the database {theirs / took:.1%} (aim {AIM_CORE:.0%})",
        flush=True,
    )


MEASUREMENTS: dict[str, Callable[[EmbeddedServer, Path, float], None]] = {
    "deliveries": measure_deliveries,
    "receipt": measure_receipt,
    "idle": measure_idle,
}
