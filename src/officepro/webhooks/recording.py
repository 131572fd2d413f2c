"""Writes the results of attempts to the database in batches, each under the lease with which it was sent.

A result whose lease has expired changes nothing: the worker that now has the lease writes its own result. Retry times
and the duration of failures use the database's clock only, so that a worker with a wrong or changed clock neither
retries too early nor disables a subscription too early.

Locks are taken in the order described in `queries`, so a transaction calls `record`, `note_health` and `wake` in this
order.
"""

import math
import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from officepro.foundation.clock import timestamp
from officepro.foundation.database import Connection
from officepro.foundation.outbound.urls import without_query
from officepro.webhooks.delivery import Delivered, Failed
from officepro.webhooks.lanes import Item, LaneKey
from officepro.webhooks.queries import cancel_queued
from officepro.webhooks.retries import DISABLE_AFTER, is_due_for_disabling, is_due_for_warning, next_attempt

_random = random.SystemRandom()


class Result(msgspec.Struct, frozen=True):
    """The result of one leased delivery."""

    lane: LaneKey
    item: Item
    outcome: Delivered | Failed | None  # None: released without an attempt


async def record(db: Connection, results: Sequence[Result]) -> tuple[dict[int, float], set[int]]:
    """Write the results. Call within a transaction.

    Return, by practice, the seconds until the first retry is due; and the practices to wake at the end of the
    transaction because deliveries were released, so that other workers need not wait for the leases to expire.
    """
    by_practice: dict[tuple[int, int], list[Result]] = defaultdict(list)
    for result in results:
        by_practice[result.lane.practice_id, result.item.leased_by].append(result)
    delivered, others = [], []
    given_back: set[int] = set()
    due: dict[int, float] = {}
    for (practice_id, worker), group in sorted(by_practice.items()):
        if good := [result for result in group if isinstance(result.outcome, Delivered)]:
            delivered.append((practice_id, worker, *_delivered_columns(good)))
        if rest := [_changed(result) for result in group if not isinstance(result.outcome, Delivered)]:
            columns: list[list[Any]] = list(map(list, zip(*rest, strict=True)))
            others.append((practice_id, worker, *columns, min(columns[1]), max(columns[1])))
            if any(row[2] == "queued" for row in rest):
                given_back.add(practice_id)
            if waits := [row[3] for row in rest if row[3] is not None]:
                due[practice_id] = min(due.get(practice_id, math.inf), *waits)
    if delivered:
        await db.executemany(_DELIVERED, delivered)
    if others:
        await db.executemany(_OTHERS, others)
    return due, given_back


async def wake(db: Connection, practices: Mapping[int, float]) -> None:
    """Make each practice due in the given number of seconds, so that a worker checks it then."""
    if practices:
        await db.executemany(_WAKE, sorted(practices.items()))


def _delivered_columns(results: Sequence[Result]) -> list[object]:
    rows = [
        (result.item.delivery_id, result.item.created_at, *result.outcome)
        for result in results
        if isinstance(result.outcome, Delivered)
    ]
    columns: list[list[Any]] = list(map(list, zip(*rows, strict=True)))
    return [*columns, min(columns[1]), max(columns[1])]


def _changed(
    result: Result,
) -> tuple[int, datetime, str, float | None, datetime | None, int | None, str | None, str | None, int | None]:
    """Return the update of a failed or released delivery: identity, state, seconds until due, and the failure."""
    item, outcome = result.item, result.outcome
    identity = (item.delivery_id, item.created_at)
    if not isinstance(outcome, Failed):
        return *identity, "queued", None, None, None, None, None, None
    due = None
    if not outcome.gone and result.lane.traffic != "manual":  # manual deliveries have one attempt
        due = next_attempt(item.attempts + 1, outcome.at, _random.random(), outcome.retry_after)
    return (
        *identity,
        "failed" if due is None else "pending",
        None if due is None else (due - outcome.at).total_seconds(),
        outcome.at,
        outcome.status_code,
        outcome.error_code,
        outcome.error_message,
        outcome.duration_ms,
    )


# `delivery_id = ANY` and the bounds on `created_at` repeat the join condition, so that rows are found by primary key
# and only in the partitions concerned. On new tables without statistics the planner may otherwise read all deliveries
# of the practice.
_DELIVERED = """
    UPDATE webhook_delivery d
    SET state = 'delivered', attempts = d.attempts + 1, due_at = NULL, leased_by = NULL, attempted_at = r.attempted_at,
        status_code = r.status_code, error_code = NULL, error_message = NULL, duration_ms = r.duration_ms
    FROM unnest($3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::smallint[], $7::integer[])
         AS r (delivery_id, created_at, attempted_at, status_code, duration_ms)
    WHERE d.practice_id = $1 AND d.delivery_id = r.delivery_id AND d.created_at = r.created_at
      AND d.delivery_id = ANY ($3) AND d.created_at BETWEEN $8 AND $9 AND d.state = 'sending' AND d.leased_by = $2
"""
_OTHERS = """
    UPDATE webhook_delivery d
    SET state = r.state, attempts = d.attempts + (r.attempted_at IS NOT NULL)::int, leased_by = NULL,
        due_at = now() + make_interval(secs => r.due_seconds), attempted_at = coalesce(r.attempted_at, d.attempted_at),
        status_code = CASE WHEN r.attempted_at IS NULL THEN d.status_code ELSE r.status_code END,
        error_code = coalesce(r.error_code, d.error_code), error_message = coalesce(r.error_message, d.error_message),
        duration_ms = coalesce(r.duration_ms, d.duration_ms)
    FROM unnest($3::bigint[], $4::timestamptz[], $5::text[], $6::float8[], $7::timestamptz[], $8::smallint[],
                $9::text[], $10::text[], $11::integer[])
         AS r (delivery_id, created_at, state, due_seconds, attempted_at, status_code, error_code, error_message,
               duration_ms)
    WHERE d.practice_id = $1 AND d.delivery_id = r.delivery_id AND d.created_at = r.created_at
      AND d.delivery_id = ANY ($3) AND d.created_at BETWEEN $12 AND $13 AND d.state = 'sending' AND d.leased_by = $2
"""
_WAKE = """
    UPDATE dispatch_state SET next_due_at = least(next_due_at, now() + make_interval(secs => $2)) WHERE practice_id = $1
"""


