"""Fan-out and claiming: from the event log to leased deliveries, one practice and one transaction at a time.

The transaction first locks the practice's dispatch_state, so that one worker at a time works on a practice; while
holding it, it waits for no other lock (see `queries`). It inserts one delivery per event past the cursor and
subscription to its scope, claims due and queued deliveries, and moves the cursor. Nothing is sent here.
Every statement that writes or locks names one practice, as a distributed database requires.
"""

import time
from collections.abc import Callable, Iterator, Sequence, Set
from datetime import datetime
from typing import NamedTuple

from officepro.events import event_id
from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import OfficeProError
from officepro.foundation.outbound.urls import without_query
from officepro.webhooks import manual, replay
from officepro.webhooks.lanes import LEASE_SECONDS, Item, LaneKey
from officepro.webhooks.messages import Event
from officepro.webhooks.queries import IS_LOCKED, Endpoint, Standing, cancel_queued, endpoints

MAXIMUM_FRESH = 500  # log rows of one practice in one transaction
MAXIMUM_DUE = 100
POSTPONED_SECONDS = 5.0  # delay of a retry whose endpoint's retry queue is full
ANOTHER_LOOK_SECONDS = 1.0  # until the next check of a queue that another worker has leased
REPLAY_LOOK_SECONDS = 5.0  # until the next check of a running replay, in case its worker crashes
ONE_DAY = "interval '1 day'"  # how far a clock may have been set back between two events

Room = Callable[[LaneKey], int]


class LogHasGap(OfficeProError):
    """The event log of a practice has a gap: rows were written or removed without updating the counter."""

    code = "log_has_gap"


class Todo(NamedTuple):
    """A practice with work, as read without locks."""

    practice_id: int
    is_known: bool  # has a dispatch_state
    is_due: bool
    has_subscribers: bool


class Work(NamedTuple):
    """Claimed deliveries by queue, in order; and the queues that have more waiting in the database."""

    items: dict[LaneKey, list[Item]]
    left: set[LaneKey]


async def practices_with_work(db: Connection, ended: Set[int], due: Set[int]) -> list[Todo]:
    """Return the practices with work. Reads without locks over all practices, which a distributed database can run on
    its nodes. `ended` are the practices to check again, such as those in which a queue of this worker ran empty; `due`
    those in which this worker has a retry due."""
    rows = await db.fetch(
        """
        SELECT h.practice_id, d.practice_id IS NOT NULL, coalesce(d.next_due_at <= now(), false)
        FROM log_head h LEFT JOIN dispatch_state d USING (practice_id)
        WHERE h.last > coalesce(d.last_log_id, 0) OR d.next_due_at <= now()
        """
    )
    found = {practice_id: (is_known, is_due) for practice_id, is_known, is_due in rows}
    for practice_id in [*due, *(await _waiting(db, list(ended)) if ended else ())]:
        found[practice_id] = (True, True)
    listening = await _listening(db) if found else set()
    return [
        Todo(practice_id, is_known, is_due, not listening.isdisjoint((practice_id, None)))
        for practice_id, (is_known, is_due) in found.items()
    ]


async def _waiting(db: Connection, practices: Sequence[int]) -> list[int]:
    """Return those of the practices that have queued deliveries or a running replay."""
    rows = await db.fetch(
        """
        SELECT practice_id FROM dispatch_state d WHERE practice_id = ANY ($1) AND EXISTS (
            SELECT FROM webhook_delivery w WHERE w.practice_id = d.practice_id AND w.state = 'queued'
            UNION ALL
            SELECT FROM webhook_replay r WHERE r.practice_id = d.practice_id AND r.state = 'running')
        """,
        list(practices),
    )
    return [row["practice_id"] for row in rows]


async def _listening(db: Connection) -> set[int | None]:
    """Return the practices that have a subscription; None stands for a subscription to all practices."""
    rows = await db.fetch("SELECT DISTINCT practice_id FROM webhook_subscription")
    return {row["practice_id"] for row in rows}


