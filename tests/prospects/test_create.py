"""POST /v1/{PPass}/prospects"""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.prospects.images import COMMENT, EXIF, JFIF, MARK, chunk, jpeg, png
from tests.world import Office

PNG = png(3, 2)
JPEG = jpeg(24, 16)
MEBIBYTE = 1024 * 1024
EVERYTHING: dict[str, Any] = {
    "FirstName": "Zoë",
    "MI": "Q",
    "LastName": "O'Neil-Smith",
    "FullName": "Dr. Zoë Q. O'Neil-Smith",
    "NickName": "Zo",
    "Gender": "f",
    "DOB": "1984-02-29",
    "LifeStage": "Adult",
    "Pronouns": "she/her",
    "SexualIdentity": "not said",
    "PrimaryLanguage": "Kölsch",
    "Type": "Insurance",
    "Phone": "555-0123",
    "CellPhone": "+1 (212) 555-0147",
    "SMSPhone": "212.555.0148",
    "EMail": "zoe@example.com",
    "Address": "1 Main Street",
    "Unit": "4b",
    "City": "Albany",
    "State": "NY",
    "Zip": "12207",
    "Country": "US",
    "ProviderID": 1,
    "Prospect": 0,
    "Sh_Name": "The neighbour",
    "Sh_Address": "2 Main Street",
    "Sh_Unit": "1",
    "Sh_City": "Troy",
    "Sh_State": "NY",
    "Sh_Zip": "12180",
    "Sh_Country": "US",
    "PtImg": base64.b64encode(PNG).decode(),
    "Notes": "Line one\nline two\t<b>\u2028 \U0001f600 'quoted' \"and\" \\ back",
}


async def test_the_seeds_example_creates_a_prospect(demo_office: Office) -> None:
    body = {"FirstName": "John", "LastName": "Doe", "EMail": "john@example.com", "Phone": "555-0123"}
    before = datetime.now(UTC) - timedelta(seconds=1)

    answer = await demo_office.partner.post("/prospects", json=body)

    assert answer.status_code == 201
    assert answer.json()["message"] == "Prospect created successfully"
    john = answer.json()["data"]
    assert {name: john[name] for name in body} == body
    assert john["PatientID"] > 0
    assert (john["Prospect"], john["FullName"], john["Tags"], john["PtImg"]) == (1, "John Doe", [], None)
    assert {name for name, value in john.items() if value is None} == EVERYTHING.keys() - body.keys() - {
        "Prospect",
        "FullName",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z", john["CreatedAt"])
    assert before <= datetime.fromisoformat(john["CreatedAt"]) <= datetime.now(UTC)
    assert john["UpdatedAt"] == john["CreatedAt"]
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Cache-Control"] == "no-store"


async def test_every_field_of_the_seeds_is_kept_as_it_was_sent(demo_office: Office) -> None:
    created = await demo_office.partner.post("/prospects", json=EVERYTHING)
    assert created.status_code == 201, created.text
    found = await demo_office.partner.get(f"/prospects/{created.json()['data']['PatientID']}")

    for answer in (created, found):
        assert {name: answer.json()["data"][name] for name in EVERYTHING} == EVERYTHING
    assert found.json()["data"] == created.json()["data"]
    assert found.headers["ETag"] == created.headers["ETag"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Gender", ["m", "f", "o", "u", None]),
        ("LifeStage", ["Infant", "Toddler", "Child", "Adolescent", "EarlyAdult", "Adult", "AllAdults", "Senior", None]),
        ("Type", ["Patient", "Child", "Cash", "Insurance", "Guarantor", None]),
        ("Prospect", [0, 1]),
    ],
)
async def test_every_value_of_an_enumeration_is_taken(demo_office: Office, name: str, values: list[Any]) -> None:
    for value in values:
        answer = await demo_office.partner.post("/prospects", json={"FirstName": "Ann", name: value})
        assert (answer.status_code, answer.json()["data"][name]) == (201, value)


