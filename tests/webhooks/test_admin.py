"""Admin endpoints for monitoring and retrying. (Source API specification: /v1/admin/webhooks)"""

from typing import Any

from officepro.webhooks.dispatcher import Dispatcher
from tests.webhooks.acts import deliveries, happen, recorded, sign_up
from tests.webhooks.receivers import Receiver
from tests.world import Office


async def monitor(office: Office, query: str = "") -> Any:
    """Return the monitor's response for the practice."""
    answer = await office.house.admin.get(f"/v1/admin/webhooks/monitor?practicepass={office.practicepass}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def retry(office: Office, delivery_id: int, **headers: str) -> Any:
    """Retry a delivery as admin."""
    return await office.house.admin.post(f"/v1/admin/webhooks/retry/{delivery_id}", headers=headers)


async def test_the_monitor_shows_what_the_seeds_show(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    before = (await monitor(demo_office))["summary"]["totalSubscriptions"]  # subscriptions to all practices
    made = await sign_up(demo_office, receiver)
    receiver.statuses = [200, 500]
    await happen(demo_office, 3)
    await worker.settle()
    shown = await monitor(demo_office)

    assert set(shown) == {"summary", "dispatchStates", "recentDeliveries"}
    assert shown["summary"] == {
        "totalSubscriptions": before + 1,
        "activeSubscriptions": before + 1,
        "totalDeliveries": 3,
        "failedDeliveries": 1,
        "successRate": 66.67,
    }
    assert shown["dispatchStates"] == [{"practicepass": demo_office.practicepass, "lastLogId": 3}]
    assert [row["logId"] for row in shown["recentDeliveries"]] == [3, 2, 1]
    newest = shown["recentDeliveries"][0]
    assert newest == {
        "id": newest["id"],
        "practicepass": demo_office.practicepass,
        "subscriptionId": made["id"],
        "event": "claim.paid",
        "eventId": f"evt_{demo_office.practice_id}_3",
        "logId": 3,
        "hookUrl": receiver.url,
        "success": True,
        "statusCode": 200,
        "attempts": 1,
        "errorMessage": None,
        "durationMs": newest["durationMs"],
        "createdAt": newest["createdAt"],
        "nextAttemptAt": None,
    }


async def test_the_monitor_s_filters(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [200, 500]
    await happen(demo_office, 3)
    await happen(demo_office, event="claim.denied")
    await worker.settle()

    async def log_ids(query: str) -> list[int]:
        return [row["logId"] for row in (await monitor(demo_office, query))["recentDeliveries"]]

    assert await log_ids("&success=false&limit=50&offset=0") == [2]
    assert await log_ids("&success=true") == [4, 3, 1]
    assert await log_ids("&limit=2&offset=1") == [3, 2]
    assert await log_ids("&event=claim.denied") == [4]
    assert await log_ids("&from=2099-01-01T00:00:00Z") == []
    assert await log_ids("&to=2001-01-01T00:00:00Z") == []


async def test_an_unknown_practice_is_told(demo_office: Office) -> None:
    answer = await demo_office.house.admin.get("/v1/admin/webhooks/monitor?practicepass=NoSuchOffice")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_practice")


async def test_without_deliveries_the_rate_is_nought(demo_office: Office) -> None:
    assert (await monitor(demo_office))["summary"]["successRate"] == 0


async def test_a_retry_is_a_new_record_of_the_same_event(
    demo_office: Office, running: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [500]
    await happen(demo_office)
    [source] = await recorded(demo_office, 1)
    answer = await retry(demo_office, source["delivery_id"])

    [_, made] = await deliveries(demo_office)
    assert answer.status_code == 200
    assert answer.json() == {
        "message": "Webhook delivery retried successfully",
        "data": {
            "sourceDeliveryId": source["delivery_id"],
            "retryDeliveryId": made["delivery_id"],
            "success": True,
            "statusCode": 200,
            "attempts": 1,
            "errorMessage": None,
        },
    }
    first, second = receiver.received
    assert first[1] == second[1]
    assert first[0]["webhook-id"] == second[0]["webhook-id"]


async def test_a_retry_that_fails_says_so_and_is_not_tried_again(
    demo_office: Office, running: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office)
    [source] = await recorded(demo_office, 1)
    receiver.statuses = [503]
    data = (await retry(demo_office, source["delivery_id"])).json()["data"]

    assert (data["success"], data["statusCode"], data["attempts"]) == (False, 503, 1)
    assert data["errorMessage"].startswith("bad_status")
    assert (await deliveries(demo_office))[1]["state"] == "failed"


async def test_a_retry_repeated_by_idempotency_key_is_sent_once(
    demo_office: Office, running: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office)
    [source] = await recorded(demo_office, 1)
    key = {"Idempotency-Key": demo_office.practicepass}
    first = await retry(demo_office, source["delivery_id"], **key)
    again = await retry(demo_office, source["delivery_id"], **key)

    assert again.json() == first.json()
    assert len(receiver.received) == 2


async def test_what_cannot_be_retried_is_told(demo_office: Office, worker: Dispatcher, receiver: Receiver) -> None:
    unknown = await retry(demo_office, 2**62)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_delivery")

    await sign_up(demo_office, receiver)
    await happen(demo_office)
    await worker.settle()
    await demo_office.partner_global.delete("/webhooks")
    [source] = await deliveries(demo_office)
    gone = await retry(demo_office, source["delivery_id"])
    assert (gone.status_code, gone.json()["code"]) == (409, "subscription_gone")


async def test_a_retry_whose_sender_died_is_not_left_hanging(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office)
    await worker.settle()
    await demo_office.house.owner.execute(
        """
        INSERT INTO webhook_delivery (practice_id, subscription_id, kind, event, event_id, log_id, occurred_at,
                                      hook_url, state, due_at, leased_by)
        SELECT practice_id, subscription_id, 'manual', event, event_id, log_id, occurred_at, hook_url, 'sending',
               now() - interval '1 second', 7 FROM webhook_delivery WHERE practice_id = $1
        """,
        demo_office.practice_id,
    )
    await demo_office.house.owner.execute(
        "UPDATE dispatch_state SET next_due_at = now() WHERE practice_id = $1", demo_office.practice_id
    )
    await worker.settle()

    assert [(row["state"], row["error_code"]) for row in await deliveries(demo_office)] == [
        ("delivered", None),
        ("failed", "interrupted"),
    ]


async def test_only_the_admin_may_look(demo_office: Office) -> None:
    assert (await demo_office.partner_global.get("/admin/webhooks/monitor")).status_code == 401
    assert (await demo_office.partner_global.post("/admin/webhooks/retry/1")).status_code == 401


async def test_deliveries_about_one_patient_are_found(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    """For an accounting of disclosures: deliveries are not in the disclosure log."""
    await sign_up(demo_office, receiver)
    await demo_office.partner.post("/tags/prospects/1001", json={"tagId": 1})
    data = [{"PatientID": 2}, {"claim": {"PatientID": [1001, 3]}}, {"PatientID": "1001"}, {"ClaimID": 1001}]
    entries = [{"Scope": "Claims", "Event": "claim.paid", "Data": one} for one in data]
    appended = await demo_office.house.admin.post(f"/v1/admin/{demo_office.practicepass}/log", json=entries)
    assert appended.status_code == 201, appended.text
    await worker.settle()

    async def log_ids(patient_id: int) -> list[int]:
        return [row["logId"] for row in (await monitor(demo_office, f"&patientId={patient_id}"))["recentDeliveries"]]

    assert await log_ids(1001) == [4, 3, 1]
    assert await log_ids(2) == [2]
    assert await log_ids(77) == []
    without_practice = await demo_office.house.admin.get("/v1/admin/webhooks/monitor?patientId=1001")
    assert without_practice.status_code == 400
    assert [fault["location"] for fault in without_practice.json()["errors"]] == ["query.practicepass"]
