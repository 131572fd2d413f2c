"""POST /v1/webhooks/signup and the other subscription endpoints. (Source API specification: Webhooks)"""

from typing import Any

import pytest

from tests.webhooks.acts import befriend, deliveries, happen, sign_up
from tests.webhooks.receivers import Receiver, receiving
from tests.world import BASE_URL, Office, client

URL = "https://partner.invalid/officepro/webhooks"


async def signed_up(office: Office, **body: Any) -> Any:
    """Create or update the subscription."""
    return await office.partner_global.post(
        "/webhooks/signup", json={"hookUrl": URL, "scopes": ["Patients", "Claims"], **body}
    )


async def test_the_example_of_the_seeds(demo_office: Office) -> None:
    answer = await signed_up(demo_office)
    data = answer.json()["data"]
    secret = data.pop("secret")

    assert answer.status_code == 201
    assert answer.json()["message"] == "Webhook subscription created successfully"
    assert data == {"id": data["id"], "hookUrl": URL, "scopes": ["Patients", "Claims"], "status": "active"}
    assert secret.startswith("whsec_")

    again = await signed_up(demo_office, scopes=["Payments"])
    assert again.status_code == 200
    assert again.json() == {
        "message": "Webhook subscription updated successfully",
        "data": {"id": data["id"], "hookUrl": URL, "scopes": ["Payments"], "status": "active"},
    }


async def test_the_secret_is_nowhere_in_the_database(demo_office: Office) -> None:
    answer = await demo_office.partner_global.post(
        "/webhooks/signup", json={"hookUrl": URL, "scopes": ["Claims"]}, headers={"Idempotency-Key": "one"}
    )
    secret = answer.json()["data"]["secret"].removeprefix("whsec_")

    for table in ("webhook_subscription", "idempotency"):
        rows = await demo_office.house.owner.fetch(f"SELECT t::text AS row FROM {table} t")
        assert rows
        assert not [row for row in rows if secret in row["row"] or secret.encode().hex() in row["row"]]


async def test_a_repeat_by_idempotency_key_makes_nothing_new(demo_office: Office) -> None:
    body = {"hookUrl": URL, "scopes": ["Claims"]}
    key = {"Idempotency-Key": "one"}
    first = await demo_office.partner_global.post("/webhooks/signup", json=body, headers=key)
    again = await demo_office.partner_global.post("/webhooks/signup", json=body, headers=key)

    assert (again.status_code, again.headers["Idempotent-Replay"]) == (201, "true")
    shown = first.json()
    del shown["data"]["secret"]
    assert again.json() == shown


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"scopes": ["Everything"]}, "body.scopes"),
        ({"scopes": []}, "body.scopes"),
        ({"scopes": ["Providers"]}, "body.scopes"),
        ({"hookUrl": ""}, "body.hookUrl"),
        ({"hookUrl": "ftp://partner.invalid/"}, "body.hookUrl"),
        ({"hookUrl": "https://user:secret@partner.invalid/"}, "body.hookUrl"),
        ({"hookUrl": "https://partner.invalid:22/"}, "body.hookUrl"),
        ({"hookUrl": "https://2130706433/"}, "body.hookUrl"),
        ({"hookUrl": "https://0177.0.0.1/"}, "body.hookUrl"),
        ({"hookUrl": "https://partner.invalid/#fragment"}, "body.hookUrl"),
        ({"hookUrl": "https://[fe80::1%25eth0]/"}, "body.hookUrl"),
        ({"events": ["patient.updated"]}, "body.events"),
    ],
)
async def test_what_is_no_subscription_is_refused_by_name(
    demo_office: Office, body: dict[str, Any], place: str
) -> None:
    answer = await signed_up(demo_office, **body)

    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["location"].startswith(place)


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/hook",
        "https://[64:ff9b::a00:1]/hook",
        "https://[fd00::1]/hook",
        "https://168.63.129.16/",
    ],
)
async def test_an_address_inside_is_refused_with_the_reason(demo_office: Office, url: str) -> None:
    answer = await signed_up(demo_office, hookUrl=url)

    assert (answer.status_code, answer.json()["code"]) == (422, "forbidden_hook_url")
    assert "not a public address" in answer.json()["detail"]


async def test_a_scope_that_the_key_lacks_is_refused(demo_office: Office) -> None:
    bearer = {"Authorization": f"Bearer {await demo_office.token('newcomer')}"}
    async with client(demo_office.house.app, BASE_URL + "/v1", bearer) as newcomer:
        answer = await newcomer.post("/webhooks/signup", json={"hookUrl": URL, "scopes": ["Claims"]})

    assert (answer.status_code, answer.json()["code"], answer.json()["scope"]) == (403, "missing_scope", "Claims")


