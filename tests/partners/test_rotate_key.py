"""POST /v1/admin/keys/{id}/rotate"""

import asyncio
from typing import Any

import httpx
import pytest

from tests.partners.keys import ADDRESS, exchange, issue
from tests.practices.admin import faults
from tests.world import House, Office


async def rotate(office: Office, key: dict[str, Any], grace_seconds: Any = 60) -> httpx.Response:
    return await office.house.admin.post(f"{ADDRESS}/{key['keyId']}/rotate", json={"graceSeconds": grace_seconds})


async def test_both_keys_work_until_the_grace_ends(demo_office: Office) -> None:
    old = await issue(
        demo_office, scopes=["Providers"], name="Booking", expiresAt="2099-01-01T00:00:00Z", purpose="payment"
    )
    answer = await rotate(demo_office, old, grace_seconds=2)

    assert (answer.status_code, answer.json()["message"]) == (201, "Key rotated successfully")
    new = answer.json()["data"]
    assert new["replaces"]["keyId"] == old["keyId"]
    for same in ("partnerId", "practicepass", "name", "scopes", "purpose", "expiresAt", "status"):
        assert new[same] == old[same]
    for key in (old, new):
        assert (await exchange(demo_office, key["apiKey"])).status_code == 200

    await asyncio.sleep(2.1)
    assert (await exchange(demo_office, old["apiKey"])).status_code == 401
    assert (await exchange(demo_office, new["apiKey"])).status_code == 200


async def test_without_grace_the_old_key_ends_at_once(demo_office: Office) -> None:
    old = await issue(demo_office)
    new = (await rotate(demo_office, old, grace_seconds=0)).json()["data"]

    assert (await exchange(demo_office, old["apiKey"])).status_code == 401
    assert (await exchange(demo_office, new["apiKey"])).status_code == 200
    rows = (await demo_office.house.admin.get(ADDRESS, params={"partnerId": old["partnerId"]})).json()["data"]
    assert [(row["status"], row["replacedBy"]) for row in rows] == [("active", None), ("expired", new["keyId"])]


async def test_the_grace_does_not_make_the_old_key_live_longer(demo_office: Office) -> None:
    old = await issue(demo_office)
    await demo_office.house.owner.execute(
        "UPDATE api_key SET expires_at = now() + interval '10 seconds' WHERE api_key_id = $1", old["keyId"]
    )
    before = await demo_office.house.owner.fetchval(
        "SELECT expires_at FROM api_key WHERE api_key_id = $1", old["keyId"]
    )
    await rotate(demo_office, old, grace_seconds=3600)

    assert before == await demo_office.house.owner.fetchval(
        "SELECT expires_at FROM api_key WHERE api_key_id = $1", old["keyId"]
    )


async def test_a_key_is_rotated_once_also_by_two_at_once(demo_office: Office) -> None:
    old = await issue(demo_office)
    answers = await asyncio.gather(*(rotate(demo_office, old) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "key_already_rotated"}
    rows = (await demo_office.house.admin.get(ADDRESS, params={"partnerId": old["partnerId"]})).json()
    assert rows["total"] == 2


async def test_a_key_that_no_longer_works_cannot_be_rotated(demo_office: Office) -> None:
    old = await issue(demo_office)
    await demo_office.house.admin.post(f"{ADDRESS}/{old['keyId']}/revoke")

    answer = await rotate(demo_office, old)

    assert (answer.status_code, answer.json()["code"]) == (409, "key_not_active")


async def test_an_unknown_key_is_not_found(house: House) -> None:
    answer = await house.admin.post(f"{ADDRESS}/999999/rotate", json={"graceSeconds": 0})

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_key")


@pytest.mark.parametrize("grace", [-1, 90 * 86_400 + 1, "60", None, 1.5])
async def test_the_grace_is_a_number_of_seconds(demo_office: Office, grace: Any) -> None:
    answer = await rotate(demo_office, await issue(demo_office), grace)

    assert (answer.status_code, list(faults(answer))) == (400, ["body.graceSeconds"])