@pytest.mark.parametrize("picture", [PNG, JPEG, png(590, 590, noise=True)], ids=["PNG", "JPEG", "1 MiB"])
async def test_a_picture_comes_back_as_it_was_sent_but_not_in_lists(demo_office: Office, picture: bytes) -> None:
    text = base64.b64encode(picture).decode()
    created = await demo_office.partner.post("/prospects", json={"FirstName": "Ann", "PtImg": text})
    as_address = await demo_office.partner.post(
        "/prospects", json={"FirstName": "Ann", "PtImg": f"data:image/png;base64,{text}"}
    )
    listed = await demo_office.partner.get("/prospects", params={"search": "ann"})

    assert created.json()["data"]["PtImg"] == as_address.json()["data"]["PtImg"] == text
    assert listed.json()["count"] == 2
    assert not any("PtImg" in person for person in listed.json()["data"])


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (png(3, 2, chunk(b"tEXt", b"Comment\x00" + MARK), chunk(b"eXIf", MARK)) + b"<html>", png(3, 2)),
        (jpeg(24, 16, JFIF, EXIF, COMMENT) + b"<script>", jpeg(24, 16, JFIF)),
    ],
    ids=["PNG", "JPEG"],
)
async def test_the_metadata_of_a_picture_is_not_stored(demo_office: Office, sent: bytes, stored: bytes) -> None:
    body = {"FirstName": "Ann", "PtImg": base64.b64encode(sent).decode()}
    created = await demo_office.partner.post("/prospects", json=body)
    changed = await demo_office.partner.put(f"/prospects/{demo_office.ada}", json=body)

    for answer in (created, changed):
        assert base64.b64decode(answer.json()["data"]["PtImg"]) == stored
    rows = await demo_office.house.owner.fetch(
        "SELECT picture FROM patient_picture WHERE practice_id = $1", demo_office.practice_id
    )
    assert [row["picture"] for row in rows] == [stored, stored]