async def test_without_a_subscription_there_is_nothing_to_be_had(demo_office: Office) -> None:
    partner = demo_office.partner_global
    for answer in (
        await partner.get("/webhooks"),
        await partner.delete("/webhooks"),
        await partner.post("/webhooks/pause"),
        await partner.post("/webhooks/resume"),
        await partner.post("/webhooks/test"),
        await partner.post("/webhooks/rotate-secret"),
        await partner.get("/webhooks/deliveries"),
        await partner.post("/webhooks/replay", json={"fromLogId": 1}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_subscription")


async def test_a_deleted_subscription_is_gone_and_what_waited_is_cancelled(
    demo_office: Office, worker: Any, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await demo_office.partner_global.post("/webhooks/pause")
    await happen(demo_office)
    await worker.settle()
    deleted = await demo_office.partner_global.delete("/webhooks")
    await happen(demo_office)
    await worker.settle()

    assert deleted.json()["message"] == "Webhook subscription deleted successfully"
    assert (await demo_office.partner_global.get("/webhooks")).status_code == 404
    assert [row["state"] for row in await deliveries(demo_office)] == ["cancelled"]
    assert receiver.received == []


async def test_a_rotated_key_keeps_its_subscription(demo_office: Office, worker: Any, receiver: Receiver) -> None:
    made = await sign_up(demo_office, receiver)
    await befriend(demo_office, "successor")
    await demo_office.house.owner.execute(
        """
        UPDATE api_key SET expires_at = now(), replaced_by = (SELECT max(api_key_id) FROM api_key)
        WHERE api_key_id = (SELECT api_key_id FROM webhook_subscription WHERE subscription_id = $1)
        """,
        made["id"],
    )
    await happen(demo_office)
    await worker.settle()
    shown = await demo_office.successor_global.get("/webhooks")  # type: ignore[attr-defined]  # befriended

    assert receiver.log_ids == [1]
    assert shown.json()["data"]["id"] == made["id"]


async def test_another_partner_s_subscription_is_out_of_reach(demo_office: Office, receiver: Receiver) -> None:
    await sign_up(demo_office, receiver)
    await befriend(demo_office, "stranger")

    shown = await demo_office.stranger_global.get("/webhooks")  # type: ignore[attr-defined]  # befriended
    assert shown.status_code == 404


@pytest.mark.parametrize("status", [200, 500])
async def test_a_test_event_is_sent_at_once(demo_office: Office, running: Any, receiver: Receiver, status: int) -> None:
    await sign_up(demo_office, receiver)
    receiver.statuses = [status]
    key = {"Idempotency-Key": "one"}
    answer = await demo_office.partner_global.post("/webhooks/test", headers=key)
    again = await demo_office.partner_global.post("/webhooks/test", headers=key)

    data = answer.json()["data"]
    assert answer.json()["message"] == "Webhook test sent successfully"
    assert (data["success"], data["statusCode"]) == (status == 200, status)
    assert (data["errorMessage"] is None) == (status == 200)
    assert receiver.events == ["webhook.test"]
    assert again.json() == answer.json()
    assert again.headers["Idempotent-Replay"] == "true"
    assert await demo_office.log() == []


async def test_deliveries_are_listed_with_their_outcome(
    demo_office: Office, berlin_office: Office, worker: Any, receiver: Receiver
) -> None:
    made = await sign_up(demo_office, receiver)
    receiver.statuses = [500]
    await happen(demo_office, 3)
    async with receiving() as other:
        await sign_up(berlin_office, other)
        await happen(berlin_office)
        await worker.settle()

    listed = (await demo_office.partner_global.get("/webhooks/deliveries?limit=2")).json()
    assert (listed["count"], listed["total"]) == (2, 3)
    failed = (await demo_office.partner_global.get("/webhooks/deliveries?success=false")).json()["data"]
    assert [row["logId"] for row in failed] == [1]
    assert failed[0] == {
        "id": failed[0]["id"],
        "practicepass": demo_office.practicepass,
        "subscriptionId": made["id"],
        "event": "claim.paid",
        "eventId": f"evt_{demo_office.practice_id}_1",
        "logId": 1,
        "hookUrl": receiver.url,
        "success": False,
        "statusCode": 500,
        "attempts": 1,
        "errorMessage": "bad_status: The endpoint returned status 500; a 2xx status is required.",
        "durationMs": failed[0]["durationMs"],
        "createdAt": failed[0]["createdAt"],
        "nextAttemptAt": failed[0]["nextAttemptAt"],
        "state": "pending",
    }
    assert (await demo_office.partner_global.get("/webhooks/deliveries?event=claim.denied")).json()["total"] == 0
