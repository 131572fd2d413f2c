"""GET /metrics: what this machine does, for Prometheus. (API.md: Service)

A scrape meets one worker of several, and must hear of all. Each worker counts in plain dictionaries, which costs a
request about a microsecond, and once a second leaves what it has counted in a file of the data folder; whoever is
asked adds the files up. A worker that died keeps its file, so that no counter runs backwards; a new start of the
server begins anew. (prometheus-client's own way for several processes writes to a mapped file for each number of each
request, and wants to be told by an environment variable before it is first imported.)
"""

import asyncio
import os
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

import msgspec
from litestar import Router, get
from litestar.datastructures import State
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from officepro.access.asked import TheDatabase
from officepro.access.guards import is_open
from officepro.activity.ledger import Ledger
from officepro.activity.recorder import Done, Recorder
from officepro.foundation.database import Database
from officepro.foundation.documented import documented
from officepro.foundation.errors import OfficeProError
from officepro.foundation.wire import encode
from officepro.maintenance.queries import JobFigures
from officepro.webhooks.figures_queries import DispatchFigures, dispatch_figures

SNAPSHOT_SECONDS = 1.0
STALE_SECONDS = 5.0  # a worker that has not written for so long is gone, and what it had in hand with it
DISPATCH_SECONDS = 15.0  # how long the webhooks' figures are good for
BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TEXT_FORMAT = "text/plain; version=0.0.4"

COUNTERS = {
    "shed": ("requests_shed", "Requests turned away because too many were under way."),
    "rate_limited": ("requests_rate_limited", "Requests answered 429."),
    "too_many_failures": ("wrong_credentials_limited", "Wrong credentials answered 429: guesses beyond the limit."),
    "access_requests_full": ("access_requests_refused", "Access requests refused because too many are pending."),
    "ledger_rows": ("ledger_rows", "Answers about people, each on record before it left."),
    "ledger_writes": ("ledger_writes", "Commits that put them on record."),
    "ledger_seconds": ("ledger_write_seconds", "Time that these commits took."),
    "ledger_failures": ("ledger_failures", "Answers withheld because they could not be put on record."),
    "log_given_up": ("request_log_given_up", "Calls that are missing in the request log."),
}
GAUGES = {
    "in_flight": ("requests_in_flight", "Requests under way."),
    "ledger_waiting": ("ledger_waiting", "Answers waiting to be put on record."),
    "log_waiting": ("request_log_waiting", "Calls waiting to be written to the request log."),
}


class Inside(Protocol):
    """Who knows how many requests are under way: the door."""

    @property
    def inside(self) -> int: ...


class Snapshot(msgspec.Struct):
    """What one worker has counted so far, and what it has in hand."""

    calls: list[tuple[str, str, int, int]]  # method, route, status, how many
    durations: list[tuple[str, str, float, list[int]]]  # method, route, seconds in all, how many by bound
    counters: dict[str, float]
    gauges: dict[str, float]
    connections: dict[str, tuple[int, int, int]]  # by role: how many, how many idle, how many at most


class Answered(msgspec.Struct):
    """What this worker has answered by one route."""

    by_status: dict[int, int] = {}
    by_bound: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))
    seconds: float = 0.0


