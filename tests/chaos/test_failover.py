"""Repeated failure of the primary's machine under bookings and webhooks. (PROOF.md; docs/failover.md)

Each time the network fails first: for 0.5 s replication to the standbys stops, then all processes of the machine are
killed. A synchronous cluster acknowledges no write in that time. The control uses asynchronous replication, which
acknowledges such writes and loses them.

An outage is measured in two parts: until a standby accepts writes (Patroni), and from then until a booking succeeds
(officepro).
"""

import asyncio
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from officepro.app import create_inner_app
from officepro.door import Door
from officepro.migrations.run import migrate
from officepro.settings import Settings
from officepro.webhooks.sealing import Sealer
from officepro.webhooks.signing import make_secret
from tests.chaos.bookers import Bookers, Verdict
from tests.chaos.patroni import (
    ASYNCHRONOUS,
    DATABASE,
    STRICTLY_SYNCHRONOUS,
    Cluster,
    answered,
    cluster,
    free_port,
    missing,
)
from tests.conftest import ADMIN_SECRET, KEYS, alive
from tests.webhooks.receivers import Receiver, receiving
from tests.world import House, make_office

pytestmark = [pytest.mark.machines, pytest.mark.timeout(900)]

ROUNDS = ("dies", "freezes", "dies", "loses a standby", "hands over", "freezes", "dies")
WITHOUT_OUTAGE = ("loses a standby", "hands over")
PRACTICES = 4
BOOKERS = 12
QUIET_SECONDS = 4.0  # of normal load before each failure
CUT_OFF_SECONDS = 0.5  # from the failure of the network to that of the machine
OUTAGE_LIMIT_SECONDS = 25.0  # Patroni's leader lock expires after up to 20 s
OURS_LIMIT_SECONDS = 5.0  # part of it after a standby accepts writes
PAUSE_LIMIT_SECONDS = 8.0  # between two bookings, without a failure of the primary
WITHOUT_STANDBY_SECONDS = 12.0  # longer than any timeout with which a request could wait for it
SETTLE_SECONDS = 100.0  # leases of 60 s, and a retry


@dataclass
class Outage:
    """One injected failure and the time until recovery."""

    how: str
    seconds: float  # until the next booking; without an outage, the longest time between two
    without_primary_seconds: float

    @property
    def ours_seconds(self) -> float:
        """Return the part of the outage after a standby accepts writes."""
        return self.seconds - self.without_primary_seconds

    def __str__(self) -> str:
        if self.how in WITHOUT_OUTAGE:
            return f"{self.how}: {self.seconds:.1f} s"
        return f"{self.how}: {self.seconds:.1f} s ({self.ours_seconds:.1f} s after a standby took writes)"


@dataclass
class Outcome:
    """Result of a drill."""

    verdict: Verdict
    bookers: Bookers
    outages: list[Outage]
    undelivered: int  # events of the log that were not delivered
    invented: int  # delivered, but not in the log


@dataclass
class Service:
    """API processes and a worker, each as on its own machine, and their clients."""

    cluster: Cluster
    environment: dict[str, str]
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)

    def start(self, *arguments: str) -> None:
        """Start `officepro` with the given arguments."""
        name = f"{arguments[0]}{len(self.processes)}"
        environment = {**os.environ, **self.environment, "OFFICEPRO_DATA_DIR": str(self.folder / name)}
        if arguments[0] == "serve":
            port = free_port()
            environment["OFFICEPRO_PORT"] = str(port)
            self.bases.append(f"http://127.0.0.1:{port}")
        command = [sys.executable, "-m", "officepro.cli", *arguments]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    def stop(self) -> None:
        """Kill all processes."""
        for process in self.processes:
            process.kill()
            process.wait()


