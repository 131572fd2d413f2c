"""Replay: what lies in the log is delivered again, from a number or a moment on. (API.md: Webhooks)"""

from datetime import datetime
from typing import NamedTuple

from officepro.events.reading import first_log_id_since, last_log_id
from officepro.foundation.database import Connection
from officepro.foundation.errors import Impossible
from officepro.webhooks import queries
from officepro.webhooks.queries import Subscription

MAXIMUM_REPLAYED = 10_000  # log rows; the answer says where to go on


class ReplayOfTheFuture(Impossible):
    """There is nothing to replay there yet; lastLogId of GET /v1/{PPass}/events is the newest number."""

    code = "replay_of_the_future"


class Replayed(NamedTuple):
    from_log_id: int
    to_log_id: int
    deliveries: int
    next_from_log_id: int | None


async def start_of(db: Connection, practice_id: int, since: datetime, now: datetime) -> int:
    """The number of the first event at or after a moment; one past the newest when nothing has happened since."""
    if since > now:
        raise ReplayOfTheFuture
    found = await first_log_id_since(db, practice_id, since)
    return (await last_log_id(db, practice_id)) + 1 if found is None else found


async def replay(db: Connection, practice_id: int, subscription: Subscription, from_log_id: int) -> Replayed:
    """Within a transaction. Replayed events have a queue of their own and hold up no new ones."""
    last = await last_log_id(db, practice_id)
    if from_log_id > last + 1:
        raise ReplayOfTheFuture
    until = min(last, from_log_id + MAXIMUM_REPLAYED - 1)
    deliveries = await db.fetchval(
        """
        WITH queued AS (
            INSERT INTO webhook_delivery (practice_id, subscription_id, kind, event, event_id, log_id, occurred_at,
                                          hook_url, state)
            SELECT $1, $2, 'replay', event, 'evt_' || $1::bigint || '_' || log_id, log_id, occurred_at, $3, 'queued'
            FROM log WHERE practice_id = $1 AND log_id BETWEEN $4 AND $5 AND scope = ANY ($6) ORDER BY log_id
            RETURNING 1
        ) SELECT count(*) FROM queued
        """,
        practice_id,
        subscription.subscription_id,
        subscription.hook_url,
        from_log_id,
        until,
        subscription.scopes,
    )
    await queries.wake(db, practice_id)
    return Replayed(from_log_id, until, deliveries, until + 1 if until < last else None)
