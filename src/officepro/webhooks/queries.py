"""Queries of subscriptions, for the worker and for partners. Run under the system role.

Webhook transactions lock rows in one order, to avoid deadlocks:

1. the subscription; several in order of their ids
2. its replay
3. its queued deliveries
4. last, dispatch_state of the practice, which wakes a worker; several in order of practice

A worker that claims work locks dispatch_state first and waits for no lock while it holds it (SKIP LOCKED), so other
transactions may wait for it. A worker that writes results first locks its own deliveries in the state `sending`, for
which no other transaction waits.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import NotFound


class Standing(StrEnum):
    """Whether a worker sends deliveries of a subscription."""

    ACTIVE = "active"
    PAUSED = "paused"
    STOPPED = "stopped"  # disabled, or its key is no longer valid


class Endpoint(msgspec.Struct, frozen=True):
    """A subscription as the worker needs it: where to send, which scopes, how to sign."""

    subscription_id: int
    hook_url: str
    scopes: frozenset[str]  # those of the subscription that its key still has
    standing: Standing
    sealed_secrets: tuple[str, ...]
    failing_since: datetime | None
    warned_at: datetime | None


# In a chain of replaced keys, the newest key decides about validity and scopes.
_SELECTED = """
    SELECT s.subscription_id, s.hook_url, s.status, s.secret, s.failing_since, s.warned_at,
           CASE WHEN s.previous_secret_until > now() THEN s.previous_secret END AS previous_secret,
           ARRAY(SELECT unnest(s.scopes) INTERSECT SELECT unnest(k.scopes)) AS scopes,
           k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AND partner.active
               AND (k.practice_id IS NULL OR k.practice_id = $1) AS stands
    FROM webhook_subscription s
    CROSS JOIN LATERAL (
        WITH RECURSIVE line AS (
            SELECT k.*, 0 AS depth FROM api_key k WHERE k.api_key_id = s.api_key_id
            UNION ALL
            SELECT k.*, line.depth + 1 FROM line JOIN api_key k ON k.api_key_id = line.replaced_by
            WHERE line.depth < 1000
        ) SELECT * FROM line ORDER BY depth DESC LIMIT 1
    ) k
    JOIN partner USING (partner_id)
"""


async def endpoints(db: Connection, practice_id: int) -> list[Endpoint]:
    """Return all subscriptions to this practice's events, of any status."""
    rows = await db.fetch(
        f"{_SELECTED} WHERE s.practice_id = $1 UNION ALL {_SELECTED} WHERE s.practice_id IS NULL", practice_id
    )
    return [_endpoint(row) for row in rows]


async def endpoint(db: Connection, practice_id: int, subscription_id: int) -> Endpoint | None:
    """Return one subscription for sending; None if it was deleted."""
    row = await db.fetchrow(f"{_SELECTED} WHERE s.subscription_id = $2", practice_id, subscription_id)
    return None if row is None else _endpoint(row)


def _endpoint(row: Row) -> Endpoint:
    standing = Standing.STOPPED
    if row["stands"] and row["status"] != "disabled":
        standing = Standing(row["status"])
    return Endpoint(
        subscription_id=row["subscription_id"],
        hook_url=row["hook_url"],
        scopes=frozenset(row["scopes"]),
        standing=standing,
        sealed_secrets=tuple(sealed for sealed in (row["secret"], row["previous_secret"]) if sealed),
        failing_since=row["failing_since"],
        warned_at=row["warned_at"],
    )


# --- the partner's own subscription ----------------------------------------------------------------------------------


class Subscription(msgspec.Struct, frozen=True):
    """A subscription as shown to its partner and the admin."""

    subscription_id: int
    practice_id: int | None
    hook_url: str
    scopes: list[str]
    status: str
    failing_since: datetime | None
    warned_at: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    previous_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime


class UnknownSubscription(NotFound):
    """This API key has no webhook subscription. Create one with POST /v1/webhooks/signup."""

    code = "unknown_subscription"


