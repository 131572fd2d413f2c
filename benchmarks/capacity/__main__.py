"""Capacity benchmark (`python -m benchmarks.capacity`): measures the cost of a call and the size of a row, simulates a
morning of 5,000 practices, and updates the tables and plots of docs/capacity.md.

`--folder` keeps the database for the next run; `--seed-only` creates it without measuring.
"""

import argparse
import asyncio
import base64
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psycopg
import uvloop
from aiohttp import web

from benchmarks.capacity import day
from benchmarks.capacity.arithmetic import Cost
from benchmarks.capacity.machine import Machine, Spent
from benchmarks.capacity.page import write_page
from benchmarks.capacity.partners import Partners
from benchmarks.capacity.seeding import clear, seed
from officepro.foundation import embedded
from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations.run import migrate
from officepro.settings import Key
from officepro.webhooks.sealing import Sealer
from officepro.webhooks.signing import make_secret

DATABASE = "officepro"
SECRET = b"only for measuring, 32 bytes long"
CALLS_OF_A_KIND = 400
AT_ONCE = 4
SETTLE_SECONDS = 1.5  # webhooks, the request log and the last use of keys are written later
HOUR_SECONDS = 4.0  # measured seconds per simulated hour, at that hour's real rate


@dataclass
class Hour:
    """Result of one simulated hour."""

    hour: int
    calls_a_second: float
    p50_ms: float
    p99_ms: float
    booking_p99_ms: float
    api_cores: float
    database_cores: float


@dataclass
class Found:
    """All results of a run."""

    practices: int
    cores: int
    workers: int
    costs: dict[str, Cost] = field(default_factory=dict)
    tables: dict[str, tuple[int, int]] = field(default_factory=dict)
    morning: list[Hour] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    deliveries: int = 0


def main() -> None:
    """Create the database, measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--practices", type=int, default=5000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed-only", action="store_true")
    parser.add_argument("--page", type=Path, default=Path(__file__).parents[2] / "docs" / "capacity.md")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="officepro-capacity-") as name:
        folder = asked.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        server = embedded.start(folder / "data")
        try:
            port = _free_port()
            key = _seeded(server, folder, asked.practices, port)
            if asked.seed_only:
                return
            with _service(server, folder) as (base, machine):
                found = Found(asked.practices, os.cpu_count() or 0, 2)
                uvloop.run(_measure(found, base, key, machine, port))
        finally:
            server.stop()
    write_page(asked.page, found)


def _seeded(server: EmbeddedServer, folder: Path, practices: int, port: int) -> str:
    """Create the database if needed; return the partner's key."""
    kept = folder / f"key-{practices}"
    server.create_database(DATABASE)
    owner_url = server.url(DATABASE)
    hooks = [f"http://127.0.0.1:{port}/{number}" for number in range(day.SUBSCRIPTIONS)]
    migrate(owner_url, "officepro")
    if not kept.exists():
        sealed = Sealer((Key("measuring", SECRET),)).seal(make_secret())
        kept.write_text(seed(owner_url, practices, hooks, sealed))
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE webhook_subscription SET hook_url = regexp_replace(hook_url, ':[0-9]+/', %s)", (f":{port}/",)
        )
        clear(connection)
        connection.execute("CHECKPOINT")
    return kept.read_text()


@contextmanager
def _service(server: EmbeddedServer, folder: Path) -> Iterator[tuple[str, Machine]]:
    keys = "measuring:" + base64.urlsafe_b64encode(SECRET).decode()
    port = _free_port()
    environment = {
        **os.environ,
        "OFFICEPRO_DATABASE_URL": server.url(DATABASE, user="officepro"),
        "OFFICEPRO_DATA_DIR": str(folder / "officepro"),
        "OFFICEPRO_ADMIN_SECRET": base64.b64encode(os.urandom(32)).decode(),
        "OFFICEPRO_TOKEN_KEYS": keys,
        "OFFICEPRO_ENCRYPTION_KEYS": keys,
        "OFFICEPRO_WORKERS": "2",
        "OFFICEPRO_PORT": str(port),
        "OFFICEPRO_RATE_LIMIT_PER_MINUTE": "10000000",  # counted, but never reached
        "OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    processes = []
    try:
        for command in ("serve", "worker"):
            with (folder / f"{command}.log").open("w") as log:
                arguments = [sys.executable, "-m", "officepro.cli", command]
                processes.append(subprocess.Popen(arguments, env=environment, stdout=log, stderr=log))
        base = f"http://127.0.0.1:{port}"
        _wait_for(base)
        postmaster = int((server.directory / "postmaster.pid").read_text().split()[0])
        yield base, Machine(processes[0].pid, processes[1].pid, postmaster, server.url(DATABASE))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(base: str) -> None:
    until = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=5)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        if time.monotonic() > until:
            raise TimeoutError("the API does not become ready; see serve.log")
        time.sleep(0.2)


