"""The number of rows that a worker reads depends on open deliveries, not on the practice's history."""

from typing import Any

import pytest

from officepro.foundation import clock
from officepro.foundation.database import Connection, Database
from officepro.settings import Settings
from officepro.webhooks import fan_out, recording
from officepro.webhooks.delivery import Delivered, Failed
from officepro.webhooks.lanes import LaneKey
from officepro.webhooks.recording import Result
from tests.webhooks.acts import happen, sign_up
from tests.webhooks.receivers import Receiver
from tests.world import Office

HISTORY = 4000  # delivered log rows; and the same number of queued deliveries
MOST_ROWS_READ = 200
WORKER = 7

READ = """
    SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint FROM pg_stat_xact_user_tables
    WHERE relname ~ '^(log|webhook_delivery)_'
"""


async def read_by(db: Connection) -> int:
    """Return the number of rows that the transaction has read."""
    rows: int = await db.fetchval(READ)
    return rows


async def remember(office: Office, subscription_id: int) -> None:
    """Insert a history of deliveries without updating the planner's statistics."""
    await office.house.owner.execute(
        "UPDATE log_head SET last = $2 WHERE practice_id = $1", office.practice_id, HISTORY
    )
    await office.house.owner.execute(
        """
        WITH past AS (
            INSERT INTO log (practice_id, log_id, scope, event, entity_id, data, occurred_at)
            SELECT $1, n, 'Claims', 'claim.paid', 7, '{}', now() - interval '1 second' FROM generate_series(1, $3) AS n
            RETURNING log_id, occurred_at)
        INSERT INTO webhook_delivery (practice_id, subscription_id, kind, event, event_id, log_id, occurred_at,
                                      hook_url, state, attempts, attempted_at, status_code, duration_ms)
        SELECT $1, $2, kind, 'claim.paid', 'evt', log_id, occurred_at, 'https://partner.invalid/', state, attempts,
               CASE WHEN attempts > 0 THEN now() END, CASE WHEN attempts > 0 THEN 200 END, 1
        FROM past, (VALUES ('live', 'delivered', 1), ('replay', 'queued', 0)) AS k (kind, state, attempts)
        """,
        office.practice_id,
        subscription_id,
        HISTORY,
    )
    await office.house.owner.execute(
        """
        INSERT INTO dispatch_state (practice_id, last_log_id, last_occurred_at) VALUES ($1, $2, now())
        ON CONFLICT (practice_id) DO UPDATE SET last_log_id = $2, last_occurred_at = now()
        """,
        office.practice_id,
        HISTORY,
    )


@pytest.mark.parametrize("kind", ["of custom plans", "of generic plans"])
async def test_a_turn_costs_what_is_open_and_not_what_has_been(
    demo_office: Office, straight: Settings, receiver: Receiver, kind: str
) -> None:
    subscription_id = (await sign_up(demo_office, receiver))["id"]
    await remember(demo_office, subscription_id)
    await happen(demo_office, 3)
    practice_id = demo_office.practice_id
    database = await Database.connect(straight.database_url)
    try:

        async def take(**known: Any) -> fan_out.Work:
            async with database.system_transaction() as db:
                await db.execute(f"SET LOCAL plan_cache_mode = force_{kind.split()[1]}_plan")
                work = await fan_out.take_work(db, practice_id, WORKER, lambda lane: 5, **known)
                assert work is not None
                assert await read_by(db) <= MOST_ROWS_READ
                return work

        taken = await take()
        assert {key.traffic: len(items) for key, items in taken.items.items()} == {"live": 3, "replay": 5}
        first, *others = taken.items[LaneKey(practice_id, subscription_id, "live")]
        results = [
            Result(LaneKey(practice_id, subscription_id, "live"), first, Failed(clock.now(), 1, "timed_out", ""))
        ]
        results += [
            Result(LaneKey(practice_id, subscription_id, "live"), item, Delivered(clock.now(), 200, 1))
            for item in others
        ]
        async with database.system_transaction() as db:
            await db.execute(f"SET LOCAL plan_cache_mode = force_{kind.split()[1]}_plan")
            await recording.record(db, results)
            assert await read_by(db) <= MOST_ROWS_READ

        await demo_office.house.owner.execute("UPDATE webhook_delivery SET due_at = now() WHERE state = 'pending'")
        retried = await take(is_due=True)
        assert [len(items) for key, items in retried.items.items() if key.traffic == "retry"] == [1]
    finally:
        await database.close()