class Account:
    """What a worker keeps account of: the request log, and the numbers for Prometheus."""

    def __init__(self, data_dir: Path) -> None:
        self.recorder = Recorder()
        self._folder = data_dir / "metrics"
        self._door: Inside | None = None
        self._ledger: Ledger | None = None
        self._database: Database | None = None
        self._answered: dict[tuple[str, str], Answered] = defaultdict(Answered)
        self._shed = 0
        self._refused: Counter[str] = Counter()  # by error code, of those that are counters

    def watch(self, door: Inside) -> None:
        self._door = door

    def note(self, done: Done) -> None:
        """Called by the door when an answer has left."""
        self.recorder.note(done)
        answered = self._answered[done.route]
        answered.by_status[done.status] = answered.by_status.get(done.status, 0) + 1
        answered.seconds += done.duration_seconds
        answered.by_bound[bisect_left(BOUNDS_SECONDS, done.duration_seconds)] += 1
        self._shed += done.was_turned_away
        if (code := done.scope.get("error_code")) in COUNTERS:
            self._refused[code] += 1

    @asynccontextmanager
    async def keeping(self, database: Database, ledger: Ledger) -> AsyncIterator[None]:
        self._database, self._ledger = database, ledger
        begin_anew(self._folder)
        with ThreadPoolExecutor(1) as disk:  # one, so that what is left last was written last
            leaving = asyncio.create_task(self._leave_snapshots(disk))
            try:
                async with self.recorder.writing(database):
                    yield
            finally:
                leaving.cancel()
                with suppress(asyncio.CancelledError):
                    await leaving
                disk.submit(leave, self._folder, encode(self.snapshot()))

    async def _leave_snapshots(self, disk: Executor) -> None:
        """In a thread: while PostgreSQL writes to the same disk, to rename a file is to wait for the file system's
        journal, 20 ms and more, and every request would wait with it."""
        while True:
            told = encode(self.snapshot())
            await asyncio.get_running_loop().run_in_executor(disk, leave, self._folder, told)
            await asyncio.sleep(SNAPSHOT_SECONDS)

    def snapshot(self) -> Snapshot:
        rate_limited = sum(answered.by_status.get(429, 0) for answered in self._answered.values())
        counters: dict[str, float] = {
            "shed": self._shed,
            "rate_limited": rate_limited,
            "log_given_up": self.recorder.given_up,
            **self._refused,
        }
        gauges: dict[str, float] = {
            "in_flight": self._door.inside if self._door else 0,
            "log_waiting": self.recorder.waiting,
        }
        if (ledger := self._ledger) is not None:
            counters |= {
                "ledger_rows": ledger.rows,
                "ledger_writes": ledger.writes,
                "ledger_seconds": ledger.write_seconds,
                "ledger_failures": ledger.failures,
            }
            gauges["ledger_waiting"] = ledger.waiting
        return Snapshot(
            [
                (*route, status, number)
                for route, answered in self._answered.items()
                for status, number in answered.by_status.items()
            ],
            [(*route, answered.seconds, answered.by_bound) for route, answered in self._answered.items()],
            counters,
            gauges,
            self._database.connections() if self._database else {},
        )

    def of_all_workers(self) -> list[Snapshot]:
        """This one's as it stands now, and what the others left."""
        return [self.snapshot(), *left_by_others(self._folder)]


def _own_file(folder: Path) -> Path:
    """Workers of one server have one parent."""
    return folder / f"{os.getppid()}-{os.getpid()}.json"


def begin_anew(folder: Path) -> None:
    """What the workers of an earlier server left is taken away."""
    with suppress(OSError):  # a full disk must not keep a worker from starting
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.json"):
            if not file.name.startswith(f"{os.getppid()}-"):
                file.unlink(missing_ok=True)


def leave(folder: Path, snapshot: bytes) -> None:
    file = _own_file(folder)
    writing = file.with_suffix(".new")
    with suppress(OSError):  # a full disk must not stop anything else
        writing.write_bytes(snapshot)
        writing.replace(file)


def left_by_others(folder: Path) -> Iterator[Snapshot]:
    for file in folder.glob(f"{os.getppid()}-*.json"):
        if file != _own_file(folder):
            with suppress(OSError, msgspec.DecodeError):
                snapshot = msgspec.json.decode(file.read_bytes(), type=Snapshot)
                if time.time() - file.stat().st_mtime > STALE_SECONDS:
                    snapshot.gauges, snapshot.connections = {}, {}
                yield snapshot