@asynccontextmanager
async def _receiving(found: Found, port: int) -> AsyncIterator[None]:
    """Serve the partners' webhook endpoints."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        found.deliveries += 1
        return web.Response()

    app = web.Application()
    app.router.add_post("/{number}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def _measure(found: Found, base: str, key: str, machine: Machine, port: int) -> None:
    connections = aiohttp.TCPConnector(limit=64)
    async with _receiving(found, port), aiohttp.ClientSession(connector=connections) as session:
        partners = Partners(base, key, found.practices, session)
        await _some(partners, "book", CALLS_OF_A_KIND // 2)  # visits for the calls that move and cancel
        await asyncio.sleep(SETTLE_SECONDS)
        idle = await _idle(machine)
        for kind in day.CALLS:
            found.costs[kind] = await _cost(partners, kind, machine, idle)
            print(kind, found.costs[kind], file=sys.stderr)
        for hour in day.HOURS:
            found.morning.append(await _hour(partners, hour, machine))
            print(found.morning[-1], file=sys.stderr)
        await asyncio.sleep(SETTLE_SECONDS)
        found.failures = partners.failures
    found.tables = await asyncio.to_thread(machine.tables)


async def _idle(machine: Machine) -> Spent:
    """Return the cost of a second without calls."""
    before = machine.spent()
    await asyncio.sleep(3)
    spent = machine.spent() - before
    share = 1 / spent.seconds
    return Spent(spent.api * share, spent.worker * share, spent.database * share, int(spent.log_bytes * share), 1)


async def _cost(partners: Partners, kind: str, machine: Machine, idle: Spent) -> Cost:
    await _some(partners, kind, 20)
    await asyncio.sleep(SETTLE_SECONDS)
    partners.latencies[kind].clear()
    before = machine.spent()
    await _some(partners, kind, CALLS_OF_A_KIND)
    await asyncio.sleep(SETTLE_SECONDS)
    spent = machine.spent() - before
    latencies = sorted(partners.latencies[kind])

    def each(total: float, idle_a_second: float) -> float:
        return max(0.0, total - idle_a_second * spent.seconds) / CALLS_OF_A_KIND

    return Cost(
        api_ms=each(spent.api, idle.api) * 1000,
        worker_ms=each(spent.worker, idle.worker) * 1000,
        database_ms=each(spent.database, idle.database) * 1000,
        log_bytes=each(spent.log_bytes, idle.log_bytes),
        p50_ms=latencies[len(latencies) // 2] * 1000,
    )


async def _some(partners: Partners, kind: str, calls: int) -> None:
    async def one_after_the_other() -> None:
        for _ in range(calls // AT_ONCE):
            await partners.call(kind)

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


async def _hour(partners: Partners, hour: int, machine: Machine) -> Hour:
    partners.latencies.clear()
    rates = {kind: day.a_second(partners.practices, hour, kind) for kind in day.CALLS}
    before = machine.spent()
    await partners.spread(rates, HOUR_SECONDS)
    spent = machine.spent() - before
    every = sorted(seconds for kind in partners.latencies.values() for seconds in kind)
    bookings = sorted(partners.latencies["book"]) or [0.0]
    return Hour(
        hour=hour,
        calls_a_second=len(every) / spent.seconds,
        p50_ms=every[len(every) // 2] * 1000,
        p99_ms=every[int(len(every) * 0.99)] * 1000,
        booking_p99_ms=bookings[int(len(bookings) * 0.99)] * 1000,
        api_cores=(spent.api + spent.worker) / spent.seconds,
        database_cores=spent.database / spent.seconds,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