async def note_health(
    db: Connection, failures: Mapping[int, tuple[LaneKey, Failed]], recovered: Collection[int]
) -> set[int]:
    """Update the health of endpoints after their latest attempts, by subscription: start of failing, warning event, and
    disabling. Call within a transaction. Return the practices to wake at its end.

    One read for all of them, and writes only for changes, because endpoints that keep failing are in every batch.
    """
    rows = await db.fetch(
        """
        SELECT subscription_id, failing_since, warned_at, hook_url, now() AS at FROM webhook_subscription
        WHERE subscription_id = ANY ($1) AND status <> 'disabled' ORDER BY subscription_id
        """,
        sorted(failures),
    )
    well = [row["subscription_id"] for row in rows if row["failing_since"] is None]
    ends, warns = [], []
    for row in rows:
        failing_since: datetime = row["failing_since"] or row["at"]
        if failures[row["subscription_id"]][1].gone or is_due_for_disabling(failing_since, row["at"]):
            ends.append(row["subscription_id"])
        elif row["warned_at"] is None and is_due_for_warning(failing_since, row["at"]):
            warns.append(row)
    changes = {*well, *ends, *(row["subscription_id"] for row in warns), *recovered}
    if len(changes) > 1:  # in order of ids, to avoid deadlocks
        await db.execute(
            """
            SELECT FROM webhook_subscription WHERE subscription_id = ANY ($1)
            ORDER BY subscription_id FOR NO KEY UPDATE
            """,
            sorted(changes),
        )
    if well:
        await db.execute(
            """
            UPDATE webhook_subscription SET failing_since = now()
            WHERE subscription_id = ANY ($1) AND failing_since IS NULL
            """,
            well,
        )
    if recovered:
        await _note_recovery(db, recovered)
    for subscription_id in ends:
        lane, failure = failures[subscription_id]
        await _disable(db, lane, "gone" if failure.gone else "failing")
    warned = set()
    for row in warns:
        lane, _ = failures[row["subscription_id"]]
        if await _warn(db, lane, row["hook_url"], row["failing_since"] or row["at"], row["at"]):
            warned.add(lane.practice_id)
    return warned


async def _note_recovery(db: Connection, subscription_ids: Iterable[int]) -> None:
    await db.execute(
        """
        UPDATE webhook_subscription SET failing_since = NULL, warned_at = NULL
        WHERE subscription_id = ANY ($1) AND failing_since IS NOT NULL
        """,
        sorted(subscription_ids),
    )


async def _disable(db: Connection, lane: LaneKey, reason: str) -> None:
    await db.execute(
        """
        UPDATE webhook_subscription
        SET status = 'disabled', disabled_at = now(), disabled_reason = $2, updated_at = now()
        WHERE subscription_id = $1 AND status <> 'disabled'
        """,
        lane.subscription_id,
        reason,
    )
    await cancel_queued(db, lane.practice_id, [lane.subscription_id])


async def _warn(db: Connection, lane: LaneKey, hook_url: str, failing_since: datetime, now: datetime) -> bool:
    """Queue the event `webhook.failing`. Return False if another worker has queued it. The partner may still receive
    it, since a failing endpoint may accept some events."""
    is_first = await db.fetchval(
        """
        UPDATE webhook_subscription SET warned_at = $2
        WHERE subscription_id = $1 AND warned_at IS NULL AND failing_since IS NOT NULL RETURNING true
        """,
        lane.subscription_id,
        now,
    )
    if not is_first:
        return False
    data = {"failingSince": timestamp(failing_since), "disabledAt": timestamp(failing_since + DISABLE_AFTER)}
    await db.execute(
        """
        INSERT INTO webhook_delivery (practice_id, subscription_id, kind, event, event_id, occurred_at, data,
                                      hook_url, state)
        VALUES ($1, $2, 'live', 'webhook.failing', 'evt_' || gen_random_uuid(), $3, $4::text::jsonb, $5, 'queued')
        """,
        lane.practice_id,
        lane.subscription_id,
        now,
        msgspec.json.encode(data).decode(),
        without_query(hook_url),
    )
    return True
