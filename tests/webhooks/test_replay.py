"""/v1/webhooks/replay: repeated delivery of log events, one replay per subscription at a time."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from officepro.webhooks import replay
from officepro.webhooks.dispatcher import Dispatcher
from tests.webhooks.acts import age, deliveries, happen, sign_up, until
from tests.webhooks.receivers import Receiver
from tests.world import Office


async def ask(office: Office, **body: Any) -> Any:
    """Start a replay."""
    return await office.partner_global.post("/webhooks/replay", json=body)


async def test_from_a_number_on_everything_comes_again_with_the_ids_it_had(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver, ["Claims"])
    await happen(demo_office, 2)
    await happen(demo_office, scope="Payments", event="payment.received")
    await happen(demo_office, 2)
    await worker.settle()
    answer = await ask(demo_office, fromLogId=2)
    await worker.settle()

    assert answer.status_code == 202
    shown = answer.json()
    assert shown["message"] == "Webhook events replayed successfully"
    assert shown["data"] == {
        "practicepass": demo_office.practicepass,
        "fromLogId": 2,
        "toLogId": 5,
        "deliveries": 3,
        "nextFromLogId": None,
        "status": "running",
        "created": 0,
        "requestedAt": shown["data"]["requestedAt"],
        "endedAt": None,
    }
    progress = (await demo_office.partner_global.get("/webhooks/replay")).json()["data"]
    assert (progress["status"], progress["created"]) == ("completed", 3)
    assert progress["endedAt"] >= progress["requestedAt"]
    assert receiver.log_ids == [1, 2, 4, 5, 2, 4, 5]
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 4


async def test_it_is_bounded_and_goes_on_where_it_stopped(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "MAXIMUM_REPLAYED", 3)
    await happen(demo_office, 7)
    await sign_up(demo_office, receiver)
    await worker.settle()
    before = len(receiver.received)
    following: int | None = 1
    while following is not None:
        following = (await ask(demo_office, fromLogId=following)).json()["data"]["nextFromLogId"]
        await worker.settle()

    assert receiver.log_ids[before:] == [1, 2, 3, 4, 5, 6, 7]


async def test_since_a_moment(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office, 5)
    await worker.settle()
    third = receiver.received[2][1]["occurredAt"]
    answer = await ask(demo_office, since=third)

    assert answer.json()["data"]["fromLogId"] <= 3
    await worker.settle()
    assert (await ask(demo_office, since="2001-01-01T00:00:00Z")).json()["data"]["deliveries"] == 5


@pytest.mark.parametrize("body", [{"fromLogId": 7}, {"since": "2099-01-01T00:00:00Z"}])
async def test_the_future_is_refused(demo_office: Office, receiver: Receiver, body: dict[str, Any]) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office, 5)
    answer = await ask(demo_office, **body)

    assert (answer.status_code, answer.json()["code"]) == (422, "replay_of_the_future")


@pytest.mark.parametrize("body", [{}, {"fromLogId": 1, "since": "2026-01-01T00:00:00Z"}, {"fromLogId": 0}])
async def test_what_is_no_beginning_is_refused(demo_office: Office, receiver: Receiver, body: dict[str, Any]) -> None:
    await sign_up(demo_office, receiver)

    assert (await ask(demo_office, **body)).status_code == 400


async def states(office: Office) -> Counter[str]:
    """Count the replay's deliveries by state."""
    return Counter(row["state"] for row in await deliveries(office) if row["kind"] == "replay")


async def progress(office: Office) -> dict[str, Any]:
    """Return the replay."""
    answer = await office.partner_global.get("/webhooks/replay")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


async def test_of_six_replays_one_is_accepted(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office, 30)
    await worker.settle()
    answers = await asyncio.gather(*(ask(demo_office, fromLogId=1) for _ in range(6)))

    assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 5}
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["code"] == "replay_in_progress"
    assert (refused["replay"]["fromLogId"], refused["replay"]["toLogId"], refused["replay"]["status"]) == (
        1,
        30,
        "running",
    )
    assert await states(demo_office) == {}  # the request creates none

    await worker.settle()
    assert await states(demo_office) == {"delivered": 30}
    assert (await ask(demo_office, fromLogId=30)).status_code == 202


