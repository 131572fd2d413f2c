"""Who was told of whom, as the practice's admin asks for it."""

import csv
import io
from typing import Any

import pytest

from officepro.activity import disclosure_routes
from officepro.activity.ledger import Ledger
from officepro.foundation.database import Database
from tests.activity.test_ledger import disclosure
from tests.world import House, Office


async def disclosures(house: House, office: Office, **filters: object) -> dict[str, Any]:
    answer = await house.admin.get(f"/v1/admin/{office.practicepass}/disclosures", params=filters)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_who_read_which_record_when_under_which_key(house: House, demo_office: Office) -> None:
    answer = await demo_office.partner.get(f"/prospects/{demo_office.ada}")

    [told] = (await disclosures(house, demo_office))["data"]
    assert told.pop("time").endswith("Z")
    assert told.pop("partnerId")
    assert told == {
        "number": 1,
        "partner": f"partner of {demo_office.practicepass}",
        "key": "key",
        "keyId": int(demo_office.keys["partner"].split("_")[1]),
        "address": "192.0.2.1",
        "purpose": "other",
        "kinds": ["identity", "contact", "demographics", "notes", "tags", "photo"],
        "method": "GET",
        "endpoint": "/v1/{PPass}/prospects/{id}",
        "requestId": answer.headers["x-request-id"],
        "patientIds": [demo_office.ada],
    }


async def test_of_one_patient_of_one_key_in_a_time(house: House, demo_office: Office) -> None:
    john = (await demo_office.partner.post("/prospects", json={"FirstName": "John"})).json()["data"]["PatientID"]
    await demo_office.partner.get("/prospects")
    await demo_office.newcomer.get(f"/prospects/{demo_office.ada}")

    newcomer, whole_list, created = (await disclosures(house, demo_office))["data"]
    for filters, expected in (
        ({"patientId": john}, [whole_list, created]),
        ({"patientId": demo_office.ada}, [newcomer, whole_list]),
        ({"patientId": 77}, []),
        ({"keyId": newcomer["keyId"]}, [newcomer]),
        ({"to": whole_list["time"]}, [created]),
    ):
        assert (await disclosures(house, demo_office, **filters))["data"] == expected, filters


async def test_another_practice_is_not_in_it(house: House, demo_office: Office, berlin_office: Office) -> None:
    await berlin_office.partner.get("/prospects")

    assert (await disclosures(house, demo_office))["data"] == []


async def test_part_by_part_every_row_comes_once(house: House, demo_office: Office, database: Database) -> None:
    ledger = Ledger(database)
    for number in range(9):
        await ledger.record(disclosure(demo_office, number))

    first = await disclosures(house, demo_office, limit=5)
    second = await disclosures(house, demo_office, limit=5, cursor=first["nextCursor"])

    assert [row["number"] for row in first["data"] + second["data"]] == list(range(9, 0, -1))
    assert second["nextCursor"] is None


@pytest.mark.parametrize(
    ("query", "headers"), [({"format": "csv"}, {}), ({}, {"Accept": "text/csv"}), ({"format": "csv", "limit": "1"}, {})]
)
async def test_a_file_has_a_line_for_each_person(
    house: House,
    demo_office: Office,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    query: dict[str, str],
    headers: dict[str, str],
) -> None:
    monkeypatch.setattr(disclosure_routes, "ROWS_AT_ONCE", 2)
    ledger = Ledger(database)
    for number in range(5):
        await ledger.record(disclosure(demo_office, number, [1001, 2000 + number]))

    address = f"/v1/admin/{demo_office.practicepass}/disclosures"
    answer = await house.admin.get(address, params=query, headers=headers)

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="disclosures-{demo_office.practicepass}.csv"' in answer.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(line["number"], line["patientId"]) for line in lines[:4]] == [
        ("5", "1001"),
        ("5", "2004"),
        ("4", "1001"),
        ("4", "2003"),
    ]
    assert len(lines) == 10


async def test_in_a_file_of_one_patient_there_is_nobody_else(
    house: House, demo_office: Office, database: Database
) -> None:
    await Ledger(database).record(disclosure(demo_office, 1, [1001, 2000]))

    address = f"/v1/admin/{demo_office.practicepass}/disclosures"
    answer = await house.admin.get(address, params={"format": "csv", "patientId": "2000"})

    assert [line["patientId"] for line in csv.DictReader(io.StringIO(answer.text))] == ["2000"]


async def test_a_name_cannot_become_a_formula(house: House, demo_office: Office) -> None:
    await house.owner.execute(
        "UPDATE partner SET company = '=HYPERLINK(\"x\")' WHERE company = $1", f"partner of {demo_office.practicepass}"
    )
    await demo_office.partner.get("/prospects")

    answer = await house.admin.get(f"/v1/admin/{demo_office.practicepass}/disclosures?format=csv")

    [line] = csv.DictReader(io.StringIO(answer.text))
    assert line["partner"] == '\'=HYPERLINK("x")'


@pytest.mark.parametrize(
    "query",
    ["patientId=x", "limit=201", "cursor=0", "format=xml", "from=2026-03-09T00:00:00Z&to=2026-03-09T00:00:00Z"],
)
async def test_filters_that_make_no_sense_are_refused(house: House, demo_office: Office, query: str) -> None:
    answer = await house.admin.get(f"/v1/admin/{demo_office.practicepass}/disclosures?{query}")

    assert answer.status_code == 400


async def test_a_practice_that_there_is_none_of(house: House) -> None:
    assert (await house.admin.get("/v1/admin/Nowhere/disclosures")).status_code == 404
