"""The worker's loop: fan out and claim, send, put on record, and again. (`officepro worker`)

A round asks with one plain read which practices have work, and takes it practice by practice (fan_out). What was
taken goes into lanes (lanes), each of which sends its deliveries one after the other; results gather for a moment and
are recorded together (recording). Endpoints that fail get fewer turns (patience). When a worker dies, its leases end
after a minute and others take over; when it is asked to stop, it gives back what it has not begun.
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

BUSY_ROUND_SECONDS = 0.025  # from the beginning of a round to that of the next, however long it takes …
LEAST_PAUSE_SECONDS = 0.005  # … with at least so long between them
IDLE_ROUND_SECONDS = 0.3
ROUND_GROWTH = 1.5
GATHER_SECONDS = 0.02  # how long results wait for company …
FEW_RESULTS = 20  # … and when more than these have come by then …
LONGER_GATHER_SECONDS = 0.08  # … how much longer: each practice's take a statement, however many they are
SEEN_SECONDS = 15.0  # how often a worker writes down that it works
TROUBLE_PAUSE_SECONDS = 0.5  # while the database does not answer
CONNECTIONS = 1024
MOST_IN_HAND = 8000  # deliveries; beyond it nothing more is claimed
PRACTICES_AT_ONCE = 6
SYSTEM_CONNECTIONS = PRACTICES_AT_ONCE + 3
FIRST_ATTEMPTS_AT_ONCE = 12  # to one endpoint, over all practices
AT_ONCE = {"retry": RETRIES_AT_ONCE, "manual": MANUAL_AT_ONCE}  # the same, of what does not share these places
GARBAGE_THRESHOLDS = (50_000, 20, 100)  # what is in hand lives longer than the collector's defaults expect

logger = logging.getLogger("officepro.worker")
_random = random.SystemRandom()


class Dispatcher:
    def __init__(self, database: Database, client: OutboundClient, sealer: Sealer) -> None:
        self._database = database
        self._client = client
        self._sealer = sealer
        self._worker = _new_worker()
        self._lanes: dict[LaneKey, Lane] = {}
        self._in_hand: set[int] = set()
        self._portion = LONGEST_LANE  # deliveries that each lane may hold
        self._ended: set[int] = set()  # practices in which a lane comes to its end
        self._due: dict[int, float] = {}  # practices in which we failed, and when the first retry is due
        self._results: list[Result] = []
        self._failing: set[int] = set()
        self._slots: dict[tuple[int, str], asyncio.Semaphore] = {}
        self._patience: dict[int, Patience] = defaultdict(Patience)  # by subscription
        self._has_results = asyncio.Event()
        self._go_round = asyncio.Event()
        self._practices = asyncio.Semaphore(PRACTICES_AT_ONCE)
        self._recording = asyncio.Lock()
        self._seen_at = -SEEN_SECONDS  # when it was last written down that this worker works
        self._rounds = 0  # since then

    async def live(self, stop: asyncio.Event, drain_seconds: float) -> None:
        """Until `stop` is set, and then as long as deliveries in flight take, at most `drain_seconds`."""
        recorder = asyncio.create_task(self._record_always())
        stopping = asyncio.create_task(stop.wait())
        pace = BUSY_ROUND_SECONDS
        while not stop.is_set():
            began = time.monotonic()
            try:
                busy = await self.round()
                pace = BUSY_ROUND_SECONDS if busy else min(pace * ROUND_GROWTH, IDLE_ROUND_SECONDS)
            except Exception as error:  # whatever it is, a worker that ends delivers nothing
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
        except Exception as error:  # their leases end
            self._distrust(error)

    async def round(self) -> bool:
        """True when there was work, and so may be more."""
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
        _random.shuffle(todo)  # where not all find room, it is not always the same who do
        self._portion = _portion(max(len(self._lanes), len(todo)))
        found = await asyncio.gather(*(self._visit(practice) for practice in todo), return_exceptions=True)
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure
        return any(found)

    async def _note_round(self, db: Connection) -> None:
        """Write down every 15 s that this worker looks for work, for the alert OfficeproWorkerDown."""
        self._rounds += 1
        if time.monotonic() - self._seen_at >= SEEN_SECONDS:
            await count_runs(db, DISPATCH_JOB, "succeeded", self._rounds)
            self._seen_at, self._rounds = time.monotonic(), 0

    async def _visit(self, todo: fan_out.Todo) -> bool:
        """A practice that could not be worked on, or at which another worker was, is looked at again."""
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
        """Whether there was work; None when another worker is at this practice, or our hands are full."""
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
        """What comes to nothing need not be held: it would be leased and given back, again and again."""
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
        """Leaves the lane in the very step in which it finds it empty: who adds to it then starts another."""
        runner = asyncio.current_task()
        assert runner is not None
        try:
            await self._send_all(lane)
        except Exception as error:  # nobody awaits this task
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
            elif lane.key.traffic != "manual":  # which says nothing of what is not tried by hand
                patience.failed(time.monotonic())
        finally:  # cancelled by a stop: given back
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
            except Exception as error:  # the results are kept, and recorded later
                self._distrust(error)
                await asyncio.sleep(TROUBLE_PAUSE_SECONDS)

    async def record_results(self) -> None:
        """Keeps the results when the database does not take them; their leases hold for a while."""
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
        """To look for retries then. Not written down with each failure, where it would keep workers from the practice:
        whoever is there next writes it, and after a crash the lease of what was sent last leads there."""
        at = time.monotonic() + seconds
        self._due[practice_id] = min(self._due.get(practice_id, at), at)

    async def _hand_over(self) -> None:
        """What we remember, to the workers that go on."""
        now = time.monotonic()
        async with self._database.system() as db:
            await recording.wake(db, {practice_id: max(0.0, at - now) for practice_id, at in self._due.items()})

    def _health_after(self, results: list[Result]) -> tuple[dict[int, tuple[LaneKey, Failed]], set[int]]:
        """The subscriptions whose latest attempt failed, and those that have recovered."""
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
        """Done with these; lanes that have come to their end are looked after in the next round."""
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
        """What was claimed last may or may not be ours: under a new name, only its lease will tell."""
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
        """Rounds until nothing is in hand or to be had: for tests and for draining a practice by hand."""
        while await self.round() or self._in_hand or self._ended:
            await asyncio.sleep(0.005)
            await self.record_results()


def _portion(lanes: int) -> int:
    """So that all lanes with work find room in our hands."""
    return min(LONGEST_LANE, max(SHORTEST_LANE, MOST_IN_HAND // max(1, lanes)))


def _new_worker() -> int:
    return secrets.randbits(62)


@asynccontextmanager
async def dispatcher(settings: Settings) -> AsyncIterator[Dispatcher]:
    """A worker's loop, with its own way to the database and to the world."""
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
        pool_size=3 * SYSTEM_CONNECTIONS,  # of which a third is the system role's
    )
    try:
        yield database
    finally:
        await database.close()


async def live(settings: Settings, stop: asyncio.Event) -> None:
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