async def pass_over(db: Connection, practice_id: int) -> None:
    """Move the cursor of a practice without subscriptions to the end of its log. One statement, so that a subscription
    created concurrently is either seen here or receives all later events."""
    await db.execute(
        """
        UPDATE dispatch_state d SET last_log_id = h.last, last_occurred_at = now()
        FROM log_head h WHERE d.practice_id = $1 AND h.practice_id = $1 AND h.last > d.last_log_id
          AND NOT EXISTS (SELECT FROM webhook_subscription s WHERE s.practice_id = $1 OR s.practice_id IS NULL)
        """,
        practice_id,
    )


async def take_work(db: Connection, practice_id: int, worker: int, room: Room, *, is_due: bool = False) -> Work | None:
    """Fan out and claim one practice's work. Return None if another worker has locked the practice. Raises LogHasGap.

    Call within a transaction. `room` returns the free capacity of a queue of this worker; `is_due` is set if this
    worker has a retry due in the practice.
    """
    state = await db.fetchrow(
        """
        SELECT d.last_log_id, d.next_due_at <= now() AS due, practice.practicepass, now() AS at
        FROM dispatch_state d JOIN practice USING (practice_id)
        WHERE d.practice_id = $1 FOR UPDATE OF d SKIP LOCKED
        """,
        practice_id,
    )
    if state is None:
        return None
    taking = _Taking(db, practice_id, state["practicepass"], state["at"], worker, room)
    await taking.look()
    fresh = await taking.fresh(state["last_log_id"])
    if state["due"] or is_due:
        await taking.claim_due()
    if fresh:
        await taking.insert(fresh)
    await taking.claim_queued()
    await taking.finish(fresh[-1] if fresh else None)
    return Work(taking.items, taking.left)


