"""Transactions of requests and workers lock rows in the same order, so that no deadlock occurs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from officepro.foundation import clock
from officepro.foundation.database import Database
from officepro.webhooks import fan_out, queries
from officepro.webhooks.delivery import Delivered, Failed
from officepro.webhooks.dispatcher import Dispatcher
from officepro.webhooks.lanes import Item, LaneKey
from officepro.webhooks.recording import Result
from tests.webhooks.acts import befriend, deliveries, happen, sign_up
from tests.webhooks.receivers import Receiver
from tests.world import Office

WORKER = 7
LONGEST_SECONDS = 5.0  # PostgreSQL aborts a transaction of a deadlock after `deadlock_timeout`


@pytest.fixture(autouse=True)
async def nothing_is_left(demo_office: Office) -> AsyncIterator[None]:
    """Workers of later tests would send what these tests leave queued."""
    yield
    for table in ("webhook_delivery", "webhook_replay"):
        await demo_office.house.owner.execute(f"DELETE FROM {table} WHERE practice_id = $1", demo_office.practice_id)


async def take(database: Database, practice_id: int) -> dict[LaneKey, list[Item]]:
    """Claim the work of a practice."""
    async with database.system() as db:
        await queries.make_known(db, practice_id)
    async with asyncio.timeout(LONGEST_SECONDS), database.system_transaction() as db:
        work = await fan_out.take_work(db, practice_id, WORKER, lambda lane: 5)
        assert work is not None
        return work.items


async def until_waiting(office: Office, transactions: int) -> None:
    """Wait until this number of transactions wait for a lock."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while transactions > await office.house.owner.fetchval(  # noqa: ASYNC110 -- no event from other connections
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.01)


@asynccontextmanager
async def no_deadlock(office: Office) -> AsyncIterator[None]:
    """Assert that PostgreSQL counts no deadlock in the block."""
    read = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await office.house.owner.fetchval(read)
    async with asyncio.timeout(LONGEST_SECONDS):
        yield
    await asyncio.sleep(0.1)
    assert await office.house.owner.fetchval(read) == before


def failed() -> Failed:
    """Make a failed attempt."""
    return Failed(clock.now(), 1, "timed_out", "")


def recorded_later(worker: Dispatcher, *results: Result) -> None:
    """Add results that the worker has not written yet."""
    worker._results += results


async def test_a_worker_gives_deliveries_back_while_a_request_changes_the_subscription(
    demo_office: Office, straight_database: Database, worker: Dispatcher, receiver: Receiver
) -> None:
    practice_id, subscription_id = demo_office.practice_id, (await sign_up(demo_office, receiver))["id"]
    await happen(demo_office, 2)
    lane = LaneKey(practice_id, subscription_id, "live")
    given_back, sent = (await take(straight_database, practice_id))[lane]
    recorded_later(worker, Result(lane, given_back, None), Result(lane, sent, failed()))

    async with no_deadlock(demo_office):
        async with straight_database.system_transaction() as request:
            await queries.lock_subscription(request, subscription_id)
            records = asyncio.create_task(worker.record_results())
            await until_waiting(demo_office, 1)
            await queries.wake(request, practice_id)
        await records

    assert [row["state"] for row in await deliveries(demo_office)] == ["queued", "pending"]


async def test_two_workers_record_the_health_of_the_same_endpoints(
    demo_office: Office,
    straight_database: Database,
    worker: Dispatcher,
    another_worker: Dispatcher,
    receiver: Receiver,
    other_receiver: Receiver,
) -> None:
    """One worker sends a warning for the first endpoint and notes recovery of the second; the other, vice versa."""
    practice_id, first = demo_office.practice_id, (await sign_up(demo_office, receiver))["id"]
    await befriend(demo_office, "another partner")
    second = (await sign_up(demo_office, other_receiver, who="another partner"))["id"]
    await demo_office.house.owner.execute("UPDATE webhook_subscription SET failing_since = now() - interval '97 hours'")
    await happen(demo_office, 2)
    items = await take(straight_database, practice_id)
    for each, place, well, failing in ((worker, 0, first, second), (another_worker, 1, second, first)):
        for subscription_id, outcome in ((well, Delivered(clock.now(), 200, 1)), (failing, failed())):
            lane = LaneKey(practice_id, subscription_id, "live")
            recorded_later(each, Result(lane, items[lane][place], outcome))

    async with no_deadlock(demo_office):
        async with straight_database.system_transaction() as request:
            await request.execute("SELECT FROM webhook_subscription ORDER BY subscription_id FOR UPDATE")
            records = [asyncio.create_task(each.record_results()) for each in (worker, another_worker)]
            await until_waiting(demo_office, 2)
        await asyncio.gather(*records)

    rows = [row for row in await deliveries(demo_office) if row["event"] == "claim.paid"]
    assert sorted(row["state"] for row in rows) == ["delivered", "delivered", "pending", "pending"]


_LOCKED = {
    "a replay that a request is about to cancel": """
        INSERT INTO webhook_replay (practice_id, subscription_id, from_log_id, to_log_id, next_log_id, scopes,
                                    deliveries, state)
        VALUES ($1, $2, 1, 1, 1, '{Claims}', 1, 'running')
    """,
    "a queued delivery of a disabled subscription": """
        WITH disabled AS (
            UPDATE webhook_subscription SET status = 'disabled', disabled_at = now(), disabled_reason = 'failing'
            WHERE subscription_id = $2)
        INSERT INTO webhook_delivery (practice_id, subscription_id, kind, event, event_id, occurred_at, data, hook_url,
                                      state)
        VALUES ($1, $2, 'live', 'claim.paid', 'evt', now(), '{}', 'https://partner.invalid/', 'queued')
    """,
    "a manual delivery whose request no longer waits": """
        INSERT INTO webhook_delivery (practice_id, subscription_id, kind, event, event_id, occurred_at, data, hook_url,
                                      state, created_at)
        VALUES ($1, $2, 'manual', 'webhook.test', 'evt', now(), '{}', 'https://partner.invalid/', 'queued',
                now() - interval '10 minutes')
    """,
}


@pytest.mark.parametrize("locked", _LOCKED)
async def test_a_worker_that_takes_work_waits_for_no_lock(
    demo_office: Office, straight_database: Database, receiver: Receiver, locked: str
) -> None:
    practice_id, subscription_id = demo_office.practice_id, (await sign_up(demo_office, receiver))["id"]
    await happen(demo_office, 1)
    await demo_office.house.owner.execute(_LOCKED[locked], practice_id, subscription_id)

    async with straight_database.system_transaction() as request:
        for table in ("webhook_replay", "webhook_delivery"):
            await request.execute(f"SELECT FROM {table} WHERE practice_id = $1 FOR UPDATE", practice_id)
        await take(straight_database, practice_id)