async def test_a_replay_is_held_while_the_subscription_is_paused(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office, 3)
    await worker.settle()
    await demo_office.partner_global.post("/webhooks/pause")
    started = await ask(demo_office, fromLogId=1)
    await worker.settle()

    assert started.json()["data"]["status"] == "held"
    assert await states(demo_office) == {}
    assert (await ask(demo_office, fromLogId=1)).status_code == 409

    await demo_office.partner_global.post("/webhooks/resume")
    assert (await progress(demo_office))["status"] == "running"
    await worker.settle()
    assert receiver.log_ids == [1, 2, 3, 1, 2, 3]
    assert (await progress(demo_office))["status"] == "completed"


async def test_its_deliveries_are_created_some_at_a_time(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "MAXIMUM_CREATED", 7)
    await sign_up(demo_office, receiver)
    await happen(demo_office, 30)
    await worker.settle()
    receiver.received.clear()
    await ask(demo_office, fromLogId=1)
    steps = []
    while (shown := await progress(demo_office))["status"] == "running":
        steps.append(shown["created"])
        await worker.round()
        assert (await states(demo_office)).total() - len(receiver.received) <= 2 * 7
        await asyncio.sleep(0.01)
        await worker.record_results()
    await worker.settle()

    assert {0, 7, 14, 21, 28, 30} >= set(steps) > {0, 7}
    assert receiver.log_ids == list(range(1, 31))


async def test_another_worker_goes_on_with_it(
    demo_office: Office,
    worker: Dispatcher,
    another_worker: Dispatcher,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the first worker crashes after writing its results, another one continues at the practice's due time."""
    monkeypatch.setattr(replay, "MAXIMUM_CREATED", 7)
    await sign_up(demo_office, receiver)
    await happen(demo_office, 20)
    await worker.settle()
    receiver.received.clear()
    await ask(demo_office, fromLogId=1)
    await worker.round()
    await until(lambda: len(receiver.received) == 7)
    await worker.record_results()
    await age(demo_office, 60)
    await another_worker.settle()

    assert receiver.log_ids == list(range(1, 21))


async def test_it_can_be_cancelled(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("officepro.webhooks.dispatcher.LONGEST_LANE", 2)
    monkeypatch.setattr("officepro.webhooks.dispatcher.SHORTEST_LANE", 2)
    await sign_up(demo_office, receiver)
    await happen(demo_office, 20)
    await worker.settle()
    receiver.received.clear()
    receiver.delay_seconds = 0.2
    await ask(demo_office, fromLogId=1)
    await worker.round()
    await until(lambda: len(receiver.received) > 0)
    cancelled = await demo_office.partner_global.delete("/webhooks/replay")
    receiver.delay_seconds = 0.0
    await worker.settle()

    assert cancelled.status_code == 200
    assert (cancelled.json()["data"]["status"], cancelled.json()["data"]["created"]) == ("cancelled", 20)
    assert len(receiver.received) <= 2
    found = await states(demo_office)
    assert found.keys() == {"delivered", "cancelled"}
    again = await demo_office.partner_global.delete("/webhooks/replay")
    assert again.json() == cancelled.json()
    assert (await ask(demo_office, fromLogId=20)).status_code == 202


async def test_what_waits_for_its_first_delivery_is_not_sent_twice(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office, 2)
    await worker.settle()
    await demo_office.partner_global.post("/webhooks/pause")
    await happen(demo_office, 3)
    await worker.settle()
    await ask(demo_office, fromLogId=1)
    await demo_office.partner_global.post("/webhooks/resume")
    await worker.settle()

    assert Counter(receiver.log_ids) == {1: 2, 2: 2, 3: 1, 4: 1, 5: 1}


async def test_without_a_replay_there_is_no_progress(demo_office: Office, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    for answer in (
        await demo_office.partner_global.get("/webhooks/replay"),
        await demo_office.partner_global.delete("/webhooks/replay"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "replay_not_found")


async def test_a_deleted_subscription_ends_it(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office, 3)
    await worker.settle()
    await ask(demo_office, fromLogId=1)
    await demo_office.partner_global.delete("/webhooks")
    await worker.settle()

    assert receiver.log_ids == [1, 2, 3]
    rows = await demo_office.house.owner.fetch(
        "SELECT state FROM webhook_replay WHERE practice_id = $1", demo_office.practice_id
    )
    assert [row["state"] for row in rows] == ["cancelled"]
