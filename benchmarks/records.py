"""Cost of the request log and the disclosure log: the CPU of a call with both, and of the same call without.

    python -m benchmarks.records --seconds 4

CPU of API and PostgreSQL, without the client. Two APIs on one database are measured alternately, so that other load
affects both. The limit is 1.15 for a slots call; a call with patient data waits for its row, and has no limit.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from litestar.types import ASGIApp

from benchmarks.servers import api, token
from benchmarks.world import World, seed
from benchmarks.wrk import Call, measure
from officepro import app
from officepro.activity.ledger import Ledger
from officepro.activity.recorder import Recorder
from officepro.foundation import embedded
from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations.run import migrate

DATABASE = "officepro"
ROUNDS = 5
CALLS = 2_000
ALLOWED = {"slots": 1.15}
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


def without_records() -> ASGIApp:
    """Return the API without request log and disclosure log."""

    async def keep_nothing(ledger: Ledger, disclosure: object) -> None:
        return None

    setattr(Recorder, "note", lambda recorder, done: None)  # noqa: B010 -- replaces a method
    setattr(Ledger, "record", keep_nothing)  # noqa: B010
    return app.create_app()


def main() -> None:
    """Measure both variants; exit with the number of kinds of calls that exceed the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.records", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="officepro-records-", dir=os.environ.get("BENCH_DIR")) as name:
        server = embedded.start(Path(name) / "data")
        try:
            sys.exit(_compare(server, Path(name), asked.seconds))
        finally:
            server.stop()


def _compare(server: EmbeddedServer, folder: Path, seconds: float) -> int:
    """Return the number of kinds of calls whose cost exceeds the limit."""
    server.create_database(DATABASE)
    migrate(server.url(DATABASE), "officepro")
    keys = seed(server.url(DATABASE))
    for part in ("with", "without"):
        (folder / part).mkdir()
    too_much = 0
    with (
        api(server, folder / "with", DATABASE) as (url, _),
        api(server, folder / "without", DATABASE, "benchmarks.records:without_records") as (bare_url, _),
    ):
        worlds = [
            (base, World({practice: token(base, practice, key) for practice, key in keys.items()}))
            for base in (url, bare_url)
        ]
        for name, kind in (("slots", World.slots), ("search", World.search)):
            prepared = [(base, list(kind(world, CALLS))) for base, world in worlds]
            for base, calls in prepared:
                measure(base, calls, 1.0)
            rounds = [[_cpu_of_a_call(server, base, calls, seconds) for base, calls in prepared] for _ in range(ROUNDS)]
            ratio = statistics.median(one / bare for one, bare in rounds)
            costs = [statistics.median(column) for column in zip(*rounds, strict=True)]
            told = f"{costs[0]:6.0f} µs of CPU with, {costs[1]:6.0f} µs without: {ratio:.2f}"
            too_much += ratio > ALLOWED.get(name, ratio)
            print(f"{name:8} {told}   limit {ALLOWED.get(name, '-')}", flush=True)
    return too_much


def _cpu_of_a_call(server: EmbeddedServer, url: str, calls: list[Call], seconds: float) -> float:
    """Return the CPU of a call in microseconds."""
    before = sum(_cpu_seconds(server))
    rate = measure(url, calls, seconds).rate
    return (sum(_cpu_seconds(server)) - before) / (rate * seconds) * 1e6


def _cpu_seconds(server: EmbeddedServer) -> Iterator[float]:
    """Yield the CPU seconds of each PostgreSQL process and API process, without the benchmark and its client."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (process / "stat").read_text().partition("(")[2].rpartition(")")
            fields = rest.split()
            is_api = int(fields[3]) == os.getsid(0) and int(process.name) != os.getpid() and name != "wrk"
            if is_api or os.readlink(process / "cwd") == str(server.directory):
                yield (int(fields[11]) + int(fields[12])) * TICK_SECONDS
        except OSError:
            continue


if __name__ == "__main__":
    main()