class Told(Collector):
    """Snapshots, and how the webhooks are doing, as Prometheus reads them."""

    def __init__(self, snapshots: list[Snapshot], dispatch: DispatchFigures | None) -> None:
        self._snapshots = snapshots
        self._dispatch = dispatch

    def collect(self) -> Iterable[Metric]:
        yield self._requests()
        yield self._durations()
        for key, (name, meaning) in COUNTERS.items():
            total = sum(one.counters.get(key, 0) for one in self._snapshots)
            yield CounterMetricFamily(f"officepro_{name}", meaning, value=total)
        for key, (name, meaning) in GAUGES.items():
            level = sum(one.gauges.get(key, 0) for one in self._snapshots)
            yield GaugeMetricFamily(f"officepro_{name}", meaning, value=level)
        yield self._connections()
        workers = sum(bool(one.connections) for one in self._snapshots)
        yield GaugeMetricFamily("officepro_workers", "Processes that answer requests.", value=workers)
        if self._dispatch is not None:
            yield from _told_of_dispatch(self._dispatch)

    def _requests(self) -> Metric:
        sums: dict[tuple[str, str, int], int] = defaultdict(int)
        for method, route, status, number in (call for one in self._snapshots for call in one.calls):
            sums[method, route, status] += number
        requests = CounterMetricFamily("officepro_requests", "Requests answered.", labels=["method", "route", "status"])
        for (method, route, status), number in sorted(sums.items()):
            requests.add_metric([method, route, str(status)], number)
        return requests

    def _durations(self) -> Metric:
        seconds: dict[tuple[str, str], float] = defaultdict(float)
        counted: dict[tuple[str, str], list[int]] = {}
        for method, route, total, numbers in (duration for one in self._snapshots for duration in one.durations):
            seconds[method, route] += total
            before = counted.get((method, route), [0] * len(numbers))
            counted[method, route] = [old + new for old, new in zip(before, numbers, strict=True)]
        durations = HistogramMetricFamily(
            "officepro_request_duration_seconds", "From the door and back to it.", labels=["method", "route"]
        )
        for key, numbers in sorted(counted.items()):
            durations.add_metric(list(key), list(_up_to_each_bound(numbers)), seconds[key])
        return durations

    def _connections(self) -> Metric:
        connections = GaugeMetricFamily(
            "officepro_database_connections", "Connections to PostgreSQL.", labels=["role", "state"]
        )
        for role in ("application", "system"):
            pools = [one.connections[role] for one in self._snapshots if role in one.connections]
            idle, most = sum(pool[1] for pool in pools), sum(pool[2] for pool in pools)
            connections.add_metric([role, "busy"], sum(pool[0] for pool in pools) - idle)
            connections.add_metric([role, "idle"], idle)
            connections.add_metric([role, "most"], most)
        return connections


def _up_to_each_bound(numbers: list[int]) -> Iterator[tuple[str, float]]:
    so_far = 0
    for bound, number in zip([*map(str, BOUNDS_SECONDS), "+Inf"], numbers, strict=True):
        so_far += number
        yield bound, so_far


def _told_of_dispatch(dispatch: DispatchFigures) -> Iterator[Metric]:
    deliveries = GaugeMetricFamily(
        "officepro_deliveries", "The newest deliveries (at most 10,000) by state.", labels=["state"]
    )
    for state, number in sorted(dispatch.by_state.items()):
        deliveries.add_metric([state], number)
    yield deliveries
    yield GaugeMetricFamily(
        "officepro_fan_out_lag_events", "Events that were not made into deliveries yet.", value=dispatch.lag_events
    )
    yield from _maintenance(dispatch.maintenance)


def _maintenance(jobs: Iterable[JobFigures]) -> Iterator[Metric]:
    """Counted in the database over all workers, so every machine says the same."""
    runs = CounterMetricFamily(
        "officepro_maintenance_runs", "Runs of the workers' maintenance jobs.", labels=["job", "outcome"]
    )
    last = GaugeMetricFamily(
        "officepro_maintenance_last_success_timestamp_seconds",
        "When a maintenance job last succeeded, in seconds since the epoch; 0: never.",
        labels=["job"],
    )
    for job in jobs:
        for outcome in ("succeeded", "failed", "skipped"):
            runs.add_metric([job.job, outcome], getattr(job, outcome))
        last.add_metric([job.job], job.last_success_seconds)
    yield from (runs, last)


@get("/metrics", summary="Figures for Prometheus", media_type=TEXT_FORMAT, opt=documented())
async def metrics(state: State, database: TheDatabase) -> str:
    """Requests by route template and status, their durations, connections, the disclosure ledger and the webhooks, of
    all workers of this machine. Nothing in it tells of a person."""
    account: Account = state.account
    told = Told(account.of_all_workers(), await _dispatch(state, database))
    registry = CollectorRegistry()
    registry.register(told)
    return generate_latest(registry).decode()


async def _dispatch(state: State, database: Database) -> DispatchFigures | None:
    """Asked for now and then only; None while the database is away: the other figures matter most just then."""
    known: tuple[float, DispatchFigures] | None = state.get("dispatch_figures")
    if known is not None and time.monotonic() - known[0] < DISPATCH_SECONDS:
        return known[1]
    try:
        async with database.system() as db:
            figures = await dispatch_figures(db)
    except OfficeProError:
        return None
    state.dispatch_figures = (time.monotonic(), figures)
    return figures


router = Router(
    "/",
    guards=[is_open("whoever watches this service has no key; nothing in it tells of a person")],
    route_handlers=[metrics],
    tags=["Service"],
)