TOMORROW_AND_ONE = (datetime.now(UTC).date() + timedelta(days=2)).isoformat()
WRONG = [
    ("FirstName", 7),
    ("FirstName", ["Ann"]),
    ("FirstName", {"first": "Ann"}),
    ("FirstName", True),
    ("FirstName", "x" * 101),
    ("FirstName", "NUL\x00"),
    ("MI", "x" * 21),
    ("FullName", "x" * 201),
    ("Notes", "x" * 10_001),
    ("Gender", "F"),
    ("Gender", "female"),
    ("Gender", ""),
    ("Gender", 1),
    ("LifeStage", "adult"),
    ("Type", "VIP"),
    ("Prospect", 2),
    ("Prospect", "1"),
    ("Prospect", True),
    ("Prospect", None),
    ("DOB", "2026-02-29"),
    ("DOB", "infinity"),
    ("DOB", "tomorrow"),
    ("DOB", "1899-12-31"),
    ("DOB", "2101-01-01"),
    ("DOB", TOMORROW_AND_ONE),
    ("DOB", "1984-2-9"),
    ("DOB", "02/29/1984"),
    ("DOB", "1984-02-29T00:00:00Z"),
    ("DOB", 0),
    ("DOB", "١٩٨٤-٠٢-٢٩"),
    ("EMail", "john"),
    ("EMail", "john@example"),
    ("EMail", "john@example.com\n"),
    ("EMail", "\n"),
    ("EMail", "john @example.com"),
    ("EMail", "john@exam@ple.com"),
    ("EMail", "x" * 250 + "@example.com"),
    ("Phone", "5" * 41),
    ("ProviderID", 0),
    ("ProviderID", -1),
    ("ProviderID", 2**63),
    ("ProviderID", "1"),
    ("ProviderID", 1.5),
    ("ProviderID", True),
    ("PtImg", "not base64!"),
    ("PtImg", ""),
    ("PtImg", base64.b64encode(b"GIF89a").decode()),
    ("PtImg", base64.b64encode(PNG + b"x" * MEBIBYTE).decode()),
    ("PtImg", base64.b64encode(PNG[:-1]).decode()),
    ("PtImg", base64.b64encode(JPEG[:-1]).decode()),
    ("PtImg", base64.b64encode(png(4097, 1)).decode()),
    ("PtImg", 7),
    ("Sh_Zip", 12180),
    ("PatientID", 5),
    ("Firstname", "Ann"),
    ("Tags", []),
    ("practice_id", 1),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{name}={str(value)[:20]!a}" for name, value in WRONG])
async def test_a_wrong_value_is_named_with_its_place(demo_office: Office, name: str, value: object) -> None:
    answer = await demo_office.partner.post("/prospects", json={"LastName": "Doe", name: value})

    assert answer.status_code == 400, answer.text
    assert [fault["location"] for fault in answer.json()["errors"]] == [f"body.{name}"]
    message = answer.json()["errors"][0]["message"]
    assert not re.search(r"`|regex|\\|\bstr\b|\bint\b|Expected", message), message
    assert await demo_office.log() == []


async def test_all_faults_are_named_at_once(demo_office: Office) -> None:
    body = {"Gender": "x", "DOB": "yesterday", "Prospect": 7, "EMail": "nobody", "Colour": "red", "PtImg": "?"}
    answer = await demo_office.partner.post("/prospects?dryRun=true", json=body, headers={"Idempotency-Key": "x" * 256})

    assert answer.status_code == 400
    assert {fault["location"] for fault in answer.json()["errors"]} == {
        "query.dryRun",
        "header.Idempotency-Key",
        *(f"body.{name}" for name in body),
    }
    assert f"{len(answer.json()['errors'])} validation errors" in answer.json()["detail"]


async def test_a_near_miss_of_a_name_is_answered_with_the_right_one(demo_office: Office) -> None:
    answer = await demo_office.partner.post("/prospects", json={"Firstname": "Ann"})

    assert answer.json()["errors"][0]["message"].endswith("did you mean FirstName?")


@pytest.mark.parametrize("body", [{}, {"City": "Albany"}, {"FirstName": ""}, {"FirstName": None, "EMail": ""}])
async def test_a_prospect_must_say_who_it_is(demo_office: Office, body: object) -> None:
    answer = await demo_office.partner.post("/prospects", json=body)

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == ["body"]


@pytest.mark.parametrize(
    "name", ["FirstName", "LastName", "FullName", "NickName", "EMail", "Phone", "CellPhone", "SMSPhone"]
)
async def test_any_one_of_these_says_it(demo_office: Office, name: str) -> None:
    value = "ann@example.com" if name == "EMail" else "555-0123"

    assert (await demo_office.partner.post("/prospects", json={name: value})).status_code == 201


async def test_a_provider_that_the_practice_does_not_have_cannot_be_named(
    demo_office: Office, berlin_office: Office
) -> None:
    await demo_office.house.owner.execute(
        "INSERT INTO provider (practice_id, provider_id, name) VALUES ($1, 77, 'Berlin only')",
        berlin_office.practice_id,
    )
    answer = await demo_office.partner.post("/prospects", json={"FirstName": "Ann", "ProviderID": 77})

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_provider")
    assert await demo_office.log() == []


async def test_the_event_is_written_with_the_fact_and_says_no_more_than_the_number(demo_office: Office) -> None:
    answer = await demo_office.partner.post("/prospects", json=EVERYTHING)
    patient_id = answer.json()["data"]["PatientID"]

    assert await demo_office.log() == [
        {
            "log_id": 1,
            "scope": "Patients",
            "event": "patient.created",
            "entity_id": patient_id,
            "data": f'{{"PatientID": {patient_id}}}',
        }
    ]


async def test_a_born_today_is_taken(demo_office: Office) -> None:
    body = {"FirstName": "Newborn", "DOB": datetime.now(UTC).date().isoformat(), "LifeStage": "Infant"}

    assert (await demo_office.partner.post("/prospects", json=body)).status_code == 201
