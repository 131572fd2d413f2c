"""GET /metrics: metrics of this machine for Prometheus. (API.md: Service)

A scrape reaches one worker of several, and must report all of them. Each worker counts in plain dictionaries, which
costs a request about a microsecond, and once a second writes its counts to a file in the data folder; the scraped
worker adds the files up. The file of a worker that died is kept, so that no counter decreases; the next start of the
server removes it. (prometheus-client's own multiprocess mode writes to a mapped file for each number of each request,
and needs an environment variable before it is first imported.)"""

import asyncio
import logging
import os
import platform
import resource
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

from officepro import __version__
from officepro.access.guards import is_open
from officepro.activity.ledger import Ledger
from officepro.activity.recorder import Done, Recorder
from officepro.foundation.database import Database
from officepro.foundation.database_errors import level_of, log_fields
from officepro.foundation.documented import documented
from officepro.foundation.errors import OfficeProError
from officepro.foundation.wire import encode
from officepro.maintenance.queries import JobFigures
from officepro.webhooks.figures_queries import DispatchFigures, dispatch_figures

SNAPSHOT_SECONDS = 1.0
STALE_SECONDS = 5.0  # a worker that has not written for this long has exited: its gauges are ignored
DATABASE_SECONDS = 15.0  # interval at which each process reads the figures of the database
DATABASE_TIMEOUT_SECONDS = 10.0
BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BUILD = {"version": __version__, "python": platform.python_version()}
TEXT_FORMAT = "text/plain; version=0.0.4"

COUNTERS = {
    "shed": ("requests_shed", "Requests rejected because too many were in flight."),
    "rate_limited": ("requests_rate_limited", "Requests answered 429."),
    "too_many_failures": ("wrong_credentials_limited", "Wrong credentials answered 429: guesses beyond the limit."),
    "patient_budget_exceeded": (
        "patient_budget_exceeded",
        "Requests refused because a key's patient budget is used up.",
    ),
    "access_requests_full": ("access_requests_refused", "Access requests refused because too many are pending."),
    "ledger_rows": (
        "ledger_rows",
        "Responses with patient data, each written to the disclosure log before it was sent.",
    ),
    "ledger_writes": ("ledger_writes", "Commits that wrote them to the disclosure log."),
    "ledger_seconds": ("ledger_write_seconds", "Duration of these commits."),
    "ledger_failures": (
        "ledger_failures",
        "Responses withheld because they could not be written to the disclosure log.",
    ),
    "log_given_up": ("request_log_given_up", "Requests that are missing in the request log."),
}
GAUGES = {
    "in_flight": ("requests_in_flight", "Requests in flight."),
    "ledger_waiting": ("ledger_waiting", "Responses waiting to be written to the disclosure log."),
    "log_waiting": ("request_log_waiting", "Requests waiting to be written to the request log."),
}

logger = logging.getLogger("officepro")


class Inside(Protocol):
    """Provides the number of requests in flight: the edge middleware."""

    @property
    def inside(self) -> int: ...


class Snapshot(msgspec.Struct):
    """Counts of one worker so far, and its current levels."""

    calls: list[tuple[str, str, int, int]]  # method, route, status, count
    durations: list[tuple[str, str, float, list[int]]]  # method, route, total seconds, count by bound
    counters: dict[str, float]
    gauges: dict[str, float]
    connections: dict[str, tuple[int, int, int]]  # by role: open, idle, maximum
    process: "ProcessFigures | None" = None


class ProcessFigures(msgspec.Struct):
    """CPU, memory and open files of one process."""

    cpu_seconds: float
    resident_bytes: int
    open_files: int

    @classmethod
    def of_this_process(cls) -> "ProcessFigures | None":
        """Return the figures of this process; None where there is no /proc."""
        times = os.times()
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            return cls(times.user + times.system, pages * resource.getpagesize(), len(os.listdir("/proc/self/fd")))
        except OSError:
            return None


class Answered(msgspec.Struct):
    """Requests of one route that this worker has answered."""

    by_status: dict[int, int] = {}
    by_bound: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))
    seconds: float = 0.0


