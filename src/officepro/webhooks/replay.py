"""Replays: repeated delivery of log events, from a log number or a time. (API.md: Webhooks)

A subscription has one replay at a time. The request stores the range; the worker creates the deliveries in batches of
up to MAXIMUM_CREATED, only while the subscription is active and after the previous batch has left the queue.
"""

from datetime import datetime
from typing import Literal

import msgspec

from officepro.events.reading import first_log_id_since, last_log_id
from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import Conflict, Impossible, NotFound
from officepro.foundation.outbound.urls import without_query
from officepro.webhooks import queries
from officepro.webhooks.queries import Endpoint, Subscription

MAXIMUM_REPLAYED = 10_000  # log rows of one replay; `nextFromLogId` of the response starts the next one
MAXIMUM_CREATED = 500  # queued deliveries of one replay


class ReplayOfTheFuture(Impossible):
    """The replay would start after the newest event. Use a `fromLogId` up to `lastLogId` of GET /v1/{PPass}/events, or
    a `since` in the past."""

    code = "replay_of_the_future"


class ReplayInProgress(Conflict):
    """A replay of this subscription is already in progress; see `replay`. Wait until it has completed, or cancel it
    with DELETE /v1/webhooks/replay."""

    code = "replay_in_progress"


class ReplayNotFound(NotFound):
    """This subscription has no replay. Start one with POST /v1/webhooks/replay."""

    code = "replay_not_found"


class Replay(msgspec.Struct, rename="camel"):
    """A replay and its progress: `created` of `deliveries` have been created so far. `nextFromLogId` starts the next
    replay if the range was too large for one, else null."""

    practicepass: str
    from_log_id: int
    to_log_id: int
    deliveries: int
    next_from_log_id: int | None
    status: Literal["running", "held", "completed", "cancelled"]  # held: until the subscription is active again
    created: int
    requested_at: datetime
    ended_at: datetime | None


async def start_of(db: Connection, practice_id: int, since: datetime, now: datetime) -> int:
    """Return the log number of the first event at or after `since`; the newest number plus one if there is none.

    Raises ReplayOfTheFuture.
    """
    if since > now:
        raise ReplayOfTheFuture
    found = await first_log_id_since(db, practice_id, since)
    return (await last_log_id(db, practice_id)) + 1 if found is None else found


async def start(db: Connection, practice_id: int, subscription: Subscription, from_log_id: int) -> Replay:
    """Store a replay for the worker. Call within a transaction that holds the subscription's lock.

    Raises ReplayInProgress, ReplayOfTheFuture.
    """
    latest = await find_latest(db, subscription.subscription_id)
    if latest is not None and latest.status in ("running", "held"):
        raise ReplayInProgress(replay=latest)
    last = await last_log_id(db, practice_id)
    if from_log_id > last + 1:
        raise ReplayOfTheFuture
    until = min(last, from_log_id + MAXIMUM_REPLAYED - 1)
    deliveries = await db.fetchval(
        "SELECT count(*) FROM log WHERE practice_id = $1 AND log_id BETWEEN $2 AND $3 AND scope = ANY ($4)",
        practice_id,
        from_log_id,
        until,
        subscription.scopes,
    )
    await db.execute(
        """
        INSERT INTO webhook_replay AS r (practice_id, subscription_id, from_log_id, to_log_id, next_log_id, scopes,
                                         deliveries, state, ended_at)
        VALUES ($1, $2, $3, $4, $3, $5, $6, $7, CASE WHEN $7 = 'completed' THEN now() END)
        ON CONFLICT (practice_id, subscription_id) DO UPDATE SET
            from_log_id = excluded.from_log_id, to_log_id = excluded.to_log_id, next_log_id = excluded.next_log_id,
            scopes = excluded.scopes, deliveries = excluded.deliveries, created = 0, state = excluded.state,
            requested_at = excluded.requested_at, ended_at = excluded.ended_at
        """,
        practice_id,
        subscription.subscription_id,
        from_log_id,
        until,
        subscription.scopes,
        deliveries,
        "running" if deliveries else "completed",
    )
    await queries.wake(db, practice_id)
    started = await find_latest(db, subscription.subscription_id)
    assert started is not None
    return started


async def find_latest(db: Connection, subscription_id: int) -> Replay | None:
    """Return the subscription's replay in progress, else the latest one; None if there is none."""
    row = await _latest(db, subscription_id)
    if row is None:
        return None
    status = row["state"]
    if status == "running" and row["subscription_status"] != "active":
        status = "held"
    to_log_id = row["to_log_id"]
    return Replay(
        practicepass=row["practicepass"],
        from_log_id=row["from_log_id"],
        to_log_id=to_log_id,
        deliveries=row["deliveries"],
        next_from_log_id=to_log_id + 1 if to_log_id < row["last"] else None,
        status=status,
        created=row["created"],
        requested_at=row["requested_at"],
        ended_at=row["ended_at"],
    )


