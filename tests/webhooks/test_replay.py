"""POST /v1/webhooks/replay: what lies in the log, again."""

from typing import Any

import pytest

from officepro.webhooks import replay
from officepro.webhooks.dispatcher import Dispatcher
from tests.webhooks.acts import happen, sign_up
from tests.webhooks.receivers import Receiver
from tests.world import Office


async def ask(office: Office, **body: Any) -> Any:
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
    assert answer.json() == {
        "message": "Webhook events replayed successfully",
        "data": {"fromLogId": 2, "toLogId": 5, "deliveries": 3, "nextFromLogId": None},
    }
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
