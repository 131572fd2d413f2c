"""Delivery queues of a worker: no delivery is left behind by a race."""

import asyncio
import time
from typing import Any

import pytest

from officepro.foundation import clock
from officepro.foundation.errors import OfficeProError
from officepro.webhooks import dispatcher, fan_out
from officepro.webhooks.delivery import Delivered
from officepro.webhooks.dispatcher import Dispatcher
from officepro.webhooks.lanes import LEASE_SECONDS, Item, LaneKey
from officepro.webhooks.messages import Event
from officepro.webhooks.queries import Endpoint, Standing
from tests.webhooks.acts import deliveries, happen, sign_up
from tests.webhooks.receivers import Receiver
from tests.world import Office

KEY = LaneKey(1, 1, "live")


def item(delivery_id: int, lease_seconds: float = LEASE_SECONDS) -> Item:
    """Make a leased delivery."""
    now = clock.now()
    return Item(
        delivery_id=delivery_id,
        created_at=now,
        attempts=0,
        leased_by=7,
        lease_ends=time.monotonic() + lease_seconds,
        event=Event("claim.paid", f"evt_1_{delivery_id}", "DemoOffice", "Claims", delivery_id, now, "{}"),
        endpoint=Endpoint(1, "https://partner.invalid/", frozenset({"Claims"}), Standing.ACTIVE, (), None, None),
    )


@pytest.fixture
def sent(worker: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the deliveries that the worker sends, without network and delay."""
    found: list[int] = []

    async def attempt(item: Item) -> Delivered:
        found.append(item.delivery_id)
        return Delivered(clock.now(), 200, 1)

    monkeypatch.setattr(worker, "_attempt", attempt)
    return found


async def test_what_comes_in_the_moment_in_which_a_lane_ends_is_sent(worker: Dispatcher, sent: list[int]) -> None:
    worker._add(KEY, [item(1)])
    asyncio.get_running_loop().call_soon(worker._add, KEY, [item(2)])  # directly after the step that sends the first
    await asyncio.sleep(0.05)

    assert sent == [1, 2]


async def test_what_has_too_little_lease_left_is_given_back(worker: Dispatcher, sent: list[int]) -> None:
    worker._add(KEY, [item(1), item(2, lease_seconds=10), item(3)])
    await asyncio.sleep(0.05)

    assert sent == [1]
    assert [(result.item.delivery_id, result.outcome is None) for result in worker._results] == [
        (1, False),
        (2, True),
        (3, True),
    ]


async def test_nothing_is_sent_twice_by_one_worker(worker: Dispatcher, sent: list[int]) -> None:
    worker._add(KEY, [item(1)])
    worker._add(KEY, [item(1)])
    await asyncio.sleep(0.05)

    assert sent == [1]


async def test_a_practice_that_could_not_be_worked_on_is_looked_at_again(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office, 250)  # more than the capacity of a queue
    take_work = fan_out.take_work
    refusals = [False, True, True, False, True]

    async def now_and_then(*arguments: Any, **named: Any) -> Any:
        if refusals and refusals.pop(0):
            raise OfficeProError
        return await take_work(*arguments, **named)

    monkeypatch.setattr(fan_out, "take_work", now_and_then)
    stop = asyncio.Event()
    living = asyncio.create_task(worker.live(stop, drain_seconds=5))
    for _ in range(200):
        await asyncio.sleep(0.05)
        if len(receiver.received) >= 250:
            break
    stop.set()
    await living

    assert receiver.log_ids == list(range(1, 251))
    assert {row["state"] for row in await deliveries(demo_office)} == {"delivered"}


async def test_a_worker_takes_no_more_than_it_can_hold(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_IN_HAND", 30)
    await sign_up(demo_office, receiver)
    await happen(demo_office, 250)
    held = []
    while await worker.round() or worker._in_hand or worker._ended:
        held.append(len(worker._in_hand))
        await asyncio.sleep(0.005)
        await worker.record_results()

    assert max(held) <= 2 * 30, "what it holds, and what it took when it was almost full"
    assert receiver.log_ids == list(range(1, 251))


async def test_full_hands_take_nothing(worker: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_in_hand", set(range(dispatcher.MOST_IN_HAND)))

    assert await worker._take(fan_out.Todo(1, True, True, True)) is None


async def test_a_lane_is_topped_up_before_it_runs_dry(worker: Dispatcher, sent: list[int]) -> None:
    worker._portion = 4
    worker._add(KEY, [item(number) for number in range(1, 5)])
    worker._note_more(KEY)
    assert worker._ended == set()
    await asyncio.sleep(0.05)

    assert sent == [1, 2, 3, 4]
    assert worker._ended == {KEY.practice_id}
    assert worker._go_round.is_set()


def test_many_lanes_share_what_a_worker_can_hold() -> None:
    assert [dispatcher._portion(lanes) for lanes in (0, 1, 80, 200, 10_000)] == [100, 100, 100, 40, 10]
