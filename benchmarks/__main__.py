"""`make bench`: starts a PostgreSQL and the API on a folder of its own, measures, and prints one table.

`python -m benchmarks slots book` measures these alone; `--seconds 10` measures longer.
"""

import argparse
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import webhooks, yardsticks
from benchmarks.servers import WORKERS, api, token
from benchmarks.world import World, seed
from benchmarks.wrk import CONNECTIONS, Call, Measured, measure
from officepro.foundation import embedded
from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations.run import migrate

DATABASE = "officepro"
WARM_UP_SECONDS = 1.0
CALLS_OF_READS = 2_000
SURELY_SENT = 1.1  # of what is told to have been answered
CALLS_MADE_ONCE = 100_000  # more than are made in the time

READS: dict[str, tuple[Callable[[World, int], Iterator[Call]], float]] = {
    "slots": (World.slots, 0.50),
    "slots, once": (World.slots_asked_once, 0.50),
    "slots, room": (World.slots_with_room, 0.50),
    "check": (World.check, 0.50),
    "openings": (World.openings, 0.20),
    "next-slot": (World.next_slot, 0.40),
    "search": (World.search, 0.40),
}
WRITES: dict[str, tuple[Callable[[World, int], Iterator[Call]], float]] = {
    "book": (World.book, 0.40),
    "create": (World.create, 0.40),
}

NAMES = [*READS, *WRITES, *webhooks.MEASUREMENTS]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all unless given")
    parser.add_argument("--seconds", type=float, default=5.0)
    asked = parser.parse_args()
    names = asked.names or NAMES
    with tempfile.TemporaryDirectory(prefix="officepro-bench-", dir=_roomy_folder()) as name:
        folder = Path(name)
        server = embedded.start(folder / "data")
        try:
            if calls := [name for name in names if name not in webhooks.MEASUREMENTS]:
                _measure_calls(server, folder, calls, asked.seconds)
            for name in names:
                if name in webhooks.MEASUREMENTS:
                    webhooks.MEASUREMENTS[name](server, folder, asked.seconds)
        finally:
            server.stop()


def _measure_calls(server: EmbeddedServer, folder: Path, names: list[str], seconds: float) -> None:
    server.create_database(DATABASE)
    migrate(server.url(DATABASE), "officepro")
    keys = seed(server.url(DATABASE))
    print(f"{WORKERS} workers, {CONNECTIONS} connections by wrk, {seconds:g} s each; client, API and database together")
    hello, half = yardsticks.hello_rate(folder, seconds)
    read = yardsticks.database_rate(server, DATABASE, yardsticks.READ, folder, seconds)
    write = yardsticks.database_rate(server, DATABASE, yardsticks.WRITE, folder, seconds)
    limit_of_read, limit_of_write = 1 / (1 / hello.rate + 1 / read), 1 / (1 / hello.rate + 1 / write)
    print(f"H hello {hello.rate:,.0f}/s   R read {read:,.0f}/s   W constrained write {write:,.0f}/s")
    print(f"limit of a read {limit_of_read:,.0f}/s   limit of a booking {limit_of_write:,.0f}/s\n")
    heading = f"{'':12} {'rate':>8}  {'of limit':>8}  {'aim':>5}  {'p50 ms':>7}  {'p99 ms':>7}  {'errors':>6}"
    print(f"{heading}    at half of it: rate, p50, p99")
    _print("hello", hello, hello.rate, 1.0)
    _print_half(half)
    with api(server, folder, DATABASE) as (url, _):
        world = World({practice: token(url, practice, key) for practice, key in keys.items()})
        for name in names:
            (calls, aim), limit = (READS[name], limit_of_read) if name in READS else (WRITES[name], limit_of_write)
            is_made_once = name in (*WRITES, "slots, once")
            prepared = list(calls(world, CALLS_MADE_ONCE if is_made_once else CALLS_OF_READS))
            measure(url, list(world.slots(CALLS_OF_READS)) if is_made_once else prepared, WARM_UP_SECONDS)
            found = measure(url, prepared, seconds)
            _print(name, found, limit, aim)
            rest = prepared[math.ceil(found.rate * seconds * SURELY_SENT) :] if is_made_once else prepared
            _print_half(measure(url, rest, seconds, found.rate / 2))


def _print(name: str, found: Measured, limit: float, aim: float) -> None:
    told = f"{name:12} {found.rate:>8,.0f}  {found.rate / limit:>8.2f}  {aim:>5.2f}"
    print(f"{told}  {found.p50:>7.1f}  {found.p99:>7.1f}  {found.errors:>6}", end="", flush=True)


def _print_half(found: Measured) -> None:
    times = f"{found.p50:>5.1f}  {found.p99:>5.1f}  × {found.p99 / found.p50:.1f}"
    print(f"    {found.rate:>6,.0f}/s  {times}{f'  {found.errors} errors' if found.errors else ''}", flush=True)


def _roomy_folder() -> str | None:
    """Not a folder in memory, where fsync costs nothing."""
    return os.environ.get("BENCH_DIR")


if __name__ == "__main__":
    main()