class _Taking:
    """State and steps of one claiming transaction, in the order in which `take_work` calls them."""

    def __init__(
        self, db: Connection, practice_id: int, practicepass: str, at: datetime, worker: int, room: Room
    ) -> None:
        self.db = db
        self.practice_id = practice_id
        self.practicepass = practicepass
        self.at = at  # the transaction's time, which is also the creation time of its deliveries
        self.worker = worker
        self.room = room
        self.items: dict[LaneKey, list[Item]] = {}
        self.left: set[LaneKey] = set()
        self.endpoints: dict[int, Endpoint] = {}
        self.queued: set[LaneKey] = set()
        self.elsewhere: set[LaneKey] = set()  # queues leased by another worker
        self.replays: set[int] = set()  # subscriptions with a running replay
        self.lease_ends = time.monotonic() + LEASE_SECONDS  # the lease in the database ends some milliseconds earlier

    async def look(self) -> None:
        """Read the practice's subscriptions and the state of their queues."""
        found = await endpoints(self.db, self.practice_id)
        self.endpoints = {endpoint.subscription_id: endpoint for endpoint in found}
        await self.look_at_lanes()

    async def look_at_lanes(self) -> None:
        """Read which queues have deliveries waiting, are leased by another worker, or have a running replay.

        The cost depends on open deliveries only, not on the practice's history. `queued` is a subquery with LIMIT
        because EXISTS may be planned as a read of the whole queue. Without `due_at IS NOT NULL` the partial index of
        open deliveries would not be used, and all deliveries of the practice would be read.
        """
        rows = await self.db.fetch(
            """
            SELECT s.id, k.kind,
                   (SELECT true FROM webhook_delivery d WHERE d.practice_id = $1 AND d.subscription_id = s.id
                    AND d.kind = k.kind AND d.state = 'queued' LIMIT 1) IS TRUE AS queued,
                   (s.id, k.kind) IN (SELECT d.subscription_id, d.kind FROM webhook_delivery d
                                      WHERE d.practice_id = $1 AND d.state = 'sending' AND d.due_at IS NOT NULL
                                      AND d.attempts = 0 AND d.leased_by <> $3) AS elsewhere,
                   k.kind = 'replay' AND EXISTS (
                       SELECT FROM webhook_replay r WHERE r.practice_id = $1 AND r.subscription_id = s.id
                       AND r.state = 'running') AS replay
            FROM unnest($2::bigint[]) AS s (id), (VALUES ('live'), ('replay'), ('manual')) AS k (kind)
            """,
            self.practice_id,
            list(self.endpoints),
            self.worker,
        )
        keys = [(LaneKey(self.practice_id, row["id"], row["kind"]), row) for row in rows]
        self.queued = {key for key, row in keys if row["queued"]}
        self.elsewhere = {key for key, row in keys if row["elsewhere"] and key.traffic != "manual"}
        self.replays = {key.subscription_id for key, row in keys if row["replay"]}

    async def fresh(self, last: int) -> list[Row]:
        """Return the next rows of the log, at most MAXIMUM_FRESH. Raises LogHasGap."""
        rows = await self._log_after(
            last, f"(SELECT last_occurred_at - {ONE_DAY} FROM dispatch_state WHERE practice_id = $1)"
        )
        if not _is_contiguous(rows, last) or (
            not rows
            and last < await self.db.fetchval("SELECT last FROM log_head WHERE practice_id = $1", self.practice_id)
        ):
            rows = await self._log_after(last, "'-infinity'::timestamptz")
            if not _is_contiguous(rows, last):
                raise LogHasGap(f"The log of practice {self.practice_id} has a gap after {last}.")
        return rows

    async def _log_after(self, last: int, since: str) -> list[Row]:
        """Return log rows after `last`. `since` lets PostgreSQL skip the partitions of past months."""
        return await self.db.fetch(
            f"""
            SELECT log_id, scope, event, data::text, occurred_at FROM log
            WHERE practice_id = $1 AND log_id > $2 AND occurred_at >= {since} ORDER BY log_id LIMIT {MAXIMUM_FRESH}
            """,
            self.practice_id,
            last,
        )

    async def claim_due(self) -> None:
        """Claim due retries, and requeue or fail deliveries whose lease has expired."""
        rows = await self.db.fetch(
            f"""
            WITH d AS MATERIALIZED (
                SELECT * FROM webhook_delivery
                WHERE practice_id = $1 AND state IN ('pending', 'sending') AND due_at <= now()
                ORDER BY due_at LIMIT {MAXIMUM_DUE} FOR UPDATE SKIP LOCKED
            )
            SELECT {_DELIVERY}, d.kind, d.state, d.subscription_id FROM d {_WITH_LOG} ORDER BY d.due_at
            """,
            self.practice_id,
        )
        rooms = {key: self.room(LaneKey(self.practice_id, key, "retry")) for key in self.endpoints}
        judged = [(row, self._judge(row, rooms)) for row in rows]
        if judged:
            await self.db.execute(_MOVE, self.practice_id, self.worker, *_columns(judged))
        for row, (state, _) in judged:
            if state == "sending":
                self._take(LaneKey(self.practice_id, row["subscription_id"], "retry"), row)
        if any(state == "queued" for _, (state, _) in judged):  # expired leases: these queues are free
            await self.look_at_lanes()

    def _judge(self, row: Row, rooms: dict[int, int]) -> tuple[str, float | None]:
        """Return the new state of a due delivery, and in how many seconds it is due again (None: never)."""
        endpoint = self.endpoints.get(row["subscription_id"])
        if row["kind"] == "manual":
            return "failed", None
        if endpoint is None or endpoint.standing is Standing.STOPPED:
            return "cancelled", None
        if row["attempts"] == 0 or endpoint.standing is Standing.PAUSED:
            return "queued", None
        if rooms[endpoint.subscription_id] == 0:
            return "pending", POSTPONED_SECONDS
        rooms[endpoint.subscription_id] -= 1
        return "sending", float(LEASE_SECONDS)

    async def insert(self, fresh: Sequence[Row]) -> None:
        """Insert one delivery per event and subscription: leased immediately if its queue is free, else queued."""
        wanted = list(self._wanted(fresh))
        if not wanted:
            return
        events = {row["log_id"]: self._event(row, event_id(self.practice_id, row["log_id"])) for row in fresh}
        heard = [(events[row["log_id"]], endpoint, leased) for row, endpoint, leased in wanted]
        inserted = await self.db.fetch(
            f"""
            INSERT INTO webhook_delivery (practice_id, created_at, subscription_id, kind, event, event_id, log_id,
                                          occurred_at, hook_url, state, due_at, leased_by)
            SELECT $1, $10, subscription_id, 'live', event, event_id, log_id, occurred_at, hook_url,
                   CASE WHEN leased THEN 'sending' ELSE 'queued' END,
                   CASE WHEN leased THEN now() + interval '{LEASE_SECONDS} seconds' END,
                   CASE WHEN leased THEN $2::bigint END
            FROM unnest($3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[], $8::text[], $9::bool[])
                 WITH ORDINALITY AS
                 wanted (subscription_id, event, event_id, log_id, occurred_at, hook_url, leased, number)
            ORDER BY number RETURNING delivery_id
            """,
            self.practice_id,
            self.worker,
            [endpoint.subscription_id for _, endpoint, _ in heard],
            [event.event for event, _, _ in heard],
            [event.event_id for event, _, _ in heard],
            [event.log_id for event, _, _ in heard],
            [event.occurred_at for event, _, _ in heard],
            [without_query(endpoint.hook_url) for _, endpoint, _ in heard],
            [leased for _, _, leased in heard],
            self.at,
        )
        # Delivery ids are assigned from a sequence in row order.
        numbers = sorted(row["delivery_id"] for row in inserted)
        for (event, endpoint, leased), delivery_id in zip(heard, numbers, strict=True):
            if leased:
                key = LaneKey(self.practice_id, endpoint.subscription_id, "live")
                self._keep(key, delivery_id, self.at, 0, event)

    def _wanted(self, fresh: Sequence[Row]) -> Iterator[tuple[Row, Endpoint, bool]]:
        """Yield each event and the endpoints that receive it, and whether the delivery is leased immediately."""
        free = {}
        for endpoint in self.endpoints.values():
            key = LaneKey(self.practice_id, endpoint.subscription_id, "live")
            can_go = endpoint.standing is Standing.ACTIVE and key not in self.queued and key not in self.elsewhere
            free[key] = self.room(key) if can_go else 0
        for row in fresh:
            for endpoint in self.endpoints.values():
                if row["scope"] in endpoint.scopes and endpoint.standing is not Standing.STOPPED:
                    key = LaneKey(self.practice_id, endpoint.subscription_id, "live")
                    if free[key] == 0:
                        self.queued.add(key)
                    yield row, endpoint, free[key] > 0
                    free[key] = max(0, free[key] - 1)

    async def claim_queued(self) -> None:
        """Claim deliveries from the queues with free capacity. Cancel those of disabled subscriptions."""
        stopped = set()
        await self._go_on_with_replays()
        for key in sorted(self.queued):
            endpoint = self.endpoints[key.subscription_id]
            if key.traffic == "manual":
                await manual.expire(self.db, self.practice_id, key.subscription_id)
                await self._claim_lane(key, endpoint)
            elif endpoint.standing is Standing.STOPPED:
                stopped.add(key.subscription_id)
            elif endpoint.standing is Standing.ACTIVE:
                await self._claim_lane(key, endpoint)
        if stopped:
            await cancel_queued(self.db, self.practice_id, list(stopped), is_waiting=False)

    async def _go_on_with_replays(self) -> None:
        """Create the next deliveries of a replay once all those created before have left the queue."""
        for subscription_id in sorted(self.replays):
            endpoint = self.endpoints[subscription_id]
            key = LaneKey(self.practice_id, subscription_id, "replay")
            if endpoint.standing is not Standing.ACTIVE:
                self.replays.discard(subscription_id)  # held until the subscription is resumed
            elif key not in self.queued:
                created = await replay.create_deliveries(self.db, self.practice_id, endpoint)
                if created:
                    self.queued.add(key)
                    self.left.add(key)
                elif created == 0:
                    self.replays.discard(subscription_id)

    async def _claim_lane(self, key: LaneKey, endpoint: Endpoint) -> None:
        room = 0 if key in self.elsewhere else self.room(key) - len(self.items.get(key, ()))
        if room <= 0:
            self.left.add(key)
            return
        rows = await self.db.fetch(
            f"""
            WITH locked AS MATERIALIZED (
                SELECT delivery_id, created_at FROM webhook_delivery
                WHERE practice_id = $1 AND subscription_id = $2 AND kind = $3 AND state = 'queued'
                ORDER BY delivery_id LIMIT $4 FOR UPDATE SKIP LOCKED
            ), d AS (
                UPDATE webhook_delivery SET state = 'sending', leased_by = $5, hook_url = $6,
                       due_at = now() + interval '{LEASE_SECONDS} seconds'
                WHERE practice_id = $1 AND {IS_LOCKED}
                RETURNING *
            )
            SELECT {_DELIVERY} FROM d {_WITH_LOG} ORDER BY d.delivery_id
            """,
            self.practice_id,
            key.subscription_id,
            key.traffic,
            room,
            self.worker,
            without_query(endpoint.hook_url),
        )
        for row in rows:
            self._take(key, row)
        if len(rows) == room:
            self.left.add(key)

    async def finish(self, last: Row | None) -> None:
        """Move the cursor, and store when the practice has to be checked again."""
        await self.db.execute(
            """
            UPDATE dispatch_state SET last_log_id = coalesce($2, last_log_id),
                last_occurred_at = coalesce($3, last_occurred_at),
                next_due_at = least(
                    (SELECT min(due_at) FROM webhook_delivery WHERE practice_id = $1 AND state = 'pending'),
                    (SELECT min(due_at) FROM webhook_delivery WHERE practice_id = $1 AND state = 'sending'),
                    now() + make_interval(secs => $4))
            WHERE practice_id = $1
            """,
            self.practice_id,
            last["log_id"] if last else None,
            last["occurred_at"] if last else None,
            ANOTHER_LOOK_SECONDS if self.left & self.elsewhere else REPLAY_LOOK_SECONDS if self.replays else None,
        )

    def _take(self, key: LaneKey, row: Row) -> None:
        self._keep(key, row["delivery_id"], row["created_at"], row["attempts"], self._event(row, row["event_id"]))

    def _keep(self, key: LaneKey, delivery_id: int, created_at: datetime, attempts: int, event: Event) -> None:
        endpoint = self.endpoints[key.subscription_id]
        item = Item(delivery_id, created_at, attempts, self.worker, self.lease_ends, event, endpoint)
        self.items.setdefault(key, []).append(item)

    def _event(self, row: Row, event_id: str) -> Event:
        return Event(
            event=row["event"],
            event_id=event_id,
            practicepass=self.practicepass,
            scope=row["scope"],
            log_id=row["log_id"],
            occurred_at=row["occurred_at"],
            data=row["data"] or "{}",  # the log row is past its retention
        )


