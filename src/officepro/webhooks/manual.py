"""A delivery by hand: a new record, one attempt at once, and its result. (seeds: POST /v1/admin/webhooks/retry/{id})

made = await begin(db, …)            in a transaction
outcome = await send(made, …)        outside of any
await finish(db, made, outcome)      in another
"""

import secrets
from typing import NamedTuple

import msgspec

from officepro.foundation import clock
from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import Conflict, NotFound
from officepro.foundation.outbound.client import OutboundClient
from officepro.settings import Settings
from officepro.webhooks import queries, recording
from officepro.webhooks.delivery import Delivered, Failed, attempt
from officepro.webhooks.lanes import LEASE_SECONDS
from officepro.webhooks.messages import Event
from officepro.webhooks.queries import Endpoint
from officepro.webhooks.sealing import Sealer

TEST_EVENT = "webhook.test"
TEST_DATA = '{"message": "This is a test."}'


class UnknownDelivery(NotFound):
    """There is no such webhook delivery; GET /v1/admin/webhooks/monitor lists them."""

    code = "unknown_delivery"


class SubscriptionGone(Conflict):
    """The subscription of this delivery has been deleted, so there is nowhere to send it."""

    code = "subscription_gone"


class EventExpired(Conflict):
    """The log no longer holds this event; it is past its retention."""

    code = "event_expired"


class Made(NamedTuple):
    """A record that is about to be sent."""

    practice_id: int
    delivery_id: int
    leased_by: int
    event: Event
    endpoint: Endpoint


async def begin_retry(db: Connection, source_id: int, subscription_id: int | None = None) -> Made:
    """A new record of the same event; of this subscription alone, where one is given.

    Raises UnknownDelivery, SubscriptionGone, EventExpired.
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
    return await _begin(db, source["practice_id"], endpoint, event)


async def begin_test(db: Connection, practice_id: int, practicepass: str, subscription_id: int) -> Made:
    """A harmless event that is not in the log."""
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
    return await _begin(db, practice_id, endpoint, event)


async def _begin(db: Connection, practice_id: int, endpoint: Endpoint, event: Event) -> Made:
    leased_by = secrets.randbits(62)
    delivery_id = await db.fetchval(
        f"""
        INSERT INTO webhook_delivery (practice_id, subscription_id, kind, event, event_id, log_id, occurred_at, data,
                                      hook_url, state, due_at, leased_by)
        VALUES ($1, $2, 'manual', $3, $4, $5, $6, $7::text::jsonb, $8, 'sending',
                now() + interval '{LEASE_SECONDS} seconds', $9) RETURNING delivery_id
        """,
        practice_id,
        endpoint.subscription_id,
        event.event,
        event.event_id,
        event.log_id,
        event.occurred_at,
        None if event.log_id is not None else event.data,
        endpoint.hook_url,
        leased_by,
    )
    await recording.wake_at_lease_end(db, practice_id)
    return Made(practice_id, delivery_id, leased_by, event, endpoint)


async def send(made: Made, settings: Settings) -> Delivered | Failed:
    sealer = Sealer(settings.encryption_keys)
    signers = [sealer.open(sealed) for sealed in made.endpoint.sealed_secrets]
    async with OutboundClient(settings.webhook_allowed_networks, connections=1) as client:
        return await attempt(client, made.endpoint.hook_url, signers, made.event, clock.now())


async def finish(db: Connection, made: Made, outcome: Delivered | Failed) -> None:
    """One attempt is all there is: whoever asked sees what came of it."""
    failure = outcome if isinstance(outcome, Failed) else None
    await db.execute(
        """
        UPDATE webhook_delivery SET state = $4, attempts = 1, due_at = NULL, leased_by = NULL, attempted_at = $5,
            status_code = $6, duration_ms = $7, error_code = $8, error_message = $9
        WHERE practice_id = $1 AND delivery_id = $2 AND state = 'sending' AND leased_by = $3
        """,
        made.practice_id,
        made.delivery_id,
        made.leased_by,
        "delivered" if failure is None else "failed",
        outcome.at,
        outcome.status_code,
        outcome.duration_ms,
        failure and failure.error_code,
        failure and failure.error_message,
    )
    if failure is None and made.endpoint.failing_since is not None:
        await recording.note_recovery(db, [made.endpoint.subscription_id])


class Shown(msgspec.Struct, frozen=True):
    """A manual delivery as it stands on record."""

    delivery_id: int
    is_over: bool
    success: bool
    status_code: int | None
    attempts: int
    duration_ms: int | None
    error_message: str | None


async def shown(db: Connection, delivery_id: int) -> Shown:
    row: Row | None = await db.fetchrow(
        """
        SELECT delivery_id, state <> 'sending', state = 'delivered', status_code, attempts, duration_ms,
               error_code || coalesce(': ' || error_message, '')
        FROM webhook_delivery WHERE delivery_id = $1
        """,
        delivery_id,
    )
    if row is None:
        raise UnknownDelivery
    return Shown(*row)
