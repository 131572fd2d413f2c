"""The webhook worker's main loop: fan out, claim, send, write results. (`officepro worker`)

Each iteration finds the practices with work by one read without locks, and claims deliveries practice by practice.
Claimed deliveries go into per-subscription FIFO queues, which send one delivery after the other. Results are collected
for a short time and written in batches. Failing endpoints are backed off. When a worker crashes, its leases expire
after 60 s and other workers take over. On shutdown a worker releases the deliveries that it has not started.
"""

import asyncio
import gc
import logging
import random
import secrets
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial

import uvloop

from officepro.foundation import clock, heartbeat
from officepro.foundation.database import Connection, Database, Mode
from officepro.foundation.database_errors import level_of, log_fields
from officepro.foundation.errors import OfficeProError
from officepro.foundation.outbound.client import OutboundClient
from officepro.maintenance.queries import DISPATCH_JOB, count_runs
from officepro.maintenance.runner import Maintenance
from officepro.migrations.verification import refuse_what_waiting_does_not_mend, verify
from officepro.settings import Settings
from officepro.webhooks import fan_out, maintenance_jobs, queries, recording
from officepro.webhooks.delivery import Delivered, Failed, attempt
from officepro.webhooks.lanes import (
    LONGEST_LANE,
    MANUAL_AT_ONCE,
    RETRIES_AT_ONCE,
    SENDING_SECONDS,
    SHORTEST_LANE,
    TRIED_LANE,
    Item,
    Lane,
    LaneKey,
)
from officepro.webhooks.patience import Patience
from officepro.webhooks.recording import Result
from officepro.webhooks.sealing import Sealer

BUSY_ROUND_SECONDS = 0.025  # from the start of an iteration to the start of the next, however long it takes …
LEAST_PAUSE_SECONDS = 0.005  # … with at least this pause in between
IDLE_ROUND_SECONDS = 0.3
ROUND_GROWTH = 1.5
GATHER_SECONDS = 0.02  # how long results are collected into a batch …
FEW_RESULTS = 20  # … and if there are more than this by then …
LONGER_GATHER_SECONDS = 0.08  # … how much longer: each practice takes one statement, however many results it has
SEEN_SECONDS = 15.0  # interval of the worker's heartbeat in the database
TROUBLE_PAUSE_SECONDS = 0.5  # while the database is unavailable
CONNECTIONS = 1024
MOST_IN_HAND = 8000  # deliveries in memory; at this limit nothing more is claimed
PRACTICES_AT_ONCE = 6
SYSTEM_CONNECTIONS = PRACTICES_AT_ONCE + 3
FIRST_ATTEMPTS_AT_ONCE = 12  # to one endpoint, over all practices
AT_ONCE = {"retry": RETRIES_AT_ONCE, "manual": MANUAL_AT_ONCE}  # limits of the traffic that has separate semaphores
GARBAGE_THRESHOLDS = (50_000, 20, 100)  # deliveries in memory live longer than the collector's defaults expect

logger = logging.getLogger("officepro.worker")
_random = random.SystemRandom()