_DELIVERY = """
    d.delivery_id, d.created_at, d.attempts, d.event, d.event_id, d.log_id, d.occurred_at, l.scope,
    coalesce(d.data, l.data)::text AS data
"""
# LIMIT 1 forces an index lookup per delivery. On new tables without statistics the planner may turn a plain join into a
# read of the practice's whole log. `delivery_id = ANY` with bounds on `created_at` has the same purpose.
_WITH_LOG = """
    LEFT JOIN LATERAL (
        SELECT scope, data FROM log
        WHERE practice_id = $1 AND log_id = d.log_id AND occurred_at = d.occurred_at LIMIT 1
    ) l ON true
"""

_MOVE = """
    UPDATE webhook_delivery d
    SET state = due.state, leased_by = CASE WHEN due.state = 'sending' THEN $2::bigint END,
        due_at = now() + make_interval(secs => due.seconds),
        attempts = CASE WHEN due.state = 'failed' THEN 1 ELSE d.attempts END,
        attempted_at = CASE WHEN due.state = 'failed' THEN now() ELSE d.attempted_at END,
        error_code = CASE WHEN due.state = 'failed' THEN 'interrupted' ELSE d.error_code END
    FROM unnest($3::bigint[], $4::timestamptz[], $5::text[], $6::float8[])
         AS due (delivery_id, created_at, state, seconds)
    WHERE d.practice_id = $1 AND d.delivery_id = due.delivery_id AND d.created_at = due.created_at
      AND d.delivery_id = ANY ($3) AND d.created_at BETWEEN $7 AND $8
"""


def _columns(judged: Sequence[tuple[Row, tuple[str, float | None]]]) -> list[object]:
    created = [row["created_at"] for row, _ in judged]
    return [
        [row["delivery_id"] for row, _ in judged],
        created,
        [state for _, (state, _) in judged],
        [seconds for _, (_, seconds) in judged],
        min(created),
        max(created),
    ]


def _is_contiguous(rows: Sequence[Row], last: int) -> bool:
    return all(row["log_id"] == number for number, row in enumerate(rows, start=last + 1))