_COLUMNS = ", ".join(f"s.{name}" for name in Subscription.__struct_fields__)

# The key with its predecessors and successors by replacement, which share one subscription.
_LINE = """
    WITH RECURSIVE older AS (
        SELECT $1::bigint AS api_key_id
        UNION SELECT k.api_key_id FROM api_key k JOIN older ON k.replaced_by = older.api_key_id
    ), newer AS (
        SELECT $1::bigint AS api_key_id
        UNION SELECT k.replaced_by FROM api_key k JOIN newer USING (api_key_id) WHERE k.replaced_by IS NOT NULL
    ), line AS (SELECT api_key_id FROM older UNION SELECT api_key_id FROM newer)
"""


async def subscription_of(db: Connection, key_id: int, *, lock: bool = False) -> Subscription:
    """Return the subscription of a key, locked until the transaction ends if `lock`. Raises UnknownSubscription."""
    found = await find_subscription(db, key_id, lock=lock)
    if found is None:
        raise UnknownSubscription
    return found


async def find_subscription(db: Connection, key_id: int, *, lock: bool = False) -> Subscription | None:
    """Return the subscription of a key, locked until the transaction ends if `lock`; None if there is none."""
    row = await db.fetchrow(
        f"""
        {_LINE} SELECT {_COLUMNS} FROM webhook_subscription s WHERE api_key_id IN (SELECT api_key_id FROM line)
        ORDER BY subscription_id LIMIT 1 {"FOR UPDATE" if lock else ""}
        """,
        key_id,
    )
    return None if row is None else Subscription(*row)


async def subscription(db: Connection, subscription_id: int) -> Subscription:
    """Return a subscription by id and lock it until the transaction ends. Raises UnknownSubscription."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM webhook_subscription s WHERE subscription_id = $1 FOR UPDATE", subscription_id
    )
    if row is None:
        raise UnknownSubscription
    return Subscription(*row)


async def lock_subscription(db: Connection, subscription_id: int) -> None:
    """Lock a subscription until the transaction ends."""
    await db.execute("SELECT FROM webhook_subscription WHERE subscription_id = $1 FOR UPDATE", subscription_id)


async def create(db: Connection, key_id: int, hook_url: str, scopes: list[str], sealed: str) -> Subscription | None:
    """Insert the subscription of a key. Return None if a concurrent request has inserted it."""
    row = await db.fetchrow(
        f"""
        INSERT INTO webhook_subscription AS s (api_key_id, practice_id, hook_url, scopes, secret)
        SELECT $1, practice_id, $2, $3, $4 FROM api_key WHERE api_key_id = $1
        ON CONFLICT ON CONSTRAINT webhook_subscription_one_per_key DO NOTHING RETURNING {_COLUMNS}
        """,
        key_id,
        hook_url,
        scopes,
        sealed,
    )
    return None if row is None else Subscription(*row)


async def change(db: Connection, subscription_id: int, hook_url: str, scopes: list[str]) -> Subscription:
    """Set URL and scopes, and clear the failure history. Re-enables a disabled subscription, but not a paused one."""
    row = await db.fetchrow(
        f"""
        UPDATE webhook_subscription s SET hook_url = $2, scopes = $3, updated_at = now(),
            status = CASE WHEN status = 'disabled' THEN 'active' ELSE status END,
            disabled_at = NULL, disabled_reason = NULL, failing_since = NULL, warned_at = NULL
        WHERE subscription_id = $1 RETURNING {_COLUMNS}
        """,
        subscription_id,
        hook_url,
        scopes,
    )
    assert row is not None
    return Subscription(*row)


async def set_status(db: Connection, subscription_id: int, status: str) -> Subscription:
    """Set the status `paused` or `active`. Clears the failure history of a disabled subscription."""
    row = await db.fetchrow(
        f"""
        UPDATE webhook_subscription s SET status = $2, updated_at = now(), disabled_at = NULL, disabled_reason = NULL,
            failing_since = CASE WHEN status = 'disabled' THEN NULL ELSE failing_since END,
            warned_at = CASE WHEN status = 'disabled' THEN NULL ELSE warned_at END
        WHERE subscription_id = $1 RETURNING {_COLUMNS}
        """,
        subscription_id,
        status,
    )
    assert row is not None
    return Subscription(*row)


async def rotate_secret(db: Connection, subscription_id: int, sealed: str, overlap_hours: int) -> Subscription:
    """Set a new secret, encrypted; the previous one remains valid for `overlap_hours`."""
    row = await db.fetchrow(
        f"""
        UPDATE webhook_subscription s SET previous_secret = secret, secret = $2, updated_at = now(),
            previous_secret_until = now() + make_interval(hours => $3)
        WHERE subscription_id = $1 RETURNING {_COLUMNS}
        """,
        subscription_id,
        sealed,
        overlap_hours,
    )
    assert row is not None
    return Subscription(*row)


async def delete(db: Connection, subscription_id: int) -> None:
    """Delete a subscription."""
    await db.execute("DELETE FROM webhook_subscription WHERE subscription_id = $1", subscription_id)


async def practices_waiting(db: Connection, subscription_id: int) -> list[int]:
    """Return the practices in which this subscription has queued deliveries or a running replay. Takes no lock."""
    rows = await db.fetch(
        """
        SELECT practice_id FROM dispatch_state p WHERE EXISTS (
            SELECT FROM webhook_delivery d WHERE d.practice_id = p.practice_id AND d.subscription_id = $1
            AND d.state = 'queued')
          OR EXISTS (SELECT FROM webhook_replay r WHERE r.practice_id = p.practice_id AND r.subscription_id = $1
                     AND r.state = 'running')
        ORDER BY practice_id
        """,
        subscription_id,
    )
    return [row["practice_id"] for row in rows]


async def make_known(db: Connection, practice_id: int) -> None:
    """Insert the practice's dispatch_state if it has none."""
    await db.execute("INSERT INTO dispatch_state (practice_id) VALUES ($1) ON CONFLICT DO NOTHING", practice_id)


