"""GET and PATCH /v1/me"""

import asyncio

import pytest

from officepro.access.scopes import DEFAULT_SCOPES, EVERY_SCOPE
from tests.world import House, Office, client, make_key


async def test_a_partner_sees_itself_and_its_key(demo_office: Office) -> None:
    answer = await demo_office.partner_global.get("/me")

    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["company"] == f"partner of {demo_office.practicepass}"
    assert data["key"]["practicepass"] == demo_office.practicepass
    assert data["key"]["scopes"] == sorted(EVERY_SCOPE)
    assert (data["key"]["name"], data["key"]["expiresAt"]) == ("key", None)
    assert data["key"]["limits"] == {"requestsPerMinute": None}
    assert answer.headers["ETag"] == '"1"'
    assert "secret" not in answer.text
    assert "opk_" not in answer.text


async def test_any_scopes_will_do(demo_office: Office) -> None:
    headers = {"Authorization": f"Bearer {await demo_office.token('newcomer')}"}
    answer = await demo_office.house.stranger.get("/v1/me", headers=headers)

    assert answer.json()["data"]["key"]["scopes"] == sorted(DEFAULT_SCOPES)


async def test_a_key_of_every_practice_has_none(demo_office: Office, house: House) -> None:
    demo_office.keys["anywhere"] = await make_key(house, "Everywhere", DEFAULT_SCOPES, None)
    headers = {"Authorization": f"Bearer {await demo_office.token('anywhere')}"}
    answer = await house.stranger.get("/v1/me", headers=headers)

    assert answer.json()["data"]["key"]["practicepass"] is None


async def test_what_is_sent_is_changed_and_the_rest_stays(demo_office: Office) -> None:
    changes = {
        "contact": "Jo Doe",
        "phone": "555-0123",
        "website": "https://partner.example.com",
    }
    answer = await demo_office.partner_global.patch("/me", json=changes)

    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data == data | changes | {"company": f"partner of {demo_office.practicepass}"}
    assert answer.headers["ETag"] == '"2"'
    emptied = await demo_office.partner_global.patch("/me", json={"website": ""})
    assert (emptied.json()["data"]["website"], emptied.json()["data"]["contact"]) == ("", "Jo Doe")


async def test_of_changes_at_once_one_is_made_and_the_others_are_told_that_they_are_late(demo_office: Office) -> None:
    answers = await asyncio.gather(
        *(
            demo_office.partner_global.patch("/me", json={"contact": f"Jo {number}"}, headers={"If-Match": '"1"'})
            for number in range(16)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 15
    assert {answer.headers["ETag"] for answer in answers} == {'"2"'}


async def test_another_partner_is_not_touched(demo_office: Office, berlin_office: Office) -> None:
    await demo_office.partner_global.patch("/me", json={"contact": "Mine"})

    assert (await berlin_office.partner_global.get("/me")).json()["data"]["contact"] == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("company", ""),
        ("company", "   "),
        ("company", "x" * 201),
        ("email", "nobody"),
        ("email", "a@b"),
        ("website", "javascript:alert(1)"),
        ("website", "ftp://example.com"),
        ("phone", None),
        ("phone", "5\0"),
        ("key", {}),
        ("partnerId", 1),
        ("active", False),
    ],
)
async def test_a_bad_change_is_refused(demo_office: Office, field: str, value: object) -> None:
    answer = await demo_office.partner_global.patch("/me", json={field: value})

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == [f"body.{field}"]


async def test_nobody_is_asked_who_has_no_token(house: House) -> None:
    async with client(house.app) as nobody:
        assert (await nobody.get("/v1/me")).status_code == 401
        assert (await nobody.patch("/v1/me", json={})).status_code == 401
