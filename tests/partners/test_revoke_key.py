"""POST /v1/admin/keys/{id}/revoke"""

from tests.partners.keys import ADDRESS, exchange, issue
from tests.world import House, Office


async def test_a_revoked_key_opens_nothing_and_revoking_twice_is_no_error(demo_office: Office) -> None:
    key = await issue(demo_office)
    assert (await exchange(demo_office, key["apiKey"])).status_code == 200

    first, second = [await demo_office.house.admin.post(f"{ADDRESS}/{key['keyId']}/revoke") for _ in range(2)]

    assert (first.status_code, first.json()["message"]) == (200, "Key revoked successfully")
    assert first.json()["data"]["status"] == "revoked"
    assert first.json()["data"]["revokedAt"] is not None
    assert (second.status_code, second.json()) == (200, first.json())
    assert (await exchange(demo_office, key["apiKey"])).status_code == 401


async def test_other_keys_of_the_partner_still_work(demo_office: Office) -> None:
    one = await issue(demo_office)
    other = await issue(demo_office, partnerId=one["partnerId"])
    await demo_office.house.admin.post(f"{ADDRESS}/{one['keyId']}/revoke")

    assert (await exchange(demo_office, other["apiKey"])).status_code == 200


async def test_an_unknown_key_is_not_found(house: House) -> None:
    answer = await house.admin.post(f"{ADDRESS}/999999/revoke")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_key")
