"""Manual deliveries: test events and retries of one delivery. (Source API specification: /v1/admin/webhooks/retry/{id})

The API process queues a delivery record and waits for the result; the worker sends it once. An API process opens no
connection to receivers: it may run in a network without access to them, and slow receivers occupy at most the number
of requests that is limited here.

    with manual_deliveries.place(key_id):
        async with once.system_transaction() as db:
            delivery_id = await queue_test(db, …)
        result = await manual_deliveries.result(database, delivery_id)
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from officepro.foundation import clock
from officepro.foundation.database import Connection, Database, Overloaded
from officepro.foundation.errors import Conflict, NotFound, TooManyRequests, Unavailable
from officepro.foundation.outbound.urls import without_query
from officepro.webhooks import queries
from officepro.webhooks.messages import Event
from officepro.webhooks.queries import Endpoint

WAIT_SECONDS = 20.0  # for the result; a delivery that the worker has not started by then is never sent
PLACES = 16  # requests of one API process that wait for results
PLACES_PER_SUBSCRIPTION = 2  # manual deliveries that are queued or being sent
FIRST_POLL_SECONDS = 0.05
LONGEST_POLL_SECONDS = 0.5
POLL_GROWTH = 1.5
RETRY_AFTER_SECONDS = 5

TEST_EVENT = "webhook.test"
TEST_DATA = '{"message": "This is a test."}'
EXPIRED = "expired"


class UnknownDelivery(NotFound):
    """No such webhook delivery. GET /v1/admin/webhooks/monitor lists deliveries."""

    code = "unknown_delivery"


class SubscriptionGone(Conflict):
    """The subscription of this delivery was deleted, so the delivery cannot be retried."""

    code = "subscription_gone"


class EventExpired(Conflict):
    """The event of this delivery is past its retention period and was deleted, so it cannot be sent again."""

    code = "event_expired"


class TooManyManualDeliveries(TooManyRequests):
    """Two test events or retries of this subscription are already in progress. Wait for their results, then retry."""

    code = "too_many_manual_deliveries"

    def __init__(self) -> None:
        super().__init__(retry_after_seconds=RETRY_AFTER_SECONDS)


class WorkerUnavailable(Unavailable):
    """The worker did not start this delivery within 20 seconds, so it was cancelled. Check that `officepro worker` is
    running, then retry with a new Idempotency-Key."""

    code = "worker_unavailable"


class ResultPending(Unavailable):
    """The delivery is being sent, but there was no result within 20 seconds. Do not repeat the request; GET
    /v1/webhooks/deliveries will show the result under `deliveryId`."""

    code = "result_pending"


class Result(msgspec.Struct, frozen=True):
    """State of a manual delivery in the database."""

    delivery_id: int
    practice_id: int
    is_over: bool
    success: bool
    status_code: int | None
    attempts: int
    duration_ms: int | None
    error_message: str | None
    is_expired: bool


class ManualDeliveries:
    """Limit of the requests of one API process that wait for results: PLACES in total, two per API key."""

    def __init__(self) -> None:
        self._waiting: Counter[int] = Counter()  # by key

    @contextmanager
    def place(self, key_id: int | None) -> Iterator[None]:
        """Count a waiting request until the block ends; `key_id` is None for the admin. Enter it before any query.
        Raises TooManyManualDeliveries, Overloaded."""
        if key_id is not None and self._waiting[key_id] >= PLACES_PER_SUBSCRIPTION:
            raise TooManyManualDeliveries
        if self._waiting.total() >= PLACES:
            raise Overloaded("Too many requests are waiting for results of webhook deliveries. Retry in a few seconds.")
        counted_as = key_id or 0
        self._waiting[counted_as] += 1
        try:
            yield
        finally:
            self._waiting[counted_as] -= 1
            if not self._waiting[counted_as]:
                del self._waiting[counted_as]

    async def result(self, database: Database, delivery_id: int) -> Result:
        """Wait until the delivery is over. Raises WorkerUnavailable, ResultPending, UnknownDelivery."""
        ends = asyncio.get_running_loop().time() + WAIT_SECONDS
        pause = FIRST_POLL_SECONDS
        while True:
            async with database.system() as db:
                result = await read_result(db, delivery_id)
            left = ends - asyncio.get_running_loop().time()
            if result.is_over or left <= 0:
                break
            await asyncio.sleep(min(pause, left))
            pause = min(pause * POLL_GROWTH, LONGEST_POLL_SECONDS)
        if not result.is_over:
            async with database.system_transaction() as db:
                await expire_one(db, result.practice_id, delivery_id)
                result = await read_result(db, delivery_id)
        if result.is_expired:
            raise WorkerUnavailable(deliveryId=delivery_id)
        if not result.is_over:
            raise ResultPending(deliveryId=delivery_id)
        return result


async def queue_retry(db: Connection, source_id: int, subscription_id: int | None = None) -> int:
    """Queue a new delivery of the same event and return its id. With `subscription_id`, only a delivery of that
    subscription is found.

    Call within a transaction. Raises UnknownDelivery, SubscriptionGone, EventExpired, TooManyManualDeliveries.
    """
    source = await db.fetchrow(
        """
        SELECT d.practice_id, d.subscription_id, d.event, d.event_id, d.log_id, d.occurred_at, practice.practicepass,
               l.scope, coalesce(d.data, l.data)::text AS data
        FROM webhook_delivery d JOIN practice USING (practice_id)
        LEFT JOIN log l ON l.practice_id = d.practice_id AND l.log_id = d.log_id AND l.occurred_at = d.occurred_at
        WHERE d.delivery_id = $1 AND ($2::bigint IS NULL OR d.subscription_id = $2)
        """,
        source_id,
        subscription_id,
    )
    if source is None:
        raise UnknownDelivery
    if source["data"] is None:
        raise EventExpired
    endpoint = await queries.endpoint(db, source["practice_id"], source["subscription_id"])
    if endpoint is None:
        raise SubscriptionGone
    event = Event(**{name: source[name] for name in Event.__struct_fields__})
    return await _queue(db, source["practice_id"], endpoint, event)


async def queue_test(db: Connection, practice_id: int, practicepass: str, subscription_id: int) -> int:
    """Queue a `webhook.test` event, which is not part of the event log, and return the delivery's id.

    Call within a transaction. Raises TooManyManualDeliveries.
    """
    endpoint = await queries.endpoint(db, practice_id, subscription_id)
    assert endpoint is not None
    event = Event(
        event=TEST_EVENT,
        event_id=f"evt_test_{secrets.token_hex(12)}",
        practicepass=practicepass,
        scope=None,
        log_id=None,
        occurred_at=clock.now(),
        data=TEST_DATA,
    )
    return await _queue(db, practice_id, endpoint, event)


async def _queue(db: Connection, practice_id: int, endpoint: Endpoint, event: Event) -> int:
    await queries.lock_subscription(db, endpoint.subscription_id)  # so that the limit below holds over all processes
    under_way = await db.fetchval(
        """
        SELECT (SELECT count(*) FROM webhook_delivery WHERE practice_id = $1 AND subscription_id = $2
                AND kind = 'manual' AND state = 'queued' AND created_at > now() - interval '1 minute')
             + (SELECT count(*) FROM webhook_delivery WHERE practice_id = $1 AND subscription_id = $2
                AND kind = 'manual' AND state = 'sending' AND due_at > now() AND created_at > now() - interval '1 day')
        """,
        practice_id,
        endpoint.subscription_id,
    )
    if under_way >= PLACES_PER_SUBSCRIPTION:
        raise TooManyManualDeliveries
    delivery_id: int = await db.fetchval(
        """
        INSERT INTO webhook_delivery (practice_id, subscription_id, kind, event, event_id, log_id, occurred_at, data,
                                      hook_url, state)
        VALUES ($1, $2, 'manual', $3, $4, $5, $6, $7::text::jsonb, $8, 'queued') RETURNING delivery_id
        """,
        practice_id,
        endpoint.subscription_id,
        event.event,
        event.event_id,
        event.log_id,
        event.occurred_at,
        None if event.log_id is not None else event.data,
        without_query(endpoint.hook_url),
    )
    await queries.wake(db, practice_id)
    return delivery_id


async def expire(db: Connection, practice_id: int, subscription_id: int) -> None:
    """Cancel manual deliveries whose request no longer waits, so that they are not sent late. Skips locked rows, which
    a request is cancelling."""
    await db.execute(
        f"""
        WITH locked AS MATERIALIZED (
            SELECT delivery_id, created_at FROM webhook_delivery
            WHERE practice_id = $1 AND subscription_id = $2 AND kind = 'manual' AND state = 'queued'
              AND created_at <= now() - make_interval(secs => {WAIT_SECONDS}) FOR UPDATE SKIP LOCKED
        )
        UPDATE webhook_delivery SET state = 'cancelled', error_code = '{EXPIRED}'
        WHERE practice_id = $1 AND {queries.IS_LOCKED}
        """,
        practice_id,
        subscription_id,
    )


async def expire_one(db: Connection, practice_id: int, delivery_id: int) -> None:
    """Cancel a manual delivery that the worker has not started."""
    await db.execute(
        f"""
        UPDATE webhook_delivery SET state = 'cancelled', error_code = '{EXPIRED}'
        WHERE practice_id = $1 AND delivery_id = $2 AND kind = 'manual' AND state = 'queued'
        """,
        practice_id,
        delivery_id,
    )


async def read_result(db: Connection, delivery_id: int) -> Result:
    """Return the state of a manual delivery. Raises UnknownDelivery."""
    row = await db.fetchrow(
        f"""
        SELECT delivery_id, practice_id, state NOT IN ('queued', 'sending'), state = 'delivered', status_code, attempts,
               duration_ms, CASE WHEN state = 'cancelled' AND error_code IS NULL THEN 'cancelled'
                            ELSE error_code || coalesce(': ' || error_message, '') END,
               coalesce(error_code = '{EXPIRED}', false)
        FROM webhook_delivery WHERE delivery_id = $1
        """,
        delivery_id,
    )
    if row is None:
        raise UnknownDelivery
    return Result(*row)
