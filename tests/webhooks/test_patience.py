"""Back-off of a failing endpoint: fewer first attempts, unchanged schedule of retries."""

import asyncio
import time
from datetime import timedelta

import pytest

from officepro.webhooks.dispatcher import Dispatcher
from officepro.webhooks.patience import ENOUGH_FAILURES, LONGEST_PAUSE_SECONDS, SHORTEST_PAUSE_SECONDS, Patience
from tests.webhooks.acts import age, deliveries, happen, sign_up, until
from tests.webhooks.receivers import Receiver
from tests.world import Office


def failed(how_often: int, at: float) -> Patience:
    """Make a back-off state after a number of failures."""
    patience = Patience()
    for _ in range(how_often):
        patience.failed(at)
    return patience


def test_a_few_failures_change_nothing() -> None:
    patience = failed(ENOUGH_FAILURES - 1, at=1000.0)
    patience._latest = 1000.0

    assert not patience.is_tried
    assert patience.rest(1000.0) == 0.0


def test_pauses_grow_with_the_time_of_failing_up_to_their_bound() -> None:
    patience = failed(ENOUGH_FAILURES, at=1000.0)
    patience._latest = 1000.0
    assert patience.rest(1000.0) == pytest.approx(SHORTEST_PAUSE_SECONDS)

    patience._latest = 1050.0
    assert patience.rest(1050.0) == pytest.approx(0.5)
    patience._latest = 1_000_000.0
    assert patience.rest(1_000_000.0) == pytest.approx(LONGEST_PAUSE_SECONDS)
    assert patience.rest(1_000_002.0) < 0


async def test_what_is_received_ends_it_at_once_for_all_who_wait() -> None:
    patience = failed(ENOUGH_FAILURES, at=time.monotonic() - 3600)
    patience._latest = time.monotonic()

    async def take_turn() -> float:
        async with patience.turn():
            return time.monotonic()

    began = time.monotonic()
    waiting = [asyncio.create_task(take_turn()) for _ in range(3)]
    await asyncio.sleep(0.05)
    patience.received()

    assert max(await asyncio.gather(*waiting)) - began < LONGEST_PAUSE_SECONDS / 2


async def test_one_at_a_time_is_tried_while_it_fails() -> None:
    patience = failed(ENOUGH_FAILURES, at=time.monotonic())
    under_way = most = 0

    async def take_turn() -> None:
        nonlocal under_way, most
        async with patience.turn():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1

    await asyncio.gather(*(take_turn() for _ in range(3)))
    assert most == 1


async def test_an_endpoint_that_fails_gets_few_turns_and_everything_in_order_when_it_is_well_again(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [500] * 1000
    stop = asyncio.Event()
    living = asyncio.create_task(worker.live(stop, drain_seconds=5))
    numbers = await happen(demo_office, 60)
    await asyncio.sleep(1.0)
    tried = len(receiver.received)
    assert ENOUGH_FAILURES < tried <= ENOUGH_FAILURES + 1.0 / SHORTEST_PAUSE_SECONDS + 5

    well_again = len(receiver.received)
    receiver.statuses = []
    await until(lambda: len(receiver.received) >= 60)
    stop.set()
    await living
    assert receiver.log_ids == numbers
    states = [row["state"] for row in await deliveries(demo_office)]
    assert states == ["pending"] * well_again + ["delivered"] * (60 - well_again)


async def test_retries_are_on_time_while_the_endpoint_fails(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [500] * 1000
    await happen(demo_office, ENOUGH_FAILURES + 3)
    await worker.settle()
    await age(demo_office, 7)
    patience = worker._patience[(await deliveries(demo_office))[0]["subscription_id"]]
    assert patience.is_tried
    patience._latest = time.monotonic() + 3600  # no first attempt for an hour

    async with asyncio.timeout(10):
        await worker.settle()
    rows = await deliveries(demo_office)
    assert [row["attempts"] for row in rows] == [2] * len(rows)
    assert all(row["due_at"] - row["attempted_at"] >= timedelta(minutes=4) for row in rows)


async def test_a_worker_that_stops_leaves_word_of_its_retries(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    """Otherwise the retries would wait until the lease of the failed delivery had expired."""
    await sign_up(demo_office, receiver)
    receiver.statuses = [500]
    stop = asyncio.Event()
    living = asyncio.create_task(worker.live(stop, drain_seconds=5))
    await happen(demo_office)
    await until(lambda: bool(worker._due))
    stop.set()
    await living

    [row] = await deliveries(demo_office)
    next_due = await demo_office.house.owner.fetchval(
        "SELECT next_due_at FROM dispatch_state WHERE practice_id = $1", demo_office.practice_id
    )
    assert abs(next_due - row["due_at"]) < timedelta(seconds=1)


async def test_a_worker_comes_back_for_its_retries_when_nothing_else_happens(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [500]
    await happen(demo_office)
    await worker.settle()
    assert list(worker._due) == [demo_office.practice_id]
    await demo_office.house.owner.execute("UPDATE webhook_delivery SET due_at = now() WHERE state = 'pending'")
    await demo_office.house.owner.execute("UPDATE dispatch_state SET next_due_at = now() + interval '1 hour'")
    worker._due = {demo_office.practice_id: time.monotonic()}
    await worker.settle()

    assert [row["attempts"] for row in await deliveries(demo_office)] == [2]
