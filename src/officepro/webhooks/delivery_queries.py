"""Read queries over deliveries: a partner's own in one practice, and the admin monitor's over all practices."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.paging import MAXIMUM_TOTAL, Page

MAXIMUM_STATES = 1000

# In the field order of `Delivery`.
_SHOWN = """
    d.delivery_id, practice.practicepass, d.subscription_id, d.event, d.event_id, d.log_id,
    regexp_replace(d.hook_url, '[?].*', '?…') AS hook_url,  -- rows written by version 0.1 include the query
    CASE WHEN d.state = 'delivered' THEN true WHEN d.attempts > 0 THEN false END AS success,
    d.status_code, d.attempts, d.error_code || coalesce(': ' || d.error_message, '') AS error_message, d.duration_ms,
    d.created_at, CASE WHEN d.state = 'pending' THEN d.due_at END AS next_attempt_at
"""


_ABOUT_PATIENT = """EXISTS (
    SELECT FROM log WHERE log.practice_id = d.practice_id AND log.log_id = d.log_id AND log.occurred_at = d.occurred_at
    AND jsonb_path_exists(log.data, '$.**.PatientID ? (@ == $patient || @ == $digits)',
                          jsonb_build_object('patient', ${0}::bigint, 'digits', ${0}::bigint::text)))"""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Filter of deliveries. None means no restriction; `since` is inclusive, `until` is exclusive."""

    practice_id: int | None = None
    subscription_id: int | None = None
    success: bool | None = None
    event: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    patient_id: int | None = None  # in `data` of the event in the log

    def where(self) -> tuple[str, list[object]]:
        """Return the SQL condition over the table alias `d`, and its parameters."""
        values: list[object] = []
        conditions = ["true"]
        for condition, value in (
            ("d.practice_id =", self.practice_id),
            ("d.subscription_id =", self.subscription_id),
            ("d.event =", self.event),
            ("d.created_at >=", self.since),
            ("d.created_at <", self.until),
        ):
            if value is not None:
                values.append(value)
                conditions.append(f"{condition} ${len(values)}")
        if self.patient_id is not None:
            values.append(self.patient_id)
            conditions.append(_ABOUT_PATIENT.format(len(values)))
        if self.success is not None:
            conditions.append("d.state = 'delivered'" if self.success else "d.attempts > 0 AND d.state <> 'delivered'")
        return " AND ".join(conditions), values


async def some(db: Connection, wanted: Filter, page: Page) -> tuple[Sequence[Row], int]:
    """Return one page of deliveries, newest first, and the total, counted up to MAXIMUM_TOTAL."""
    where, values = wanted.where()
    rows = await db.fetch(
        f"""
        SELECT {_SHOWN}, d.state FROM webhook_delivery d JOIN practice USING (practice_id) WHERE {where}
        ORDER BY d.delivery_id DESC LIMIT {page.limit} OFFSET {page.offset}
        """,
        *values,
    )
    total = await db.fetchval(
        f"SELECT count(*) FROM (SELECT FROM webhook_delivery d WHERE {where} LIMIT {MAXIMUM_TOTAL}) AS counted", *values
    )
    return rows, total


async def recent(db: Connection, wanted: Filter, limit: int, offset: int) -> Sequence[Row]:
    """Return deliveries of any practice, newest first."""
    where, values = wanted.where()
    return await db.fetch(
        f"""
        SELECT {_SHOWN} FROM webhook_delivery d JOIN practice USING (practice_id) WHERE {where}
        ORDER BY d.delivery_id DESC LIMIT {limit:d} OFFSET {offset:d}
        """,
        *values,
    )


async def counts(db: Connection, wanted: Filter) -> tuple[int, int]:
    """Count attempted deliveries, and those of them that have not succeeded."""
    where, values = wanted.where()
    row = await db.fetchrow(
        f"""
        SELECT count(*) FILTER (WHERE d.attempts > 0),
               count(*) FILTER (WHERE d.attempts > 0 AND d.state <> 'delivered')
        FROM webhook_delivery d WHERE {where}
        """,
        *values,
    )
    assert row is not None
    return row[0], row[1]


async def subscription_counts(db: Connection, practice_id: int | None) -> tuple[int, int]:
    """Count all subscriptions and the active ones; with a practice, only those that receive its events."""
    row = await db.fetchrow(
        """
        SELECT count(*), count(*) FILTER (WHERE status = 'active') FROM webhook_subscription
        WHERE $1::bigint IS NULL OR practice_id = $1 OR practice_id IS NULL
        """,
        practice_id,
    )
    assert row is not None
    return row[0], row[1]


async def dispatch_states(db: Connection, practice_id: int | None) -> Sequence[Row]:
    """Return PPass and fan-out cursor of one practice, or of up to MAXIMUM_STATES practices if None."""
    return await db.fetch(
        f"""
        SELECT practice.practicepass, d.last_log_id FROM dispatch_state d JOIN practice USING (practice_id)
        WHERE $1::bigint IS NULL OR d.practice_id = $1 ORDER BY practice.practicepass LIMIT {MAXIMUM_STATES}
        """,
        practice_id,
    )
