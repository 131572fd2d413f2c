"""POST /v1/admin/practices"""

from typing import Any

import pytest

from tests.practices.admin import faults
from tests.world import House, Office

ADDRESS = "/v1/admin/practices"


def new(**given: Any) -> dict[str, Any]:
    return {"practicepass": "HarbourClinic", "name": "Harbour Clinic", "timezone": "Europe/Lisbon"} | given


async def test_a_new_practice_has_a_log_and_an_empty_set_up(house: House) -> None:
    answer = await house.admin.post(ADDRESS, json=new(practicepass="Harbour-1", minimumNoticeMinutes=30))

    assert (answer.status_code, answer.json()["message"]) == (201, "Practice created successfully")
    practice = answer.json()["data"]
    assert practice["createdAt"].endswith("Z")
    assert {name: practice[name] for name in practice if not name.endswith("At")} == {
        "practicepass": "Harbour-1",
        "name": "Harbour Clinic",
        "timezone": "Europe/Lisbon",
        "slotMinutes": 15,
        "minimumNoticeMinutes": 30,
        "bookingHorizonDays": None,
        "active": True,
    }
    rows = await house.owner.fetchrow(
        """
        SELECT log_head.last, practice_setup.version FROM practice
        JOIN log_head USING (practice_id) JOIN practice_setup USING (practice_id) WHERE practicepass = 'Harbour-1'
        """
    )
    assert rows is not None
    assert tuple(rows) == (0, 1)


async def test_a_partner_works_in_it_at_once(house: House) -> None:
    await house.admin.post(ADDRESS, json=new(practicepass="Harbour-2"))
    partner = (
        await house.admin.post("/v1/admin/partners", json={"company": "C", "contact": "A", "email": "a@c.example"})
    ).json()["data"]
    key = await house.admin.post(
        "/v1/admin/keys", json={"partnerId": partner["partnerId"], "practicepass": "Harbour-2", "name": "k"}
    )
    token = await house.stranger.post("/v1/Harbour-2/auth/token", json={"apiKey": key.json()["data"]["apiKey"]})
    prospect = await house.stranger.post(
        "/v1/Harbour-2/prospects",
        json={"FirstName": "Grace", "LastName": "Hopper"},
        headers={"Authorization": f"Bearer {token.json()['accessToken']}"},
    )

    assert prospect.status_code == 201


async def test_a_practicepass_is_given_once(demo_office: Office) -> None:
    answer = await demo_office.house.admin.post(ADDRESS, json=new(practicepass=demo_office.practicepass))

    assert (answer.status_code, answer.json()["code"]) == (409, "practicepass_taken")


@pytest.mark.parametrize("word", ["admin", "Admin", "kb", "me", "products", "webhooks", "access-requests", "keys"])
async def test_a_word_of_our_own_addresses_is_no_practicepass(house: House, word: str) -> None:
    answer = await house.admin.post(ADDRESS, json=new(practicepass=word))

    assert answer.status_code == 400
    assert list(faults(answer)) == ["body.practicepass"]


async def test_every_fault_is_named(house: House) -> None:
    answer = await house.admin.post(
        ADDRESS,
        json={
            "practicepass": "1 practice",
            "name": " ",
            "slotMinutes": 0,
            "minimumNoticeMinutes": -1,
            "bookingHorizonDays": 4000,
            "active": "yes",
            "timeZone": "Europe/Lisbon",
        },
    )

    assert answer.status_code == 400
    assert set(faults(answer)) == {
        "body.timeZone",
        "body.practicepass",
        "body.name",
        "body.timezone",
        "body.slotMinutes",
        "body.minimumNoticeMinutes",
        "body.bookingHorizonDays",
        "body.active",
    }


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("New York", "America/New_York"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
    ],
)
async def test_a_time_zone_that_is_none_is_refused_with_the_one_that_may_be_meant(
    house: House, wrong: str, meant: str
) -> None:
    answer = await house.admin.post(ADDRESS, json=new(timezone=wrong))

    assert answer.status_code == 400
    assert f"did you mean {meant}" in faults(answer)["body.timezone"]


async def test_a_newline_is_no_part_of_a_practicepass(house: House) -> None:
    answer = await house.admin.post(ADDRESS, json=new(practicepass="Newline\n"))

    assert (answer.status_code, list(faults(answer))) == (400, ["body.practicepass"])


@pytest.mark.parametrize("wrong", ["", "localtime", "../../etc/passwd", "Mars/Olympus\u0000", "/etc/localtime"])
async def test_what_is_no_zone_at_all_is_refused_too(house: House, wrong: str) -> None:
    answer = await house.admin.post(ADDRESS, json=new(timezone=wrong))

    assert (answer.status_code, list(faults(answer))) == (400, ["body.timezone"])


async def test_a_repeat_with_the_same_idempotency_key_makes_no_second_practice(house: House) -> None:
    answers = [
        await house.admin.post(
            ADDRESS, json=new(practicepass="Harbour-3"), headers={"Idempotency-Key": "harbour three"}
        )
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