class Account:
    """The metrics of one worker, and its request log."""

    def __init__(self, data_dir: Path) -> None:
        self.recorder = Recorder()
        self._folder = data_dir / "metrics"
        self._door: Inside | None = None
        self._ledger: Ledger | None = None
        self._database: Database | None = None
        self._answered: dict[tuple[str, str], Answered] = defaultdict(Answered)
        self._shed = 0
        self._refused: Counter[str] = Counter()  # by error code, for codes in COUNTERS
        self.dispatch: DispatchFigures | None = None  # when the database last responded
        self.dispatch_at = 0.0  # time of `dispatch`, by the monotonic clock
        self.database_is_up = False

    def watch(self, door: Inside) -> None:
        """Set the edge middleware that provides the number of requests in flight."""
        self._door = door

    def note(self, done: Done) -> None:
        """Count a finished request. Called by the edge middleware when its response has been sent."""
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
        """Write the request log and the snapshots, and read the database's figures, within the context."""
        self._database, self._ledger = database, ledger
        begin_anew(self._folder)
        with ThreadPoolExecutor(1) as disk:  # one thread, so that the last snapshot is written last
            leaving = asyncio.create_task(self._leave_snapshots(disk))
            reading = asyncio.create_task(self._read_database_repeatedly(database))
            try:
                async with self.recorder.writing(database):
                    yield
            finally:
                for task in (reading, leaving):
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                disk.submit(leave, self._folder, encode(self.snapshot()))

    async def _leave_snapshots(self, disk: Executor) -> None:
        """Write a snapshot every second, in a thread: while PostgreSQL writes to the same disk, renaming a file waits
        for the file system's journal (20 ms and more), which would delay every request."""
        while True:
            try:
                told = encode(self.snapshot())
                await asyncio.get_running_loop().run_in_executor(disk, leave, self._folder, told)
            except Exception:  # any error: the task continues, and the file's age shows it
                logger.exception("figures not written")
            await asyncio.sleep(SNAPSHOT_SECONDS)

    async def _read_database_repeatedly(self, database: Database) -> None:
        """Read the database's figures in the background, so that a scrape never waits for the database."""
        while True:
            await self.read_database(database)
            await asyncio.sleep(DATABASE_SECONDS)

    async def read_database(self, database: Database) -> None:
        """Read the figures of the database. If it does not respond, the last ones stay and age."""
        try:
            async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS), database.system() as db:
                self.dispatch = await dispatch_figures(db)
        except (OfficeProError, TimeoutError) as error:
            self.database_is_up = False
            logger.log(level_of(error), "figures not read", extra=log_fields(error))
        except Exception:  # any error: the process continues, and the age of the figures shows it
            self.database_is_up = False
            logger.exception("figures not read")
        else:
            self.database_is_up, self.dispatch_at = True, time.monotonic()

    def snapshot(self) -> Snapshot:
        """Return this worker's counts and levels."""
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
            ProcessFigures.of_this_process(),
        )

    def of_all_workers(self) -> list[Snapshot]:
        """Return this worker's current snapshot and the stored ones of the others."""
        return [self.snapshot(), *left_by_others(self._folder)]


def _own_file(folder: Path) -> Path:
    """Return this worker's file. Workers of one server have the same parent process."""
    return folder / f"{os.getppid()}-{os.getpid()}.json"


def begin_anew(folder: Path) -> None:
    """Remove the files that the workers of an earlier server left."""
    with suppress(OSError):  # a full disk must not keep a worker from starting
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.json"):
            if not file.name.startswith(f"{os.getppid()}-"):
                file.unlink(missing_ok=True)


def leave(folder: Path, snapshot: bytes) -> None:
    """Write this worker's snapshot to its file."""
    file = _own_file(folder)
    writing = file.with_suffix(".new")
    with suppress(OSError):  # a full disk must not stop anything else
        writing.write_bytes(snapshot)
        writing.replace(file)


def left_by_others(folder: Path) -> Iterator[Snapshot]:
    """Return the snapshots of the other workers, without the levels of those that have exited."""
    for file in folder.glob(f"{os.getppid()}-*.json"):
        if file != _own_file(folder):
            with suppress(OSError, msgspec.DecodeError):
                snapshot = msgspec.json.decode(file.read_bytes(), type=Snapshot)
                if time.time() - file.stat().st_mtime > STALE_SECONDS:
                    snapshot.gauges, snapshot.connections = {}, {}
                yield snapshot


