"""Benchmark of the API (`make bench`): starts PostgreSQL and the API in a temporary folder, measures, prints one table.

`python -m benchmarks slots book` measures only these; `--seconds 10` measures longer.
"""

import argparse
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean, median

from benchmarks import webhooks
from benchmarks.servers import WORKERS, api, token
from benchmarks.world import World, seed, settle
from benchmarks.wrk import CONNECTIONS, Call, Measured, measure
from benchmarks.yardsticks import Limits, Yardsticks
from officepro.foundation import embedded
from officepro.foundation.embedded import EmbeddedServer
from officepro.migrations.run import migrate

DATABASE = "officepro"
WARM_UP_SECONDS = 1.0
TURNS = 3
YARDSTICK_SECONDS = 2.0
CALLS_OF_READS = 2_000
SURELY_SENT = 1.1  # times the number of answered calls, to skip every call that was sent
CALLS_MADE_ONCE = 100_000  # more than can be sent in the time

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
    """Run the measurements named on the command line, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(NAMES)}; default: all")
    parser.add_argument("--seconds", type=float, default=4.0)
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
    settle(server.url(DATABASE))
    print(f"{WORKERS} workers, {CONNECTIONS} connections by wrk, {seconds:g} s each; client, API and database together")
    print(f"shares: {TURNS} turns, with the baselines measured just before and after each; rates and times: medians\n")
    with (
        Yardsticks.standing(server, DATABASE, folder, YARDSTICK_SECONDS) as yardsticks,
        api(server, folder, DATABASE) as (url, _),
    ):
        world = World({practice: token(url, practice, key) for practice, key in keys.items()})
        limits = [yardsticks.limits()]
        print(f"{'':15} rate  of limit (turns)         aim   p50 ms   p99 ms  errors  stolen    ", end="")
        print("at half of that rate: rate, p50, p99, stolen")
        _print_half(f"{'hello':87}", yardsticks.hello_at(limits[0].hello / 2))
        for name in names:
            is_made_once = name in (*WRITES, "slots, once")
            calls, aim = (READS | WRITES)[name]
            prepared = list(calls(world, CALLS_MADE_ONCE if is_made_once else CALLS_OF_READS))
            if is_made_once:
                measure(url, list(world.slots(CALLS_OF_READS)), WARM_UP_SECONDS)
            turns, shares = [], []
            for _ in range(TURNS):
                found = _measured(url, prepared, seconds, is_made_once=is_made_once)
                limits.append(yardsticks.limits())
                turns.append(found)
                shares.append(found.rate / mean(_limit(each, name) for each in limits[-2:]))
            _print(name, turns, shares, aim)
            half = median(turn.rate for turn in turns) / 2
            _print_half("", _measured(url, prepared, seconds, half, is_made_once=is_made_once))
            if name in WRITES:
                _print_half(f"{'W':87}", yardsticks.write_at(limits[-1].write / 2))
    for name, rates in (
        ("H hello", [each.hello for each in limits]),
        ("R read", [each.read for each in limits]),
        ("W constrained write", [each.write for each in limits]),
        ("limit of a read", [each.of_a_read for each in limits]),
        ("limit of a booking", [each.of_a_booking for each in limits]),
    ):
        print(f"{name:20} {min(rates):>7,.0f} to {max(rates):>7,.0f}/s, median {median(rates):,.0f}/s")


def _measured(
    url: str, prepared: list[Call], seconds: float, rate: float | None = None, *, is_made_once: bool
) -> Measured:
    """Measure `prepared` calls. Calls that can be sent only once are removed from the list afterwards. Others are sent
    for a warm-up first: baseline W has written in their practices, so cached responses are no longer valid."""
    if not is_made_once:
        measure(url, prepared, WARM_UP_SECONDS)
    found = measure(url, prepared, seconds, rate)
    if is_made_once:
        del prepared[: math.ceil(found.rate * seconds * SURELY_SENT)]
    return found


def _limit(limits: Limits, name: str) -> float:
    return limits.of_a_read if name in READS else limits.of_a_booking


def _print(name: str, turns: list[Measured], shares: list[float], aim: float) -> None:
    rate, p50, p99 = (median(getattr(turn, what) for turn in turns) for what in ("rate", "p50", "p99"))
    told = " ".join(f"{share:.2f}" for share in sorted(shares))
    line = f"{name:12} {rate:>7,.0f}  {median(shares):>8.2f} ({told}) {aim:>5.2f}  {p50:>7.1f}  {p99:>7.1f}"
    errors, stolen = sum(turn.errors for turn in turns), mean(turn.stolen for turn in turns)
    print(f"{line}  {errors:>6}  {stolen:>6.1%}", end="", flush=True)


def _print_half(before: str, found: Measured) -> None:
    times = f"{found.p50:>5.1f}  {found.p99:>5.1f}  × {found.p99 / found.p50:<4.1f} {found.stolen:>5.1%}"
    print(f"{before}    {found.rate:>6,.0f}/s  {times}{f'  {found.errors} errors' if found.errors else ''}", flush=True)


def _roomy_folder() -> str | None:
    """Return a folder on disk, or None for the default; in a memory file system fsync would cost nothing."""
    return os.environ.get("BENCH_DIR")


if __name__ == "__main__":
    main()
