"""Every process is replaced under load, with a migration before and after, without a failed request. (PROOF.md)

Two API processes behind HAProxy with the recommended configuration. Clients do not retry.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from alembic.config import Config

from officepro.app import create_inner_app
from officepro.door import Door
from officepro.migrations import run
from officepro.settings import Settings
from tests.chaos.bookers import weekday
from tests.chaos.drill import Drill, drill
from tests.chaos.patroni import answered, free_port
from tests.chaos.test_failover import is_ready
from tests.conftest import alive
from tests.world import House, Office, make_office

pytestmark = [pytest.mark.machines, pytest.mark.timeout(300)]

HAPROXY = Path(__file__).parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
CALLERS = 12
STEADY_SECONDS = 4.0  # of load before, between and after
STOP_SECONDS = 30.0
REVISION = """
from alembic import op

revision = {revision!r}
down_revision = {before!r}


def upgrade() -> None:
    op.execute({sql!r})
"""
EXPAND = """
ALTER TABLE visit ADD COLUMN colour text NOT NULL DEFAULT 'none';
ALTER TABLE patient ADD COLUMN colour text;
"""
CONTRACT = "ALTER TABLE visit DROP COLUMN colour; ALTER TABLE patient DROP COLUMN colour;"


class Process:
    """One `officepro serve`, as on its own machine."""

    def __init__(self, house: Drill, folder: Path, name: str) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            **house.environment,
            "OFFICEPRO_DATA_DIR": str(folder / name),
            "OFFICEPRO_PORT": str(self.port),
            "OFFICEPRO_WORKERS": "1",
            "OFFICEPRO_RATE_LIMIT_PER_MINUTE": "0",
            "OFFICEPRO_TRUSTED_PROXIES": "127.0.0.1/32",
        }
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the process and wait until it is ready."""
        await asyncio.to_thread(self._start)
        await answered(partial(is_ready, self.base))

    def _start(self) -> None:
        command = [sys.executable, "-m", "officepro.cli", "serve"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    async def replace(self) -> None:
        """Stop the process with SIGTERM and start a new one."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        await self.start()

    def kill(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Callers:
    """Clients that send a mix of requests, without retries."""

    def __init__(self, base: str, offices: list[Office], tokens: list[str]) -> None:
        self._base = base
        self._offices = offices
        self._tokens = tokens
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.slowest = 0.0
        self._is_over = False

    async def call(self) -> None:
        """Run the clients until `stop`."""
        connections = aiohttp.TCPConnector(limit=0, keepalive_timeout=20)
        async with aiohttp.ClientSession(connector=connections) as session:
            await asyncio.gather(*(self._call(session, random.Random(seed)) for seed in range(CALLERS)))

    def stop(self) -> None:
        """Stop the clients after their current request."""
        self._is_over = True

    async def _call(self, session: aiohttp.ClientSession, dice: random.Random) -> None:
        while not self._is_over:
            number = dice.randrange(len(self._offices))
            method, path, body = self._wish(dice)
            headers = {"Authorization": f"Bearer {self._tokens[number]}"}
            if body is not None:
                headers["Idempotency-Key"] = str(uuid.uuid4())
            started = time.monotonic()
            try:
                url = self._base + self._offices[number].path + path
                async with session.request(method, url, json=body, headers=headers) as answer:
                    await answer.read()
                    said = f"{method} {answer.status}"
                    if answer.status not in (200, 201, 409):
                        self.failures.append(f"{said} {path} {await answer.text()}")
            except (aiohttp.ClientError, TimeoutError) as error:
                said = f"{method} {type(error).__name__}"
                self.failures.append(f"{said} {path}")
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.answers[said] += 1

    @staticmethod
    def _wish(dice: random.Random) -> tuple[str, str, dict[str, str | int] | None]:
        day, half = weekday(dice.randrange(400)).isoformat(), dice.randrange(16)
        minutes = 9 * 60 + half * 30
        match dice.randrange(5):
            case 0:
                return "GET", f"/availability/providers/1/slots?date={day}&duration=30", None
            case 1:
                return "GET", "/prospects?search=ada", None
            case 2:
                return "POST", "/prospects", {"FirstName": "Grace", "LastName": f"Hopper{dice.random()}"}
            case 3:
                return "PUT", "/prospects/1001", {"City": f"City {dice.randrange(99)}"}
            case _:
                at = f"{minutes // 60:02}:{minutes % 60:02}:00"
                visit = {"PatientID": 1001, "ProviderID": dice.choice((1, 2)), "VisitType": "Consult"}
                return "POST", "/visits/book", {**visit, "VisitDate": day, "VisitTime": at, "VisitDuration": 30}


@contextmanager
def haproxy(ports: list[int], folder: Path) -> Iterator[str]:
    """Run HAProxy and yield its address."""
    port = free_port()
    found = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
    if found is None:
        pytest.fail("This drill needs Debian's package haproxy: apt-get install haproxy")
    places = {f"API{number}": f"127.0.0.1:{api}" for number, api in enumerate(ports, 1)}
    environment = {"LISTEN": f"127.0.0.1:{port}", **places}
    with (folder / "haproxy.log").open("ab") as log:
        process = subprocess.Popen([found, "-db", "-f", HAPROXY], env=environment, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def migrated(house: Drill, folder: Path, monkeypatch: pytest.MonkeyPatch, revisions: dict[str, str]) -> None:
    """Run the application's migration command with additional revisions after its own."""
    before = ORIGINAL_HEAD
    for revision, sql in revisions.items():
        (folder / f"{revision}.py").write_text(REVISION.format(revision=revision, before=before, sql=sql))
        before = revision
    original = run._configuration

    def configuration() -> Config:
        found = original()
        own = Path(run.__file__).parent / "versions"
        found.set_main_option("version_locations", os.pathsep.join((str(own), str(folder))))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(run, "_configuration", configuration)
        assert run.migrate(house.owner_url, "officepro") == list(revisions)[-1]


ORIGINAL_HEAD = run.revisions()[0]


async def test_replacing_every_process_under_load_fails_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    later = tmp_path / "revisions"
    await asyncio.to_thread(later.mkdir)
    with drill(tmp_path) as house:
        settings = Settings.from_environment(house.environment)
        owner = await asyncpg.connect(house.owner_url)
        inner = create_inner_app(settings)
        async with alive(inner), House.open(Door(inner), owner, settings) as own:
            offices = [await make_office(own, "Rolling", "UTC") for _ in range(4)]
            tokens = [await office.token() for office in offices]
        await owner.close()
        apis = [Process(house, tmp_path, name) for name in ("api1", "api2")]
        try:
            for api in apis:
                await api.start()
            with haproxy([api.port for api in apis], tmp_path) as base:
                await answered(partial(is_ready, base))
                callers = Callers(base, offices, tokens)
                calling = asyncio.create_task(callers.call())
                await asyncio.sleep(STEADY_SECONDS)
                await asyncio.to_thread(migrated, house, later, monkeypatch, {"9001": EXPAND})
                for api in apis:
                    await asyncio.sleep(STEADY_SECONDS)
                    await api.replace()
                await asyncio.sleep(STEADY_SECONDS)
                await asyncio.to_thread(migrated, house, later, monkeypatch, {"9001": EXPAND, "9002": CONTRACT})
                await asyncio.sleep(STEADY_SECONDS)
                callers.stop()
                await calling
        finally:
            for api in apis:
                api.kill()

    with capsys.disabled():
        total = callers.answers.total()
        print(f"\n{total} requests, {len(callers.failures)} failed, slowest {callers.slowest:.2f} s")  # noqa: T201
        print(f"  {dict(callers.answers)}")  # noqa: T201
    assert callers.failures == []
    assert callers.answers["POST 201"] > 100
