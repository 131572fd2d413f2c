"""POST /v1/admin/keys"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.partners.keys import ADDRESS, exchange, issue, make_partner
from tests.practices.admin import faults
from tests.world import House, Office


async def test_a_key_opens_its_practice_with_its_scopes(demo_office: Office) -> None:
    expires = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    partner_id = await make_partner(demo_office.house)
    answer = await demo_office.house.admin.post(
        ADDRESS,
        json={
            "partnerId": partner_id,
            "practicepass": demo_office.practicepass,
            "name": "Booking",
            "scopes": ["Tags", "Providers"],
            "expiresAt": expires,
        },
    )

    assert (answer.status_code, answer.json()["message"]) == (201, "Key created successfully")
    key = answer.json()["data"]
    assert {name: key[name] for name in key if name not in ("keyId", "apiKey", "createdAt")} == {
        "partnerId": partner_id,
        "practicepass": demo_office.practicepass,
        "name": "Booking",
        "scopes": ["Providers", "Tags"],
        "purpose": "other",
        "patientBudgetPerDay": None,
        "status": "active",
        "expiresAt": expires,
    }
    assert key["apiKey"].startswith(f"opk_{key['keyId']}_")
    token = (await exchange(demo_office, key["apiKey"])).json()["accessToken"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await demo_office.house.stranger.get(f"{demo_office.path}/tags", headers=bearer)).status_code == 200
    assert (await demo_office.house.stranger.get(f"{demo_office.path}/prospects", headers=bearer)).status_code == 403


async def test_without_scopes_it_has_those_of_every_new_key(demo_office: Office) -> None:
    assert (await issue(demo_office))["scopes"] == ["Prospects", "Tags"]


async def test_a_key_for_one_practice_does_not_open_another(demo_office: Office, berlin_office: Office) -> None:
    key = await issue(demo_office)

    assert (await exchange(berlin_office, key["apiKey"])).status_code == 401


async def test_a_key_for_all_practices_opens_each(demo_office: Office, berlin_office: Office) -> None:
    key = await issue(demo_office, practicepass=None)

    assert key["practicepass"] is None
    for office in (demo_office, berlin_office):
        assert (await exchange(office, key["apiKey"])).status_code == 200


async def test_the_secret_is_kept_nowhere_not_even_for_a_repeat(demo_office: Office) -> None:
    body = {
        "partnerId": await make_partner(demo_office.house),
        "practicepass": demo_office.practicepass,
        "name": "key",
    }
    first, second = [
        await demo_office.house.admin.post(
            ADDRESS, json=body, headers={"Idempotency-Key": f"key of {demo_office.practicepass}"}
        )
        for _ in range(2)
    ]

    secret = first.json()["data"]["apiKey"]
    assert (second.status_code, second.headers["Idempotent-Replay"]) == (201, "true")
    assert second.json()["data"] == first.json()["data"] | {"apiKey": None}
    kept = await demo_office.house.owner.fetchval(
        "SELECT count(*) FROM idempotency WHERE convert_from(body, 'UTF8') LIKE '%' || $1 || '%'", secret
    )
    assert kept == 0


async def test_partner_and_practice_must_be_there_and_the_expiry_ahead(house: House) -> None:
    answer = await house.admin.post(
        ADDRESS,
        json={"partnerId": 999_999, "practicepass": "Nowhere", "name": "k", "expiresAt": "2020-01-01T00:00:00Z"},
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "impossible_key")
    assert list(faults(answer)) == ["body.partnerId", "body.practicepass", "body.expiresAt"]


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({}, ["body.partnerId", "body.practicepass", "body.name"]),
        ({"partnerId": 1, "practicepass": "a b", "name": ""}, ["body.practicepass", "body.name"]),
        ({"partnerId": 1, "practicepass": None, "name": "k", "scopes": []}, ["body.scopes"]),
        (
            {"partnerId": 1, "practicepass": None, "name": "k", "scopes": ["Tags", "tags", "Tags", "*"]},
            ["body.scopes[1]", "body.scopes[2]", "body.scopes[3]"],
        ),
        ({"partnerId": 1, "practicepass": None, "name": "k", "expiresAt": "tomorrow"}, ["body.expiresAt"]),
        ({"partnerId": 1, "practicepass": None, "name": "k", "apiKey": "mine"}, ["body.apiKey"]),
    ],
)
async def test_every_fault_is_named(house: House, given: dict[str, Any], places: list[str]) -> None:
    answer = await house.admin.post(ADDRESS, json=given)

    assert (answer.status_code, list(faults(answer))) == (400, places)