async def wake(db: Connection, practice_id: int) -> None:
    """Make the practice due, so that a worker checks it."""
    await make_known(db, practice_id)
    await db.execute(
        "UPDATE dispatch_state SET next_due_at = least(next_due_at, now()) WHERE practice_id = $1", practice_id
    )


# SQL condition: the delivery is one of those that the CTE `locked` has locked. In this form they are looked up by key,
# in their months alone, whatever the planner expects of tables without statistics.
IS_LOCKED = """
    delivery_id = ANY (ARRAY(SELECT delivery_id FROM locked))
    AND created_at BETWEEN (SELECT min(created_at) FROM locked) AND (SELECT max(created_at) FROM locked)
"""


async def cancel_queued(
    db: Connection,
    practice_id: int,
    subscription_ids: Sequence[int],
    kinds: Sequence[str] = ("live", "replay"),
    *,
    is_waiting: bool = True,
) -> None:
    """Cancel the queued deliveries of these subscriptions; by default not manual ones, which are sent even if the
    subscription is disabled. If not `is_waiting`, locked rows are skipped: a request is cancelling them."""
    await db.execute(
        f"""
        WITH locked AS MATERIALIZED (
            SELECT delivery_id, created_at FROM webhook_delivery
            WHERE practice_id = $1 AND subscription_id = ANY ($2) AND kind = ANY ($3) AND state = 'queued'
            ORDER BY delivery_id FOR UPDATE {"" if is_waiting else "SKIP LOCKED"}
        )
        UPDATE webhook_delivery SET state = 'cancelled'
        WHERE practice_id = $1 AND {IS_LOCKED}
        """,
        practice_id,
        list(subscription_ids),
        list(kinds),
    )
