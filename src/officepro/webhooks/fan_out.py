"""From the log to deliveries in hand, one practice at a time and each time in one transaction.

The practice's dispatch_state is locked first, so that workers take turns; no lock is waited for while it is held (see
`queries`). Then log rows past the cursor become one
delivery for each subscription that wants them; what is due is claimed; and the cursor moves. Nothing is sent here.
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
from officepro.webhooks.queries import Endpoint, Standing, cancel_queued, endpoints

MAXIMUM_FRESH = 500  # log rows of one practice in one transaction
MAXIMUM_DUE = 100
POSTPONED_SECONDS = 5.0  # a retry whose endpoint has enough of them in hand
ANOTHER_LOOK_SECONDS = 1.0  # at a lane that another worker holds
REPLAY_LOOK_SECONDS = 5.0  # at a replay that goes on, should the worker that goes on with it die
ONE_DAY = "interval '1 day'"  # how far a clock may have been set back between two events

Room = Callable[[LaneKey], int]


class LogHasGap(OfficeProError):
    """A practice's log is not contiguous: something wrote or removed rows behind the counter's back."""

    code = "log_has_gap"


class Todo(NamedTuple):
    """A practice with work, as a plain read sees it."""

    practice_id: int
    is_known: bool  # has a dispatch_state
    is_due: bool
    has_subscribers: bool


class Work(NamedTuple):
    """What was taken: by lane, in order; and the lanes with more waiting than was taken."""

    items: dict[LaneKey, list[Item]]
    left: set[LaneKey]


async def practices_with_work(db: Connection, ended: Set[int], due: Set[int]) -> list[Todo]:
    """Plain reads over all practices, such as a distributed database hands on to its nodes; `ended` are those in which
    a lane of ours has come to its end, `due` those in which we know of a retry."""
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
    """Those of them with deliveries in a queue, or a replay that goes on."""
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
    """The practices that somebody has subscribed to; None is all of them."""
    rows = await db.fetch("SELECT DISTINCT practice_id FROM webhook_subscription")
    return {row["practice_id"] for row in rows}


async def pass_over(db: Connection, practice_id: int) -> None:
    """Nobody listens to this practice: the cursor goes to the end of the log. One statement, so that who signs up
    meanwhile is either seen here or hears of everything from then on."""
    await db.execute(
        """
        UPDATE dispatch_state d SET last_log_id = h.last, last_occurred_at = now()
        FROM log_head h WHERE d.practice_id = $1 AND h.practice_id = $1 AND h.last > d.last_log_id
          AND NOT EXISTS (SELECT FROM webhook_subscription s WHERE s.practice_id = $1 OR s.practice_id IS NULL)
        """,
        practice_id,
    )


async def take_work(db: Connection, practice_id: int, worker: int, room: Room, *, is_due: bool = False) -> Work | None:
    """Within a transaction; None when another worker is at this practice. Raises LogHasGap.

    `room` says how many deliveries a lane of this worker still takes, `is_due` that this worker knows of a retry.
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
    """The steps of one transaction, in the order in which `take_work` calls them."""

    def __init__(
        self, db: Connection, practice_id: int, practicepass: str, at: datetime, worker: int, room: Room
    ) -> None:
        self.db = db
        self.practice_id = practice_id
        self.practicepass = practicepass
        self.at = at  # the transaction's time, and that of the deliveries it makes
        self.worker = worker
        self.room = room
        self.items: dict[LaneKey, list[Item]] = {}
        self.left: set[LaneKey] = set()
        self.endpoints: dict[int, Endpoint] = {}
        self.queued: set[LaneKey] = set()
        self.elsewhere: set[LaneKey] = set()  # lanes that another worker holds
        self.replays: set[int] = set()  # subscriptions with a replay that goes on
        self.lease_ends = time.monotonic() + LEASE_SECONDS  # the database's is some milliseconds earlier

    async def look(self) -> None:
        found = await endpoints(self.db, self.practice_id)
        self.endpoints = {endpoint.subscription_id: endpoint for endpoint in found}
        await self.look_at_lanes()

    async def look_at_lanes(self) -> None:
        """Costs what is open, however much the practice has behind it: `queued` is a subquery with a limit because an
        EXISTS may be planned as a read of the whole queue, and without `due_at IS NOT NULL` the index of what is open
        would not do, and all deliveries of the practice be read."""
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
        """The next rows of the log, without a gap."""
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
        """`since` keeps the months that are over out of it."""
        return await self.db.fetch(
            f"""
            SELECT log_id, scope, event, data::text, occurred_at FROM log
            WHERE practice_id = $1 AND log_id > $2 AND occurred_at >= {since} ORDER BY log_id LIMIT {MAXIMUM_FRESH}
            """,
            self.practice_id,
            last,
        )

    async def claim_due(self) -> None:
        """Retries whose time has come, and leases that were lost."""
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
        if any(state == "queued" for _, (state, _) in judged):  # lost leases: nobody holds those lanes any more
            await self.look_at_lanes()

    def _judge(self, row: Row, rooms: dict[int, int]) -> tuple[str, float | None]:
        """The state that a due delivery goes into, and for how many seconds."""
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
        """One delivery for each event and subscription: leased at once where the lane is free, else queued."""
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
        # Their numbers come from a sequence in the order of the rows.
        numbers = sorted(row["delivery_id"] for row in inserted)
        for (event, endpoint, leased), delivery_id in zip(heard, numbers, strict=True):
            if leased:
                key = LaneKey(self.practice_id, endpoint.subscription_id, "live")
                self._keep(key, delivery_id, self.at, 0, event)

    def _wanted(self, fresh: Sequence[Row]) -> Iterator[tuple[Row, Endpoint, bool]]:
        """Who hears of what, and whether the delivery is leased at once."""
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
        """Creates the next deliveries of a replay once all that were created before have left the queue."""
        for subscription_id in sorted(self.replays):
            endpoint = self.endpoints[subscription_id]
            key = LaneKey(self.practice_id, subscription_id, "replay")
            if endpoint.standing is not Standing.ACTIVE:
                self.replays.discard(subscription_id)  # held until it is resumed
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
            WITH next AS MATERIALIZED (
                SELECT delivery_id, created_at FROM webhook_delivery
                WHERE practice_id = $1 AND subscription_id = $2 AND kind = $3 AND state = 'queued'
                ORDER BY delivery_id LIMIT $4 FOR UPDATE SKIP LOCKED
            ), d AS (
                UPDATE webhook_delivery SET state = 'sending', leased_by = $5, hook_url = $6,
                       due_at = now() + interval '{LEASE_SECONDS} seconds'
                WHERE practice_id = $1 AND delivery_id = ANY (ARRAY(SELECT delivery_id FROM next))
                  AND created_at BETWEEN (SELECT min(created_at) FROM next) AND (SELECT max(created_at) FROM next)
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
        """Moves the cursor, and notes when the practice has to be looked at again."""
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
# The limit makes it a look-up for each delivery, whatever the planner believes of tables that are new: a plain join may
# become a read of all that the practice has ever done. `delivery_id = ANY` with bounds of `created_at` does the same.
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