class Dispatcher:
    """Worker that fans out events and sends the deliveries that it has leased."""

    def __init__(self, database: Database, client: OutboundClient, sealer: Sealer) -> None:
        self._database = database
        self._client = client
        self._sealer = sealer
        self._worker = _new_worker()
        self._lanes: dict[LaneKey, Lane] = {}
        self._in_hand: set[int] = set()
        self._portion = LONGEST_LANE  # capacity of each queue, in deliveries
        self._ended: set[int] = set()  # practices to check again, such as those in which a queue ran empty
        self._due: dict[int, float] = {}  # practices with failed attempts: when the first retry is due (monotonic)
        self._results: list[Result] = []
        self._failing: set[int] = set()
        self._slots: dict[tuple[int, str], asyncio.Semaphore] = {}
        self._patience: dict[int, Patience] = defaultdict(Patience)  # by subscription
        self._has_results = asyncio.Event()
        self._go_round = asyncio.Event()
        self._practices = asyncio.Semaphore(PRACTICES_AT_ONCE)
        self._recording = asyncio.Lock()
        self._seen_at = -SEEN_SECONDS  # time of the last heartbeat (monotonic)
        self._rounds = 0  # iterations since then

    async def live(self, stop: asyncio.Event, drain_seconds: float) -> None:
        """Run until `stop` is set, then wait for attempts in flight, at most `drain_seconds`."""
        recorder = asyncio.create_task(self._record_always())
        stopping = asyncio.create_task(stop.wait())
        pace = BUSY_ROUND_SECONDS
        while not stop.is_set():
            began = time.monotonic()
            try:
                busy = await self.round()
                pace = BUSY_ROUND_SECONDS if busy else min(pace * ROUND_GROWTH, IDLE_ROUND_SECONDS)
            except Exception as error:  # any error: the worker must go on delivering
                self._distrust(error)
                pace = TROUBLE_PAUSE_SECONDS
            pause = max(LEAST_PAUSE_SECONDS, began + pace - time.monotonic())
            going = asyncio.create_task(self._go_round.wait())
            await asyncio.wait([stopping, going], timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            going.cancel()
        await self._drain(drain_seconds)
        recorder.cancel()
        with suppress(asyncio.CancelledError):
            await recorder
        try:
            await self.record_results()
            await self._hand_over()
        except Exception as error:  # the leases expire
            self._distrust(error)

    async def round(self) -> bool:
        """Claim work once. Return True if there was some, so that there may be more."""
        self._go_round.clear()
        if self._is_full():
            return True
        ended, self._ended = self._ended, set()
        due = {practice_id for practice_id, at in self._due.items() if at <= time.monotonic()}
        try:
            async with self._database.system() as db:
                todo = await fan_out.practices_with_work(db, ended, due)
                await self._note_round(db)
        except Exception:
            self._ended |= ended
            raise
        for practice_id in due:
            del self._due[practice_id]
        _random.shuffle(todo)  # fairness: at the limit, not always the same practices are left out
        self._portion = _portion(max(len(self._lanes), len(todo)))
        found = await asyncio.gather(*(self._visit(practice) for practice in todo), return_exceptions=True)
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure
        return any(found)

    async def _note_round(self, db: Connection) -> None:
        """Write the worker's heartbeat every 15 s, for the alert OfficeproWorkerDown."""
        self._rounds += 1
        if time.monotonic() - self._seen_at >= SEEN_SECONDS:
            await count_runs(db, DISPATCH_JOB, "succeeded", self._rounds)
            self._seen_at, self._rounds = time.monotonic(), 0

    async def _visit(self, todo: fan_out.Todo) -> bool:
        """Claim the work of one practice. If it failed or another worker has the practice, check it again later."""
        is_done = False
        try:
            found = await self._take(todo)
            is_done = found is not None
        finally:
            if not is_done:
                self._ended.add(todo.practice_id)
                if todo.is_due:
                    self._remember(todo.practice_id, 0.0)
        return bool(found)

    async def _take(self, todo: fan_out.Todo) -> bool | None:
        """Return whether there was work; None if another worker has locked the practice or this worker is full."""
        async with self._practices:
            if self._is_full():
                return None
            if not todo.is_known:
                async with self._database.system() as db:
                    await queries.make_known(db, todo.practice_id)
            if not todo.has_subscribers and not todo.is_due:
                async with self._database.system() as db:
                    await fan_out.pass_over(db, todo.practice_id)
                return False
            try:
                async with self._database.system_transaction() as db:
                    work = await fan_out.take_work(db, todo.practice_id, self._worker, self._room, is_due=todo.is_due)
            except fan_out.LogHasGap as gap:
                logger.error(gap.code, extra={"detail": gap.detail})
                return False
        if work is None:
            return None
        for key, items in work.items.items():
            self._add(key, items)
        for key in work.left:
            self._note_more(key)
        return bool(work.items)

    def _is_full(self) -> bool:
        return len(self._in_hand) >= MOST_IN_HAND

    def _room(self, key: LaneKey) -> int:
        return self._lanes.get(key, Lane(key)).room(self._portion_of(key))

    def _portion_of(self, key: LaneKey) -> int:
        """Return the queue's capacity. It is small for a failing endpoint: its deliveries would be leased and released
        over and over."""
        if key.traffic == "manual":
            return MANUAL_AT_ONCE
        is_tried = key.traffic != "retry" and self._patience[key.subscription_id].is_tried
        return TRIED_LANE if is_tried else self._portion

    def _note_more(self, key: LaneKey) -> None:
        lane = self._lanes.get(key)
        if lane is None:
            self._ended.add(key.practice_id)
        else:
            lane.has_more = True

    def _add(self, key: LaneKey, items: Iterable[Item]) -> None:
        lane = self._lanes.setdefault(key, Lane(key))
        new = [item for item in items if item.delivery_id not in self._in_hand]
        self._in_hand.update(item.delivery_id for item in new)
        if lane.is_closed:
            self._give_back(lane, new)
            return
        lane.items.extend(new)
        while lane.items and len(lane.runners) < min(lane.width(), len(lane.items)):
            lane.runners.add(asyncio.create_task(self._run(lane)))

    async def _run(self, lane: Lane) -> None:
        """Send until the queue is empty. The task removes itself from `runners` without an await after that check, so
        that a later `_add` starts a new task."""
        runner = asyncio.current_task()
        assert runner is not None
        try:
            await self._send_all(lane)
        except Exception as error:  # no other task awaits this one
            logger.error("sending failed", extra={"cause": type(error).__name__, "practice": lane.key.practice_id})
            self._give_back(lane, lane.close())
        finally:
            lane.runners.discard(runner)

    async def _send_all(self, lane: Lane) -> None:
        slots, patience = self._slots_of(lane.key), self._patience[lane.key.subscription_id]
        goes_at_once = lane.key.traffic in AT_ONCE
        while lane.items:
            async with slots:
                if goes_at_once or not patience.is_tried:
                    await self._send_next(lane, patience)
                else:
                    async with patience.turn():
                        await self._send_next(lane, patience)

    async def _send_next(self, lane: Lane, patience: Patience) -> None:
        if not lane.items:
            return
        item = lane.items.popleft()
        if lane.has_more and lane.runs_low(self._portion_of(lane.key)):
            lane.has_more = False
            self._look_again(lane.key.practice_id)
        if item.lease_ends - time.monotonic() < SENDING_SECONDS:
            self._give_back(lane, [item, *lane.close()])
            return
        outcome: Delivered | Failed | None = None
        try:
            outcome = await self._attempt(item)
            if not isinstance(outcome, Failed):
                patience.received()
            elif lane.key.traffic != "manual":  # a manual failure does not count as a failure of the endpoint
                patience.failed(time.monotonic())
        finally:  # on cancellation by shutdown `outcome` is None: the delivery is released
            self._results.append(Result(lane.key, item, outcome))
            self._has_results.set()

    async def _attempt(self, item: Item) -> Delivered | Failed:
        try:
            signers = [self._sealer.open(sealed) for sealed in item.endpoint.sealed_secrets]
        except OfficeProError as error:
            return Failed(clock.now(), 0, error.code, error.detail)
        return await attempt(self._client, item.endpoint.hook_url, signers, item.event, clock.now())

    def _slots_of(self, key: LaneKey) -> asyncio.Semaphore:
        kind = key.traffic if key.traffic in AT_ONCE else "first"
        identity = (key.subscription_id, kind)
        if identity not in self._slots:
            self._slots[identity] = asyncio.Semaphore(AT_ONCE.get(kind, FIRST_ATTEMPTS_AT_ONCE))
        return self._slots[identity]

    def _give_back(self, lane: Lane, items: Iterable[Item]) -> None:
        self._results.extend(Result(lane.key, item, None) for item in items)
        self._has_results.set()

    async def _record_always(self) -> None:
        while True:
            await self._has_results.wait()
            await asyncio.sleep(GATHER_SECONDS)
            if len(self._results) > FEW_RESULTS:
                await asyncio.sleep(LONGER_GATHER_SECONDS)
            try:
                await self.record_results()
            except Exception as error:  # the results are kept and written later
                self._distrust(error)
                await asyncio.sleep(TROUBLE_PAUSE_SECONDS)

    async def record_results(self) -> None:
        """Write the collected results in one transaction. If that fails, keep them for the next call and raise; their
        leases are still valid for some time."""
        async with self._recording:
            self._has_results.clear()
            results, self._results = self._results, []
            if not results:
                return
            failures, recovered = self._health_after(results)
            self._failing |= failures.keys()
            try:
                async with self._database.system_transaction() as db:
                    due, to_wake = await recording.record(db, results)
                    if failures or recovered:
                        to_wake |= await recording.note_health(db, failures, recovered)
                    await recording.wake(db, dict.fromkeys(to_wake, 0.0))
            except BaseException:
                self._results[:0] = results
                self._has_results.set()
                raise
            self._failing -= recovered
            for practice_id, seconds in due.items():
                self._remember(practice_id, seconds)
            self._let_go(results)

    def _remember(self, practice_id: int, seconds: float) -> None:
        """Note in memory when the practice's next retry is due. Not written to the database with each failure, because
        the row lock would keep workers from the practice. The worker that fans out there next writes it; after a crash
        the practice becomes due when the lease of the last delivery expires."""
        at = time.monotonic() + seconds
        self._due[practice_id] = min(self._due.get(practice_id, at), at)

    async def _hand_over(self) -> None:
        """Write the due times held in memory to the database, for the other workers."""
        now = time.monotonic()
        async with self._database.system() as db:
            await recording.wake(db, {practice_id: max(0.0, at - now) for practice_id, at in self._due.items()})

    def _health_after(self, results: list[Result]) -> tuple[dict[int, tuple[LaneKey, Failed]], set[int]]:
        """Return the subscriptions whose latest attempt failed, and those that have recovered."""
        latest: dict[int, tuple[LaneKey, Item, Delivered | Failed]] = {}
        for result in results:
            is_manual_failure = result.lane.traffic == "manual" and isinstance(result.outcome, Failed)
            if result.outcome is not None and not is_manual_failure:
                latest[result.lane.subscription_id] = (result.lane, result.item, result.outcome)
        failures: dict[int, tuple[LaneKey, Failed]] = {}
        recovered: set[int] = set()
        for subscription_id, (lane, item, outcome) in latest.items():
            if isinstance(outcome, Failed):
                failures[subscription_id] = (lane, outcome)
            elif item.endpoint.failing_since is not None or subscription_id in self._failing:
                recovered.add(subscription_id)
        return failures, recovered

    def _let_go(self, results: list[Result]) -> None:
        """Forget deliveries whose results are written. Practices of empty queues are checked in the next iteration."""
        for result in results:
            self._in_hand.discard(result.item.delivery_id)
            lane = self._lanes.get(result.lane)
            if lane is not None and lane.is_done:
                del self._lanes[result.lane]
            if lane is None or lane.is_done:
                self._ended.add(result.lane.practice_id)
                if lane is not None and lane.has_more:
                    self._go_round.set()

    def _look_again(self, practice_id: int) -> None:
        self._ended.add(practice_id)
        self._go_round.set()

    def _distrust(self, error: Exception) -> None:
        """Log the error and take a new worker id. After a lost transaction it is unknown whether the last claim was
        committed; under a new id, such deliveries are left until their leases expire."""
        if isinstance(error, OfficeProError):
            logger.log(level_of(error), error.code, extra=log_fields(error))
        else:
            logger.error("worker failed", extra=log_fields(error))
        self._worker = _new_worker()

    async def _drain(self, drain_seconds: float) -> None:
        for lane in self._lanes.values():
            self._give_back(lane, lane.close())
        runners = [runner for lane in self._lanes.values() for runner in lane.runners]
        if runners:
            _, late = await asyncio.wait(runners, timeout=drain_seconds)
            for runner in late:
                runner.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def settle(self) -> None:
        """Run iterations until all work is done. For tests and for draining a practice manually."""
        while await self.round() or self._in_hand or self._ended:
            await asyncio.sleep(0.005)
            await self.record_results()


def _portion(lanes: int) -> int:
    """Return the capacity per queue with which all queues with work fit into MOST_IN_HAND."""
    return min(LONGEST_LANE, max(SHORTEST_LANE, MOST_IN_HAND // max(1, lanes)))


def _new_worker() -> int:
    return secrets.randbits(62)


@asynccontextmanager
async def dispatcher(settings: Settings) -> AsyncIterator[Dispatcher]:
    """A Dispatcher with its own database pool and HTTP client, and the maintenance jobs running beside it."""
    async with (
        _database(settings) as database,
        OutboundClient(settings.webhook_allowed_networks, connections=CONNECTIONS) as client,
    ):
        maintaining = asyncio.create_task(Maintenance(database, maintenance_jobs.jobs(settings)).run_forever())
        try:
            yield Dispatcher(database, client, Sealer(settings.encryption_keys))
        finally:
            maintaining.cancel()
            with suppress(asyncio.CancelledError):
                await maintaining


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = await Database.waiting(
        settings.database_url,
        partial(verify, settings),
        lambda: logger.info("ready"),
        mode=Mode(settings.database_mode),
        pool_size=3 * SYSTEM_CONNECTIONS,  # a third of them for the system role
    )
    try:
        yield database
    finally:
        await database.close()


async def live(settings: Settings, stop: asyncio.Event) -> None:
    """Run one worker until `stop` is set."""
    async with dispatcher(settings) as worker:
        await worker.live(stop, settings.drain_seconds)


async def _until_signalled(settings: Settings) -> None:
    stop = asyncio.Event()

    def stop_soon() -> None:
        if not stop.is_set():
            logger.info("stopping")
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop_soon)
    beating = asyncio.create_task(heartbeat.beat(settings.data_dir))
    try:
        await refuse_what_waiting_does_not_mend(settings)
        await live(settings, stop)
    finally:
        beating.cancel()


def run(settings: Settings) -> None:
    """Deliver until SIGTERM or Ctrl-C. Raises CannotConnect, WrongServer, WrongRole."""
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signalled(settings))
