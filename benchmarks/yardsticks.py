"""What the machine can do at all, in this minute: H, R and W of PERFORMANCE.md."""

import re
import subprocess
from pathlib import Path

from litestar import Litestar, get

from benchmarks import world
from benchmarks.servers import granian
from benchmarks.wrk import Call, Measured, measure
from officepro.foundation.embedded import EmbeddedServer

CLIENTS = 8

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
    return "hello"


def application() -> Litestar:
    return Litestar([hello], openapi_config=None)


def hello_rate(folder: Path, seconds: float) -> tuple[Measured, Measured]:
    """H: nothing but framework and server; and the same at half of its rate."""
    hello = [Call("GET", "/hello")]
    with granian("benchmarks.yardsticks:application", folder, {}) as url:
        measure(url, hello, 1)
        found = measure(url, hello, seconds)
        return found, measure(url, hello, seconds, found.rate / 2)


def database_rate(server: EmbeddedServer, database: str, script: str, folder: Path, seconds: float) -> float:
    """R and W: transactions a second of prepared statements over the Unix socket."""
    path = folder / "script.sql"
    path.write_text(script)
    command = [
        str(server.bin / "pgbench"),
        "-n",
        "-M",
        "prepared",
        f"-c{CLIENTS}",
        "-j1",
        f"-T{seconds:g}",
        "-f",
        str(path),
        server.url(database),
    ]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"tps = ([0-9.]+)", told)
    assert found is not None, told
    return float(found.group(1))
