"""Test events and retries are sent by the worker, and limited in number; the request waits for the result."""

import asyncio
import time
from collections import Counter
from typing import Any

import httpx
import pytest
from aiohttp import web

from officepro.access import concurrency
from officepro.foundation.database import Database
from officepro.webhooks import manual
from officepro.webhooks.dispatcher import Dispatcher
from officepro.webhooks.manual import TooManyManualDeliveries
from tests.webhooks.acts import befriend, deliveries, happen, recorded, sign_up, until
from tests.webhooks.receivers import Receiver
from tests.world import Office

SENT = 512
VICTIM_CALLS = 200


async def send_test(office: Office) -> httpx.Response:
    """Send a test event."""
    return await office.partner_global.post("/webhooks/test")


async def hang(_: web.Request) -> web.StreamResponse:
    """Never respond."""
    await asyncio.sleep(3600)
    raise AssertionError


async def test_without_a_worker_nothing_is_sent_then_or_later(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual, "WAIT_SECONDS", 0.4)
    await sign_up(demo_office, receiver)
    answer = await send_test(demo_office)
    await worker.settle()

    assert (answer.status_code, answer.json()["code"]) == (503, "worker_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    [row] = await deliveries(demo_office)
    assert (row["delivery_id"], row["state"], row["error_code"]) == (
        answer.json()["deliveryId"],
        "cancelled",
        "expired",
    )
    assert receiver.received == []


async def test_what_nobody_waits_for_any_more_expires_in_the_worker(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    """The API process crashed meanwhile, so only the worker can cancel the delivery."""
    await sign_up(demo_office, receiver)
    request = asyncio.create_task(send_test(demo_office))
    await asyncio.sleep(0.5)
    assert len(await deliveries(demo_office)) == 1
    await demo_office.house.owner.execute(
        "UPDATE webhook_delivery SET created_at = created_at - interval '21 seconds' WHERE practice_id = $1",
        demo_office.practice_id,
    )
    await worker.settle()
    answer = await request

    assert (answer.status_code, answer.json()["code"]) == (503, "worker_unavailable")
    assert receiver.received == []


async def test_a_result_that_comes_late_is_in_the_list(
    demo_office: Office, running: Dispatcher, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual, "WAIT_SECONDS", 1.0)
    await sign_up(demo_office, receiver)
    receiver.delay_seconds = 2.5
    answer = await send_test(demo_office)

    assert (answer.status_code, answer.json()["code"]) == (503, "result_pending")
    async with asyncio.timeout(15):
        while True:
            [shown] = (await demo_office.partner_global.get("/webhooks/deliveries")).json()["data"]
            if shown["success"] is not None:
                break
            await asyncio.sleep(0.1)
    assert (shown["id"], shown["success"], shown["attempts"]) == (answer.json()["deliveryId"], True, 1)
    assert len(receiver.received) == 1


async def test_a_subscription_has_two_in_progress(
    demo_office: Office, running: Dispatcher, receiver: Receiver, other_receiver: Receiver
) -> None:
    await befriend(demo_office, "other")
    await sign_up(demo_office, receiver)
    await sign_up(demo_office, other_receiver, who="other")
    receiver.delay_seconds = 2.0
    two = [asyncio.create_task(send_test(demo_office)) for _ in range(2)]
    await until(lambda: len(receiver.received) == 2)
    third = await send_test(demo_office)
    others = await demo_office.other_global.post("/webhooks/test")  # type: ignore[attr-defined]  # befriended

    assert (third.status_code, third.json()["code"]) == (429, "too_many_manual_deliveries")
    assert int(third.headers["Retry-After"]) > 0
    assert (others.status_code, others.json()["data"]["success"]) == (200, True)
    assert not any(task.done() for task in two)
    assert [(await task).json()["data"]["success"] for task in two] == [True, True]
    receiver.delay_seconds = 0.0
    assert (await send_test(demo_office)).json()["data"]["success"] is True


async def test_the_two_count_over_all_processes(demo_office: Office, database: Database, receiver: Receiver) -> None:
    made = await sign_up(demo_office, receiver)

    async def queue() -> int:
        async with database.system_transaction() as db:
            return await manual.queue_test(db, demo_office.practice_id, demo_office.practicepass, made["id"])

    queued = await asyncio.gather(*(queue() for _ in range(5)), return_exceptions=True)

    assert Counter(type(one) for one in queued) == {int: 2, TooManyManualDeliveries: 3}


async def test_a_process_waits_for_so_many(
    demo_office: Office, running: Dispatcher, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual, "PLACES", 1)
    await sign_up(demo_office, receiver)
    receiver.delay_seconds = 1.5
    one = asyncio.create_task(send_test(demo_office))
    await until(lambda: len(receiver.received) == 1)
    another = await send_test(demo_office)

    assert (another.status_code, another.json()["code"]) == (503, "overloaded")
    assert (await one).json()["data"]["success"] is True


async def test_failed_tests_do_not_slow_down_events(
    demo_office: Office, running: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [500] * 6
    for _ in range(6):
        assert (await send_test(demo_office)).json()["data"]["success"] is False
    await happen(demo_office, 3)
    await until(lambda: len(receiver.received) == 9)

    assert receiver.log_ids[6:] == [1, 2, 3]
    shown = (await demo_office.partner_global.get("/webhooks")).json()["data"]
    assert shown["failingSince"] is None


async def calls_of(office: Office, count: int) -> tuple[Counter[int], float]:
    """Return the statuses of the calls, and their 99th percentile in seconds."""
    answers: Counter[int] = Counter()
    took = []
    for _ in range(count):
        began = time.perf_counter()
        answers[(await office.partner.get("/tags")).status_code] += 1
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.002)
    return answers, sorted(took)[int(count * 0.99) - 1]


@pytest.mark.parametrize("is_bounded", [True, False], ids=["bounded", "the control: no bounds"])
async def test_hanging_tests_of_one_key_harm_nobody_else(
    demo_office: Office,
    berlin_office: Office,
    running: Dispatcher,
    receiver: Receiver,
    other_receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    is_bounded: bool,
) -> None:
    monkeypatch.setattr(manual, "WAIT_SECONDS", 3.0)
    monkeypatch.setattr(concurrency, "FRESH_SECONDS", 60.0)  # however long this machine stalls
    if not is_bounded:
        for bound in ("PLACES", "PLACES_PER_SUBSCRIPTION"):
            monkeypatch.setattr(manual, bound, 10_000)
        monkeypatch.setattr(concurrency, "UNDER_PRESSURE", 100.0)
    await sign_up(demo_office, receiver)
    await sign_up(berlin_office, other_receiver)
    receiver.answer = hang
    _, calm = await calls_of(berlin_office, VICTIM_CALLS)
    tests = [asyncio.create_task(send_test(demo_office)) for _ in range(SENT)]
    await asyncio.sleep(0)
    answers, busy = await calls_of(berlin_office, VICTIM_CALLS)
    if not is_bounded:
        assert answers[503] > 0
    else:
        assert answers == {200: VICTIM_CALLS}
        assert busy <= 10 * max(calm, 0.02)  # in seconds; the minimum allows for a machine that stalls
        await happen(berlin_office, 3)
        own = (await send_test(berlin_office)).json()["data"]
        assert own["success"] is True
        await until(lambda: len(other_receiver.received) == 4)
    refused: Any = Counter(answer.status_code for answer in await asyncio.gather(*tests))
    if is_bounded:
        assert refused[503] <= 2 + SENT // 10  # the two that wait, and simultaneous requests at the limit
        assert refused[429] >= SENT - refused[503]
        assert refused.keys() == {429, 503}


async def test_delivery_records_hold_no_query_of_a_url(
    demo_office: Office, running: Dispatcher, receiver: Receiver
) -> None:
    """The query may be a secret of the receiver. The request sent includes it."""
    plain, receiver.url = receiver.url, receiver.url + "?token=s3cret"
    queries = []

    async def note(request: web.Request) -> web.StreamResponse:
        queries.append(request.query_string)
        return web.Response()

    receiver.answer = note
    await sign_up(demo_office, receiver)
    await demo_office.partner_global.post("/webhooks/pause")
    await happen(demo_office, 2)
    await asyncio.sleep(0.5)
    await demo_office.partner_global.post("/webhooks/resume")
    await recorded(demo_office, 2, 30)
    await demo_office.partner_global.post("/webhooks/replay", json={"fromLogId": 1})
    await recorded(demo_office, 4, 30)
    assert (await send_test(demo_office)).json()["data"]["success"] is True

    rows = await recorded(demo_office, 5, 30)
    assert Counter(row["kind"] for row in rows) == {"live": 2, "replay": 2, "manual": 1}
    assert {row["hook_url"] for row in rows} == {f"{plain}?…"}
    assert queries == ["token=s3cret"] * 5
    await demo_office.house.owner.execute(
        "UPDATE webhook_delivery SET hook_url = $2 WHERE practice_id = $1", demo_office.practice_id, receiver.url
    )  # as stored by an earlier version
    shown = await demo_office.house.admin.get(f"/v1/admin/webhooks/monitor?practicepass={demo_office.practicepass}")
    own = await demo_office.partner_global.get("/webhooks/deliveries")
    assert "s3cret" not in shown.text + own.text
    assert {row["hookUrl"] for row in shown.json()["recentDeliveries"]} == {f"{plain}?…"}