class Told(Collector):
    """Collector for Prometheus: the snapshots of all workers, and the state of the webhooks."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._snapshots = account.of_all_workers()

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
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
        yield GaugeMetricFamily("officepro_workers", "API processes.", value=workers)
        yield from self._processes()
        yield GaugeMetricFamily(
            "officepro_database_up",
            "1 if the database responded when its figures were last read, every 15 seconds.",
            value=self._account.database_is_up,
        )
        if (dispatch := self._account.dispatch) is not None:
            yield GaugeMetricFamily(
                "officepro_database_figures_age_seconds",
                "Age of the figures that come from the database.",
                value=time.monotonic() - self._account.dispatch_at,
            )
            yield from _told_of_dispatch(dispatch)

    def _processes(self) -> Iterator[Metric]:
        """Return sums over the API processes of this machine, under the names that Prometheus' own clients use."""
        build = GaugeMetricFamily("officepro_build_info", "Version of officepro and of Python.", labels=list(BUILD))
        build.add_metric(list(BUILD.values()), 1)
        yield build
        processes = [one.process for one in self._snapshots if one.process is not None]
        cpu = sum(process.cpu_seconds for process in processes)
        yield CounterMetricFamily("process_cpu_seconds", "CPU time of all API processes.", value=cpu)
        resident = sum(process.resident_bytes for process in processes)
        yield GaugeMetricFamily("process_resident_memory_bytes", "Memory of all API processes.", value=resident)
        files = sum(process.open_files for process in processes)
        yield GaugeMetricFamily("process_open_fds", "Open files of all API processes.", value=files)

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
            "officepro_request_duration_seconds",
            "Duration of requests, from receipt to the end of the response.",
            labels=["method", "route"],
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
        "officepro_fan_out_lag_events",
        "Events that have not been fanned out to deliveries yet.",
        value=dispatch.lag_events,
    )
    yield GaugeMetricFamily(
        "officepro_fan_out_oldest_event_age_seconds",
        "Age of the oldest event that has not been fanned out to deliveries yet; 0: none.",
        value=dispatch.oldest_event_seconds,
    )
    yield GaugeMetricFamily(
        "officepro_deliveries_oldest_queued_age_seconds",
        "Age of the oldest delivery to an active, healthy endpoint that was never attempted; 0: none.",
        value=dispatch.oldest_queued_seconds,
    )
    yield GaugeMetricFamily(
        "officepro_worker_last_seen_timestamp_seconds",
        "When a worker last polled for work, in seconds since the epoch; 0: never.",
        value=dispatch.worker_seen_seconds,
    )
    yield from _maintenance(dispatch.maintenance)
    if (archiver := dispatch.archiver) is not None:
        yield GaugeMetricFamily(
            "officepro_wal_archive_last_success_timestamp_seconds",
            "When PostgreSQL last archived WAL, in seconds since the epoch; 0: never.",
            value=archiver.last_success_seconds,
        )
        yield GaugeMetricFamily(
            "officepro_wal_archive_last_failure_timestamp_seconds",
            "When PostgreSQL last failed to archive WAL, in seconds since the epoch; 0: never.",
            value=archiver.last_failure_seconds,
        )


def _maintenance(jobs: Iterable[JobFigures]) -> Iterator[Metric]:
    """Return the figures of maintenance jobs. They are counted in the database over all workers, so every machine
    reports the same. The label is not `job`, which Prometheus itself sets for the target."""
    runs = CounterMetricFamily(
        "officepro_maintenance_runs", "Runs of the workers' maintenance jobs.", labels=["maintenance_job", "outcome"]
    )
    last = GaugeMetricFamily(
        "officepro_maintenance_last_success_timestamp_seconds",
        "When a maintenance job last succeeded, in seconds since the epoch; 0: never.",
        labels=["maintenance_job"],
    )
    for job in jobs:
        for outcome in ("succeeded", "failed", "skipped"):
            runs.add_metric([job.job, outcome], getattr(job, outcome))
        last.add_metric([job.job], job.last_success_seconds)
    yield from (runs, last)


@get("/metrics", summary="Get metrics for Prometheus", media_type=TEXT_FORMAT, opt=documented())
async def metrics(state: State) -> str:
    """Metrics of all workers of this machine: requests by route template and status, durations, connections, disclosure
    log, webhooks, maintenance and WAL archive. Figures of the database are read in the background every 15 seconds, so
    a response never waits for it. Contains no personal data."""
    registry = CollectorRegistry()
    registry.register(Told(state.account))
    return generate_latest(registry).decode()


router = Router(
    "/",
    guards=[is_open("monitoring has no key; the response has no personal data")],
    route_handlers=[metrics],
    tags=["Service"],
)