async def latest(db: Connection, subscription_id: int) -> Replay:
    """Return the subscription's replay in progress, else the latest one. Raises ReplayNotFound."""
    found = await find_latest(db, subscription_id)
    if found is None:
        raise ReplayNotFound
    return found


async def cancel(db: Connection, subscription_id: int) -> Replay:
    """Cancel the replay in progress and its queued deliveries; a replay that has ended is unchanged. Call within a
    transaction that holds the subscription's lock. Raises ReplayNotFound."""
    row = await _latest(db, subscription_id)
    if row is None:
        raise ReplayNotFound
    if row["state"] != "running":
        return await latest(db, subscription_id)
    await db.execute(
        """
        UPDATE webhook_replay SET state = 'cancelled', ended_at = now()
        WHERE practice_id = $1 AND subscription_id = $2 AND state = 'running'
        """,
        row["practice_id"],
        subscription_id,
    )
    await queries.cancel_queued(db, row["practice_id"], [subscription_id], kinds=["replay"])
    return await latest(db, subscription_id)


async def subscriptions_in_progress(db: Connection) -> set[int]:
    """Return the subscriptions that have a replay in progress."""
    rows = await db.fetch("SELECT subscription_id FROM webhook_replay WHERE state = 'running'")
    return {row["subscription_id"] for row in rows}


async def create_deliveries(db: Connection, practice_id: int, endpoint: Endpoint) -> int | None:
    """Queue the next deliveries of the replay in progress and return their number: 0 if it has completed, None if a
    request has locked it to cancel it or to start another one.

    Called by the worker while it holds the practice's dispatch_state and no delivery of the replay is queued. Events
    whose first delivery is still queued are skipped, because the receiver will get that one.
    """
    replay = await db.fetchrow(
        """
        SELECT next_log_id, to_log_id, scopes FROM webhook_replay
        WHERE practice_id = $1 AND subscription_id = $2 AND state = 'running' FOR UPDATE SKIP LOCKED
        """,
        practice_id,
        endpoint.subscription_id,
    )
    if replay is None:
        return None
    made = await db.fetchrow(
        f"""
        WITH made AS (
            INSERT INTO webhook_delivery (practice_id, subscription_id, kind, event, event_id, log_id, occurred_at,
                                          hook_url, state)
            SELECT $1, $2, 'replay', event, 'evt_' || $1::bigint || '_' || log_id, log_id, occurred_at, $3, 'queued'
            FROM log WHERE practice_id = $1 AND log_id BETWEEN $4 AND $5 AND scope = ANY ($6) AND log_id NOT IN (
                SELECT d.log_id FROM webhook_delivery d
                WHERE d.practice_id = $1 AND d.subscription_id = $2 AND d.kind = 'live' AND d.state = 'queued'
                  AND d.log_id BETWEEN $4 AND $5)
            ORDER BY log_id LIMIT {MAXIMUM_CREATED}
            RETURNING log_id
        ) SELECT count(*) AS count, max(log_id) AS last FROM made
        """,
        practice_id,
        endpoint.subscription_id,
        without_query(endpoint.hook_url),
        replay["next_log_id"],
        replay["to_log_id"],
        sorted(endpoint.scopes.intersection(replay["scopes"])),
    )
    assert made is not None
    created: int = made["count"]
    await db.execute(
        """
        UPDATE webhook_replay SET next_log_id = $3, created = created + $4,
            state = CASE WHEN $4 = 0 THEN 'completed' ELSE state END, ended_at = CASE WHEN $4 = 0 THEN now() END
        WHERE practice_id = $1 AND subscription_id = $2
        """,
        practice_id,
        endpoint.subscription_id,
        made["last"] + 1 if created == MAXIMUM_CREATED else replay["to_log_id"] + 1,
        created,
    )
    return created


async def _latest(db: Connection, subscription_id: int) -> Row | None:
    return await db.fetchrow(
        """
        SELECT r.practice_id, r.from_log_id, r.to_log_id, r.deliveries, r.created, r.state, r.requested_at, r.ended_at,
               practice.practicepass, h.last, s.status AS subscription_status
        FROM webhook_replay r JOIN practice USING (practice_id) JOIN log_head h USING (practice_id)
        JOIN webhook_subscription s USING (subscription_id)
        WHERE r.subscription_id = $1 ORDER BY r.state = 'running' DESC, r.requested_at DESC LIMIT 1
        """,
        subscription_id,
    )
