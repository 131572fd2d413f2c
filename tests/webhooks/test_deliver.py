"""Delivery from the event log to the partner's endpoint: content, order and failures."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from officepro.webhooks import retries
from officepro.webhooks.dispatcher import Dispatcher
from tests.webhooks.acts import age, befriend, deliveries, happen, sign_up, until
from tests.webhooks.receivers import Receiver, receiving
from tests.world import Office


async def arrived(receiver: Receiver) -> None:
    """Wait for the first delivery, however slow the machine is."""
    async with asyncio.timeout(20):
        while not receiver.log_ids:  # noqa: ASYNC110 -- the receiver has no event
            await asyncio.sleep(0.01)


async def test_a_change_arrives_as_the_documentation_says(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver, ["Patients"])
    await demo_office.partner.put("/prospects/1001", json={"City": "Paris"})
    await worker.settle()

    [(headers, body)] = receiver.received
    occurred = body.pop("occurredAt")
    assert body == {
        "event": "patient.updated",
        "scope": "Patients",
        "eventId": f"evt_{demo_office.practice_id}_1",
        "logId": 1,
        "practicepass": demo_office.practicepass,
        "data": {"PatientID": 1001},
    }
    assert occurred.endswith("Z")
    assert headers["x-officepro-event"] == "patient.updated"
    assert headers["x-officepro-event-id"] == headers["webhook-id"] == body["eventId"]
    assert headers["content-type"] == "application/json"
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 10
    assert headers["webhook-signature"].startswith("v1,")


async def test_only_the_scopes_asked_for_arrive_and_only_of_the_own_practice(
    demo_office: Office, berlin_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver, ["Claims"])
    await happen(demo_office)
    await happen(demo_office, scope="Payments", event="payment.received")
    await happen(berlin_office)
    await worker.settle()

    assert [(body["practicepass"], body["scope"]) for _, body in receiver.received] == [
        (demo_office.practicepass, "Claims")
    ]


async def test_a_key_for_every_practice_hears_of_every_practice(
    demo_office: Office, berlin_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await befriend(demo_office, "chain", everywhere=True)
    await sign_up(demo_office, receiver, ["Claims"], who="chain")
    await happen(demo_office)
    await happen(berlin_office)
    await worker.settle()

    assert {body["practicepass"] for _, body in receiver.received} == {
        demo_office.practicepass,
        berlin_office.practicepass,
    }
    await demo_office.chain_global.delete("/webhooks")  # type: ignore[attr-defined]  # befriended


async def test_first_attempts_arrive_in_the_order_of_the_log_though_two_workers_share_them(
    demo_office: Office, worker: Dispatcher, another_worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.delay_seconds = 0.001
    for _ in range(4):
        await happen(demo_office, 60)
        await asyncio.gather(worker.round(), another_worker.round())
    for _ in range(200):
        await asyncio.gather(worker.settle(), another_worker.settle())
        if len(receiver.received) >= 240:
            break
        await age(demo_office, 1.0)

    assert receiver.log_ids == list(range(1, 241))
    assert {row["state"] for row in await deliveries(demo_office)} == {"delivered"}


async def test_two_partners_each_get_everything(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, other_receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await sign_up(demo_office, other_receiver, who="friend")
    other_receiver.statuses = [500] * 3
    numbers = await happen(demo_office, 5)
    await worker.settle()

    assert receiver.log_ids == other_receiver.log_ids == numbers


async def test_a_failure_is_tried_again_on_schedule_until_it_is_received(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [500, 503]
    await happen(demo_office)
    await worker.settle()

    [row] = await deliveries(demo_office)
    assert (row["state"], row["attempts"], row["status_code"], row["error_code"]) == ("pending", 1, 500, "bad_status")
    wait = row["due_at"] - row["attempted_at"]
    assert timedelta(seconds=4) <= wait <= timedelta(seconds=6)

    await worker.settle()
    assert len(receiver.received) == 1  # not before it is due
    await age(demo_office, 7)
    await worker.settle()
    [row] = await deliveries(demo_office)
    assert (row["attempts"], row["status_code"]) == (2, 503)
    assert timedelta(minutes=4) <= row["due_at"] - row["attempted_at"] <= timedelta(minutes=6)

    await age(demo_office, 400)
    await worker.settle()
    [row] = await deliveries(demo_office)
    assert (row["state"], row["attempts"], row["status_code"], row["error_code"]) == ("delivered", 3, 200, None)
    assert len({body["eventId"] for _, body in receiver.received}) == 1


async def test_after_the_last_attempt_it_has_failed(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [500] * 20
    await happen(demo_office)
    for _ in range(retries.MAXIMUM_ATTEMPTS + 2):
        await worker.settle()
        await age(demo_office, 30 * 3600)

    [row] = await deliveries(demo_office)
    assert (row["state"], row["attempts"], row["due_at"]) == ("failed", retries.MAXIMUM_ATTEMPTS, None)
    assert len(receiver.received) == retries.MAXIMUM_ATTEMPTS


async def test_a_retry_holds_up_no_first_attempt(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [500]
    await happen(demo_office, 3)
    await worker.settle()

    assert receiver.log_ids == [1, 2, 3]
    assert [row["state"] for row in await deliveries(demo_office)] == ["pending", "delivered", "delivered"]


async def test_retry_after_is_heeded(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses, receiver.headers = [503], {"Retry-After": "600"}
    await happen(demo_office)
    await worker.settle()

    [row] = await deliveries(demo_office)
    assert row["due_at"] - row["attempted_at"] >= timedelta(seconds=600)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, other_receiver: Receiver, status: int
) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses, receiver.headers = [status], {"Location": other_receiver.url}
    await happen(demo_office)
    await worker.settle()

    [row] = await deliveries(demo_office)
    assert (row["state"], row["status_code"]) == ("pending", status)
    assert other_receiver.received == []


async def test_gone_disables_the_subscription(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [410]
    await happen(demo_office)
    await worker.settle()
    await happen(demo_office)
    await worker.settle()

    shown = (await demo_office.partner_global.get("/webhooks")).json()["data"]
    assert (shown["status"], shown["disabledReason"]) == ("disabled", "gone")
    assert len(receiver.received) == 1
    assert [row["state"] for row in await deliveries(demo_office)] == ["failed"]


async def test_nothing_but_failures_brings_a_warning_and_then_an_end(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    subscription = await sign_up(demo_office, receiver)
    receiver.statuses = [500] * 9

    async def failing_since(hours: int) -> None:
        await demo_office.house.owner.execute(
            """
            UPDATE webhook_subscription SET failing_since = now() - make_interval(hours => $2)
            WHERE subscription_id = $1
            """,
            subscription["id"],
            hours,
        )

    async def shown() -> dict[str, str | None]:
        found: dict[str, str | None] = (await demo_office.partner_global.get("/webhooks")).json()["data"]
        return found

    await happen(demo_office)
    await worker.settle()
    assert (await shown())["failingSince"] is not None

    await failing_since(97)
    await happen(demo_office)
    await worker.settle()
    assert receiver.events[-1] == "webhook.failing"
    assert (await shown())["warnedAt"] is not None
    assert (await shown())["status"] == "active"

    await failing_since(121)
    await happen(demo_office)
    await worker.settle()
    assert ((await shown())["status"], (await shown())["disabledReason"]) == ("disabled", "failing")


async def test_a_success_clears_the_record(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [500]
    await happen(demo_office, 2)
    await worker.settle()

    assert (await demo_office.partner_global.get("/webhooks")).json()["data"]["failingSince"] is None


async def test_what_a_dead_worker_held_is_delivered_by_another_in_order(
    demo_office: Office, worker: Dispatcher, another_worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.delay_seconds = 30
    await happen(demo_office, 3)
    await worker.round()
    await arrived(receiver)  # the first attempt has started; its worker writes the result after the lease has expired
    receiver.delay_seconds = 0
    await another_worker.settle()
    assert receiver.log_ids == [1]

    await age(demo_office, 61)
    await another_worker.settle()

    assert receiver.log_ids == [1, 1, 2, 3]
    assert [row["state"] for row in await deliveries(demo_office)] == ["delivered"] * 3


async def test_a_result_whose_lease_was_lost_changes_nothing(
    demo_office: Office, worker: Dispatcher, another_worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.delay_seconds, receiver.statuses = 0.5, [500, 200]
    await happen(demo_office)
    await worker.round()
    await arrived(receiver)
    receiver.delay_seconds = 0
    await age(demo_office, 61)
    receiver.statuses = [200, 500]
    await another_worker.settle()
    await worker.settle()

    [row] = await deliveries(demo_office)
    assert (row["state"], row["attempts"]) == ("delivered", 1)


async def test_a_stopping_worker_gives_back_what_it_has_not_begun(
    demo_office: Office, worker: Dispatcher, another_worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.delay_seconds = 0.3
    stop = asyncio.Event()
    living = asyncio.create_task(worker.live(stop, drain_seconds=5))
    await happen(demo_office, 3)
    await until(lambda: bool(receiver.received))
    stop.set()
    await living

    assert [row["state"] for row in await deliveries(demo_office)] == ["delivered", "queued", "queued"]
    receiver.delay_seconds = 0
    await age(demo_office, 61)
    await another_worker.settle()
    assert receiver.log_ids == [1, 2, 3]


async def test_an_endpoint_that_resolves_to_nothing_has_a_name_for_its_failure(
    demo_office: Office, worker: Dispatcher
) -> None:
    await sign_up(demo_office, Receiver(url="https://nobody.invalid/hook"))
    await happen(demo_office)
    await worker.settle()

    [row] = await deliveries(demo_office)
    assert (row["state"], row["error_code"], row["status_code"]) == ("pending", "dns_lookup_failed", None)


async def test_during_a_rotation_both_secrets_sign(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    old = (await sign_up(demo_office, receiver))["secret"]
    rotated = (await demo_office.partner_global.post("/webhooks/rotate-secret")).json()["data"]
    receiver.secret = ""
    await happen(demo_office)
    await worker.settle()

    [(headers, _)] = receiver.received
    assert len(headers["webhook-signature"].split(" ")) == 2
    async with receiving(secret=old) as old_one, receiving(secret=rotated["secret"]) as new_one:
        for each in (old_one, new_one):
            await sign_up(demo_office, each)
            await happen(demo_office)
            await worker.settle()
            assert len(each.received) == 1
        await demo_office.house.owner.execute(
            "UPDATE webhook_subscription SET previous_secret_until = now() WHERE previous_secret IS NOT NULL"
        )
        await happen(demo_office)
        await worker.settle()
        [(_, _), (headers, _)] = new_one.received
        assert len(headers["webhook-signature"].split(" ")) == 1


async def test_while_paused_events_wait_and_are_delivered_in_order_when_resumed(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await demo_office.partner_global.post("/webhooks/pause")
    numbers = await happen(demo_office, 3)
    await worker.settle()
    assert receiver.received == []

    resumed = await demo_office.partner_global.post("/webhooks/resume")
    await worker.settle()
    assert resumed.json()["data"]["status"] == "active"
    assert receiver.log_ids == numbers


async def test_a_revoked_key_gets_nothing_more(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    await demo_office.house.owner.execute(
        "UPDATE api_key SET revoked_at = now() WHERE practice_id = $1", demo_office.practice_id
    )
    await happen(demo_office)
    await worker.settle()

    assert receiver.received == []
    assert await deliveries(demo_office) == []


async def test_a_scope_that_is_taken_from_the_key_is_heard_of_no_more(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await demo_office.house.owner.execute(
        "UPDATE api_key SET scopes = ARRAY['Payments'] WHERE practice_id = $1", demo_office.practice_id
    )
    await happen(demo_office)
    await happen(demo_office, scope="Payments", event="payment.received")
    await worker.settle()

    assert receiver.events == ["payment.received"]


async def test_a_log_with_a_gap_stops_its_practice_and_no_other(
    demo_office: Office, berlin_office: Office, worker: Dispatcher, receiver: Receiver, other_receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await sign_up(berlin_office, other_receiver)
    await happen(demo_office, 3)
    await happen(berlin_office)
    await demo_office.house.owner.execute(
        "DELETE FROM log WHERE practice_id = $1 AND log_id = 2", demo_office.practice_id
    )
    await worker.round()
    await asyncio.sleep(0.1)
    await worker.record_results()

    assert receiver.received == []
    assert other_receiver.log_ids == [1]
    await demo_office.house.owner.execute(
        """
        INSERT INTO log (practice_id, log_id, scope, event, data) VALUES ($1, 2, 'Claims', 'claim.paid', '{}')
        """,
        demo_office.practice_id,
    )
    await worker.settle()
    assert receiver.log_ids == [1, 2, 3]
