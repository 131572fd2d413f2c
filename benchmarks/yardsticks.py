"""Baselines: the maximum rates of the machine at this time (H, R and W of PERFORMANCE.md)."""

import math
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from litestar import Litestar, get

from benchmarks import world
from benchmarks.processors import Processors
from benchmarks.servers import granian
from benchmarks.wrk import Call, Measured, measure
from officepro.foundation.embedded import EmbeddedServer

CLIENTS = 8
HELLO = [Call("GET", "/hello")]

READ = f"""
\\set practice random(1, {world.PRACTICES})
\\set provider random(1, {world.PROVIDERS})
\\set day random(0, {world.FULL_DAYS - 1})
SELECT visit_id, starts_at, ends_at, provider_starts_at, provider_ends_at FROM visit
WHERE practice_id = :practice AND provider_id = :provider
  AND starts_at >= timestamptz '{world.FIRST} 00:00Z' + :day * interval '1 day'
  AND starts_at < timestamptz '{world.FIRST} 00:00Z' + (:day + 1) * interval '1 day' AND status = 'booked';
"""

WRITE = f"""
\\set practice random(1, {world.PRACTICES})
\\set provider random(1, {world.PROVIDERS})
WITH head AS (UPDATE log_head SET last = last + 1 WHERE practice_id = :practice RETURNING last),
at AS MATERIALIZED (
    SELECT timestamptz '2050-01-01 00:00Z' + nextval('bench_seq') * interval '30 minutes' AS at FROM head),
made AS (
    INSERT INTO visit (practice_id, patient_id, provider_id, room_id, needs_room, visit_type, status, starts_at,
                       ends_at, provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
    SELECT :practice, 1001, :provider, 100 + :provider, true, 'Consult', 'booked', at, at + interval '30 minutes', at,
           at + interval '30 minutes', at, at + interval '30 minutes' FROM at RETURNING visit_id)
INSERT INTO log (practice_id, log_id, scope, event, entity_id, data)
SELECT :practice, head.last, 'Encounters', 'visit.booked', visit_id, jsonb_build_object('VisitID', visit_id)
FROM head, made;
"""


@get("/hello", sync_to_thread=False)
def hello() -> str:
    """Return a constant text."""
    return "hello"


def application() -> Litestar:
    """Return the bare Litestar application of baseline H."""
    return Litestar([hello], openapi_config=None)


@dataclass(frozen=True)
class Limits:
    """Maximum rates at this time, in calls a second."""

    hello: float
    read: float
    write: float

    @property
    def of_a_read(self) -> float:
        """Return the limit of a read: one hello and one query."""
        return 1 / (1 / self.hello + 1 / self.read)

    @property
    def of_a_booking(self) -> float:
        """Return the limit of a booking: one hello and one write."""
        return 1 / (1 / self.hello + 1 / self.write)


class Yardsticks:
    """Baselines H, R and W, taken before and after each measurement, because a machine's speed varies over minutes."""

    def __init__(self, hello_url: str, server: EmbeddedServer, database: str, folder: Path, seconds: float) -> None:
        self._hello_url = hello_url
        self._server = server
        self._database = database
        self._folder = folder
        self._seconds = seconds
        measure(hello_url, HELLO, 1.0)

    @classmethod
    @contextmanager
    def standing(cls, server: EmbeddedServer, database: str, folder: Path, seconds: float) -> "Iterator[Yardsticks]":
        """Start the bare application and yield the baselines."""
        own = folder / "hello"
        own.mkdir()
        with granian("benchmarks.yardsticks:application", own, {}) as url:
            yield cls(url, server, database, folder, seconds)

    def limits(self) -> Limits:
        """Measure all three baselines."""
        write = self._pgbench(
            WRITE
        )  # first, so that its after-effects slow the other baselines as they slow the measured calls
        return Limits(measure(self._hello_url, HELLO, self._seconds).rate, self._pgbench(READ), write)

    def hello_at(self, rate: float) -> Measured:
        """Measure baseline H at a given rate."""
        return measure(self._hello_url, HELLO, self._seconds, rate)

    def write_at(self, rate: float) -> Measured:
        """Measure transactions at this rate: the latency that the disk alone causes, from the transaction's begin."""
        processors = Processors()
        with tempfile.TemporaryDirectory() as logs:
            self._pgbench(WRITE, f"-R{rate:g}", "-l", f"--log-prefix={logs}/log")
            stolen = processors.stolen()
            lines = [line.split() for log in Path(logs).iterdir() for line in log.read_text().splitlines()]
        took = sorted(int(line[2]) - int(line[6]) for line in lines)  # without the delay of its start
        p50, p99 = (took[len(took) * percent // 100] / 1e3 for percent in (50, 99))
        return Measured(len(took) / self._seconds, p50, p99, 0, stolen)

    def _pgbench(self, script: str, *options: str) -> float:
        """Return the transactions a second of prepared statements over the Unix socket."""
        path = self._folder / "script.sql"
        path.write_text(script)
        command = [str(self._server.bin / "pgbench"), "-n", "-M", "prepared", f"-c{CLIENTS}", "-j1"]
        command += [f"-T{math.ceil(self._seconds)}", *options, "-f", str(path), self._server.url(self._database)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = re.search(r"tps = ([0-9.]+)", told)
        assert found is not None, told
        return float(found.group(1))
