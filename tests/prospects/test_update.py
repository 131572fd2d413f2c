"""PUT /v1/{PPass}/prospects/{id}"""

import asyncio

import pytest

from tests.prospects.test_create import EVERYTHING
from tests.world import Office


@pytest.fixture
async def zoe(demo_office: Office) -> str:
    """Someone of whom everything is known, and her address."""
    answer = await demo_office.partner.post("/prospects", json=EVERYTHING)
    return f"/prospects/{answer.json()['data']['PatientID']}"


async def found_by(office: Office, search: str) -> list[str]:
    answer = await office.partner.get("/prospects", params={"search": search})
    return [person["FullName"] for person in answer.json()["data"]]


async def test_the_fields_that_are_sent_change_and_the_rest_stays(demo_office: Office, zoe: str) -> None:
    answer = await demo_office.partner.put(zoe, json={"City": "Utica", "Prospect": 1})

    assert (answer.status_code, answer.json()["message"]) == (200, "Prospect updated successfully")
    assert {name: answer.json()["data"][name] for name in EVERYTHING} == {**EVERYTHING, "City": "Utica", "Prospect": 1}
    assert (await demo_office.partner.get(zoe)).json()["data"] == answer.json()["data"]
    assert answer.json()["data"]["UpdatedAt"] > answer.json()["data"]["CreatedAt"]
    assert answer.headers["ETag"] == '"2"'


@pytest.mark.parametrize("name", [name for name in EVERYTHING if name != "Prospect"])
async def test_null_empties_a_field(demo_office: Office, zoe: str, name: str) -> None:
    answer = await demo_office.partner.put(zoe, json={name: None})

    emptied = "Zoë Q O'Neil-Smith" if name == "FullName" else None  # made of its parts when nobody wrote it
    assert (answer.status_code, answer.json()["data"][name]) == (200, emptied)
    rest = {other: value for other, value in EVERYTHING.items() if other != name}
    assert {other: answer.json()["data"][other] for other in rest} == rest


async def test_empty_text_empties_a_field_too(demo_office: Office, zoe: str) -> None:
    answer = await demo_office.partner.put(zoe, json={"MI": "", "EMail": ""})

    assert (answer.json()["data"]["MI"], answer.json()["data"]["EMail"]) == (None, None)


async def test_what_somebody_is_found_by_follows_the_change(demo_office: Office, zoe: str) -> None:
    assert await found_by(demo_office, "oneil") == ["Dr. Zoë Q. O'Neil-Smith"]

    await demo_office.partner.put(
        zoe, json={"LastName": "Murray", "FullName": None, "EMail": "z@example.net", "CellPhone": "315 555 0900"}
    )

    assert await found_by(demo_office, "oneil") == []
    assert await found_by(demo_office, "zoe@") == []
    assert await found_by(demo_office, "0147") == []
    for search in ("murr", "z@example.net", "3155550900", "0900", "zo", "0148"):
        assert await found_by(demo_office, search) == ["Zoë Q Murray"], search


async def test_an_empty_put_changes_nothing(demo_office: Office, zoe: str) -> None:
    before = await demo_office.partner.get(zoe)
    answer = await demo_office.partner.put(zoe, json={})

    assert answer.status_code == 200
    assert answer.json()["data"] == before.json()["data"]
    assert answer.headers["ETag"] == before.headers["ETag"]
    assert [row["event"] for row in await demo_office.log()] == ["patient.created"]


async def test_a_change_is_told_as_an_event_that_says_no_more_than_the_number(demo_office: Office, zoe: str) -> None:
    await demo_office.partner.put(zoe, json={"Notes": "a secret"})

    created, updated = await demo_office.log()
    assert (updated["event"], updated["scope"], updated["data"]) == ("patient.updated", "Patients", created["data"])


@pytest.mark.parametrize("body", [{"City": "Utica"}, {"PtImg": None}, {}])
async def test_if_match_refuses_a_change_of_what_was_changed_since(
    demo_office: Office, zoe: str, body: dict[str, object]
) -> None:
    await demo_office.partner.put(zoe, json={"City": "Rome"})

    stale = await demo_office.partner.put(zoe, json=body, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"], stale.headers["ETag"]) == (412, "stale_version", '"2"')
    assert (await demo_office.partner.get(zoe)).json()["data"]["City"] == "Rome"

    fresh = await demo_office.partner.put(zoe, json=body, headers={"If-Match": stale.headers["ETag"]})
    assert fresh.status_code == 200


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ("*", 200),
        ('W/"1"', 200),
        ('"1"', 200),
        ("1", 412),
        ('"2"', 412),
        ('"', 412),
        ('"x"', 412),
        ('"9' + "9" * 90 + '"', 412),
    ],
)
async def test_if_match_takes_what_the_etag_header_said_and_nothing_else(
    demo_office: Office, zoe: str, if_match: str, status: int
) -> None:
    answer = await demo_office.partner.put(zoe, json={"City": "Utica"}, headers={"If-Match": if_match})

    assert answer.status_code == status


async def test_an_if_match_beyond_all_bounds_is_named(demo_office: Office, zoe: str) -> None:
    answer = await demo_office.partner.put(zoe, json={"City": "Utica"}, headers={"If-Match": "x" * 101})

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == ["header.If-Match"]


async def test_of_two_changes_with_the_same_if_match_one_succeeds(demo_office: Office, zoe: str) -> None:
    answers = await asyncio.gather(
        *(
            demo_office.partner.put(zoe, json={"City": f"City {number}"}, headers={"If-Match": '"1"'})
            for number in range(5)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]


@pytest.mark.parametrize("body", [{"City": "Utica"}, {}, {"PtImg": None}])
async def test_who_is_not_there_cannot_be_changed(demo_office: Office, body: dict[str, object]) -> None:
    for headers in ({}, {"If-Match": '"1"'}):
        answer = await demo_office.partner.put("/prospects/999", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_prospect")


async def test_faults_are_named_and_nothing_changes(demo_office: Office, zoe: str) -> None:
    answer = await demo_office.partner.put(zoe, json={"City": "Utica", "Gender": "x", "PatientID": 7, "Prospect": None})

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == [
        "body.PatientID",
        "body.Gender",
        "body.Prospect",
    ]
    assert (await demo_office.partner.get(zoe)).json()["data"]["City"] == "Albany"


async def test_an_unknown_provider_undoes_the_whole_change(demo_office: Office, zoe: str) -> None:
    answer = await demo_office.partner.put(zoe, json={"City": "Utica", "ProviderID": 77})

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_provider")
    assert (await demo_office.partner.get(zoe)).json()["data"]["City"] == "Albany"
    assert len(await demo_office.log()) == 1
