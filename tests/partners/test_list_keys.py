"""GET /v1/admin/keys"""

from typing import Any

from tests.partners.keys import ADDRESS, exchange, issue, make_partner
from tests.world import Office


async def listed(office: Office, **wanted: Any) -> list[dict[str, Any]]:
    answer = await office.house.admin.get(ADDRESS, params=wanted)
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


async def test_keys_are_listed_without_their_secrets_the_newest_first(demo_office: Office) -> None:
    partner_id = await make_partner(demo_office.house)
    keys = [await issue(demo_office, partnerId=partner_id) for _ in range(3)]

    found = await listed(demo_office, partnerId=partner_id)

    assert [key["keyId"] for key in found] == [key["keyId"] for key in reversed(keys)]
    assert {"keyId", "company", "status", "lastUsedAt", "createdAt"} <= found[0].keys()
    assert "apiKey" not in found[0]
    assert keys[2]["apiKey"] not in str(found)
    page = await demo_office.house.admin.get(ADDRESS, params={"partnerId": partner_id, "limit": 2, "page": 2})
    assert (page.json()["count"], page.json()["total"]) == (1, 3)


async def test_keys_of_a_practice_are_its_own_and_those_for_all(demo_office: Office, berlin_office: Office) -> None:
    partner_id = await make_partner(demo_office.house)
    own = await issue(demo_office, partnerId=partner_id)
    for_all = await issue(demo_office, partnerId=partner_id, practicepass=None)
    await issue(berlin_office, partnerId=partner_id)

    found = await listed(demo_office, partnerId=partner_id, practicepass=demo_office.practicepass)

    assert [key["keyId"] for key in found] == [for_all["keyId"], own["keyId"]]


async def test_each_key_has_one_status(demo_office: Office) -> None:
    partner_id = await make_partner(demo_office.house)
    active, revoked, expired = [await issue(demo_office, partnerId=partner_id) for _ in range(3)]
    await demo_office.house.admin.post(f"{ADDRESS}/{revoked['keyId']}/revoke")
    await demo_office.house.owner.execute(
        "UPDATE api_key SET expires_at = now() - interval '1 second' WHERE api_key_id = $1", expired["keyId"]
    )

    for status, key in (("active", active), ("revoked", revoked), ("expired", expired)):
        found = await listed(demo_office, partnerId=partner_id, status=status)
        assert [(one["keyId"], one["status"]) for one in found] == [(key["keyId"], status)]


async def test_the_last_use_shows(demo_office: Office) -> None:
    key = await issue(demo_office)
    assert (await listed(demo_office, partnerId=key["partnerId"]))[0]["lastUsedAt"] is None

    await exchange(demo_office, key["apiKey"])
    await demo_office.house.owner.execute(
        "UPDATE api_key SET last_used_at = '2026-03-09T14:15:00Z' WHERE api_key_id = $1", key["keyId"]
    )

    assert (await listed(demo_office, partnerId=key["partnerId"]))[0]["lastUsedAt"] == "2026-03-09T14:15:00.000Z"


async def test_bad_filters_are_named(demo_office: Office) -> None:
    answer = await demo_office.house.admin.get(
        ADDRESS, params={"status": "lost", "partnerId": "x", "limit": 101, "colour": "red"}
    )

    assert answer.status_code == 400
    assert {fault["location"] for fault in answer.json()["errors"]} == {
        "query.status",
        "query.partnerId",
        "query.limit",
        "query.colour",
    }
