"""`make run` under load on a machine whose clock jumps ahead by 150 days and back: no event is lost, API and worker
keep running, maintenance jobs succeed. (tests/maintenance/test_clock.py is the small version.)"""

import asyncio
import struct
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.activity.test_metrics import labels, parsed
from tests.journeys.conftest import RunningHouse, start
from tests.webhooks.receivers import Receiver, receiving

SHIM = Path(__file__).with_name("shifted_clock.c")
DAY_SECONDS = 86_400
AHEAD_DAYS = 150
PHASE_SECONDS = 6.0
CLIENTS = 3
JOBS = ("partitions_log", "partitions_webhook_delivery", "partitions_request_log", "due_times", "portal_sessions")


class Machine:
    """Runs `make run`; only its processes have the shifted clock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clock = folder / "clock"
        self.ahead(0)
        library = folder / "shifted_clock.so"
        subprocess.run(["/usr/bin/cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", library, SHIM], check=True)
        for path in (self._clock, library):
            path.chmod(0o644)
        self._preload = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(self._clock)}

    def ahead(self, days: int) -> None:
        """Set the clock ahead by a number of days."""
        with open(self._clock, "r+b" if self._clock.exists() else "wb") as file:
            file.write(struct.pack("l", days * DAY_SECONDS))

    def start(self) -> RunningHouse:
        """Start the service."""
        settings = {"OFFICEPRO_WORKERS": "1", "OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
        return start(self._folder / "data", **settings, **self._preload)


@dataclass
class Load:
    """Clients that create patients continuously, and get a new access token when theirs has expired."""

    made: set[int] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)

    async def on(self, running: RunningHouse, seconds: float) -> None:
        """Run the clients for a number of seconds."""
        await asyncio.gather(*(self._client(running, time.monotonic() + seconds) for _ in range(CLIENTS)))

    async def _client(self, running: RunningHouse, until: float) -> None:
        async with httpx.AsyncClient(base_url=running.practice, timeout=30) as client:
            while time.monotonic() < until:
                answer = await client.post("/prospects", json={"FirstName": "Ada"})
                self.statuses[answer.status_code] += 1
                if answer.status_code == 401:
                    key = {"apiKey": running.demo["apiKey"]}
                    token = (await client.post("/auth/token", json=key)).json()["accessToken"]
                    client.headers["Authorization"] = f"Bearer {token}"
                elif answer.status_code == 201:
                    self.made.add(answer.json()["data"]["PatientID"])
                else:  # a rate limit bucket that was filled in the future is briefly empty
                    assert answer.status_code in (429, 503), answer.text
                    await asyncio.sleep(float(answer.headers["Retry-After"]))
                await asyncio.sleep(0.02)


def figures(running: RunningHouse) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the parsed metrics."""
    return parsed(httpx.get(f"{running.base}/metrics").text)


async def until_maintained(running: RunningHouse, since: float) -> None:
    """Wait until the jobs that do not need a steady clock have succeeded, by the database's clock."""
    name = "officepro_maintenance_last_success_timestamp_seconds"
    async with asyncio.timeout(60):
        while not all(figures(running).get((name, labels(maintenance_job=job)), 0) >= since for job in JOBS):  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def until_delivered(receiver: Receiver, made: set[int]) -> None:
    """Wait until the events of all created patients are delivered."""
    async with asyncio.timeout(60):
        while not made <= {body["data"].get("PatientID") for _, body in receiver.received}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.mark.chaos
@pytest.mark.timeout(400)
async def test_a_clock_that_goes_ahead_and_comes_back_destroys_nothing(tmp_path: Path) -> None:
    machine, load = Machine(tmp_path), Load()
    async with receiving() as receiver:
        running = await asyncio.to_thread(machine.start)
        try:
            with running.client() as partner:
                hook = {"hookUrl": receiver.url, "scopes": ["Patients"]}
                answer = partner.post(f"{running.base}/v1/webhooks/signup", json=hook)
                assert answer.status_code in (200, 201), answer.text
            for days in (0, AHEAD_DAYS, 0):  # under load, as when the clock is corrected
                machine.ahead(days)
                await load.on(running, PHASE_SECONDS)
            await until_delivered(receiver, load.made)
            for days in (AHEAD_DAYS, 0, AHEAD_DAYS - 30, AHEAD_DAYS + 1):  # restarted; then the time is really reached
                machine.ahead(days)
                assert running.stop() == 0, running.output.read_text()
                running = await asyncio.to_thread(machine.start)
                await load.on(running, PHASE_SECONDS / 2)
                await until_delivered(receiver, load.made)
                await until_maintained(running, time.time() + (days - 1) * DAY_SECONDS)
            with running.client() as partner:
                assert partner.get(f"{running.base}/readyz").status_code == 200
                feed = partner.get("/events", params={"after": 0, "limit": 1}).json()
            assert feed["lastLogId"] >= len(load.made)
        finally:
            said = running.output.read_text()
            running.stop()
    assert len(load.made) > 100
    assert load.statuses[503] + load.statuses[429] <= load.statuses[201] // 20, load.statuses
    assert "starting it again" not in said