@asynccontextmanager
async def service(running: Cluster, folder: Path) -> AsyncIterator[Service]:
    """Run two API processes and a worker; on exit kill them."""
    await asyncio.to_thread(folder.mkdir)
    environment = {
        "OFFICEPRO_DATABASE_URL": running.url("officepro"),
        "OFFICEPRO_ADMIN_SECRET": ADMIN_SECRET,
        "OFFICEPRO_TOKEN_KEYS": KEYS,
        "OFFICEPRO_ENCRYPTION_KEYS": KEYS,
        "OFFICEPRO_RATE_LIMIT_PER_MINUTE": "0",
        "OFFICEPRO_WORKERS": "1",
        "OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    made = Service(running, environment, folder)
    try:
        for arguments in (["serve"], ["serve"], ["worker"]):
            made.start(*arguments)
        yield made
    finally:
        made.stop()


async def furnished(settings: Settings, owner: asyncpg.Connection, hook_url: str) -> Bookers:
    """Create practices, each with a key and a subscription to its visits."""
    inner = create_inner_app(settings)
    async with alive(inner), House.open(Door(inner), owner, settings) as house:
        offices = [await make_office(house, "Far", "UTC") for _ in range(PRACTICES)]
        tokens = {office.practicepass: await office.token() for office in offices}
    sealed = Sealer(settings.encryption_keys).seal(make_secret())
    await owner.execute(
        """
        INSERT INTO webhook_subscription (api_key_id, practice_id, hook_url, scopes, secret)
        SELECT api_key_id, practice_id, $1, ARRAY['Encounters'], $2 FROM api_key
        JOIN partner USING (partner_id) WHERE company LIKE 'partner of%'
        """,
        hook_url,
        sealed,
    )
    return Bookers(offices, tokens, [])


async def endured(folder: Path, replication: Mapping[str, Any], rounds: tuple[str, ...]) -> Outcome:
    """Run a drill with one failure per round, and return its result."""
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(cluster(folder / "machines", replication))
        await created(running)
        receiver = await stack.enter_async_context(receiving())
        serving = await stack.enter_async_context(service(running, folder / "service"))
        settings = Settings.from_environment({**serving.environment, "OFFICEPRO_DATA_DIR": str(folder / "own")})
        owner = await asyncpg.connect(running.url())
        bookers = await furnished(settings, owner, receiver.url)
        await owner.close()
        bookers.bases = serving.bases
        for base in serving.bases:
            await answered(partial(is_ready, base))
        bookers.until = time.monotonic() + 3600
        booking = asyncio.create_task(bookers.book_on(BOOKERS))
        outages = [await (pause if how in WITHOUT_OUTAGE else outage)(running, bookers, how) for how in rounds]
        await asyncio.sleep(QUIET_SECONDS)
        bookers.until = time.monotonic()
        await booking
        owner = await asyncpg.connect(running.url())
        try:
            undelivered, invented = await delivered(owner, receiver)
            return Outcome(await bookers.verdict(owner), bookers, outages, undelivered, invented)
        finally:
            await owner.close()


async def created(running: Cluster) -> None:
    """Create and migrate the database."""
    owner = await asyncpg.connect(running.url(database="postgres"))
    await owner.execute(f"CREATE DATABASE {DATABASE}")
    await owner.close()
    await asyncio.to_thread(migrate, running.url(), "officepro")


def is_ready(base: str) -> bool:
    """Return whether /readyz returns 200."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


async def outage(running: Cluster, bookers: Bookers, how: str) -> Outage:
    """Kill or freeze the primary's machine, and wait for recovery."""
    await asyncio.sleep(QUIET_SECONDS)
    primary = await running.primary()
    primary.cut_off()
    await asyncio.sleep(CUT_OFF_SECONDS)
    since = time.monotonic()
    if how == "dies":
        primary.die()
    else:
        primary.signal(signal.SIGSTOP)
    succeeded = await running.succeeded_at(primary)
    await bookers.booked_again(since)
    told = Outage(how, bookers.outage(since), succeeded - since)
    if how == "freezes":
        primary.signal(signal.SIGCONT)  # it still acts as primary for a moment
    running.revive()
    await running.whole()
    return told


async def pause(running: Cluster, bookers: Bookers, how: str) -> Outage:
    """Cause an interruption in which the primary is not killed."""
    await asyncio.sleep(QUIET_SECONDS)
    primary = await running.primary()
    since = time.monotonic()
    if how == "hands over":
        await asyncio.to_thread(primary.hand_over)
    else:
        next(node for node in running.nodes if node is not primary).die()
        await asyncio.sleep(WITHOUT_STANDBY_SECONDS)
    await bookers.booked_again(time.monotonic())
    told = Outage(how, bookers.longest_pause(since), 0.0)
    running.revive()
    await running.whole()
    return told


async def delivered(owner: asyncpg.Connection, receiver: Receiver) -> tuple[int, int]:
    """Count events of the log that were not delivered, and delivered events that are not in the log."""
    rows = await owner.fetch("SELECT practice_id, log_id, entity_id FROM log WHERE scope = 'Encounters'")
    written = {f"evt_{row['practice_id']}_{row['log_id']}": int(row["entity_id"]) for row in rows}
    until = time.monotonic() + SETTLE_SECONDS
    heard: set[tuple[str, int]] = set()
    while time.monotonic() < until:
        heard = {(body["eventId"], body["data"]["VisitID"]) for _, body in receiver.received}
        if written.items() <= heard:
            break
        await asyncio.sleep(0.5)
    return len(written.items() - heard), len(heard - written.items())


@pytest.fixture(autouse=True)
def packages() -> None:
    """Fail if required programs are not installed."""
    if lacking := missing():
        pytest.fail(f"This drill needs {' and '.join(map(str, lacking))}: `make chaos-failover` installs them")


async def test_no_booking_and_no_event_is_lost_with_the_primary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = await endured(tmp_path, STRICTLY_SYNCHRONOUS, ROUNDS)
    with capsys.disabled():
        tell("strictly synchronous", outcome)

    verdict = outcome.verdict
    assert (verdict.missing, verdict.unasked, verdict.doubles, verdict.gaps, verdict.untold) == (0, 0, 0, 0, 0)
    assert (outcome.undelivered, outcome.invented, outcome.bookers.unsettled) == (0, 0, 0)
    for each in outcome.outages:
        if each.how in WITHOUT_OUTAGE:
            assert each.seconds <= PAUSE_LIMIT_SECONDS, each
        else:
            assert each.seconds <= OUTAGE_LIMIT_SECONDS, each
            assert each.ours_seconds <= OURS_LIMIT_SECONDS, each


async def test_control_asynchronous_replication_loses_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = await endured(tmp_path, ASYNCHRONOUS, ("dies",))
    with capsys.disabled():
        tell("control, asynchronous", outcome)

    assert outcome.verdict.missing > 0, "then the drill would not have noticed a loss"


def tell(title: str, outcome: Outcome) -> None:
    """Print the result."""
    verdict = outcome.verdict
    print(f"\n{title}: {len(outcome.outages)} failovers; {verdict}")  # noqa: T201 -- result of the drill
    print(f"  events undelivered {outcome.undelivered}, invented {outcome.invented}")  # noqa: T201
    print("  next booking when it " + "; ".join(map(str, outcome.outages)))  # noqa: T201
    bookers = outcome.bookers
    print(f"  repeats {bookers.repeats}, replays {bookers.replays}; answers {dict(bookers.answers)}")  # noqa: T201
