"""Canaries: whatever a person is called and however they are reached, nothing that we keep of a call knows."""

import asyncpg
import pytest
from litestar import Litestar

from tests.activity.conftest import Written
from tests.world import House, Office

CANARIES = {
    "FirstName": "Canaryfirst",
    "LastName": "Canarylast",
    "NickName": "Canarynick",
    "EMail": "canary@canary.example",
    "Phone": "555-0177-4242",
    "Address": "Canary Street 1",
    "Notes": "Canary has a cough",
}
MARKS = ("canary", "555-0177", "55501774242", "cough")
TABLES = ("request_log", "request_day", "request_day_duration", "disclosure", "disclosure_head", "log", "visit_history")


async def live_a_life(office: Office) -> list[str]:
    """What was answered with an error."""
    partner = office.partner
    created = await partner.post("/prospects", json=CANARIES)
    patient_id = created.json()["data"]["PatientID"]
    for address in (
        f"/prospects/{patient_id}",
        "/prospects?search=canaryfirst",
        "/prospects?search=555-0177",
        "/prospects/canarylast",
        "/prospects?canary@canary.example=1",
        "/canary/nothing?name=Canaryfirst",
        "/availability/providers/1/check?date=Canarylast&time=10:00&duration=30",
    ):
        await partner.get(address)
    refused = [
        await partner.post("/prospects", json={**CANARIES, "Gender": "x"}),
        await partner.post("/prospects", json={**CANARIES, "ProviderID": 77}),
        await partner.put(f"/prospects/{patient_id}", json={**CANARIES, "DOB": "2999-01-01"}),
        await partner.put("/prospects/77", json=CANARIES),
        await partner.post("/prospects", content=b'{"FirstName": "Canaryfirst", "Notes": '),
        await partner.post(f"/tags/prospects/{patient_id}", json={"tagId": 77}),
    ]
    assert {answer.is_error for answer in refused} == {True}
    return [answer.text for answer in refused]


async def test_no_name_and_no_number_is_kept_of_a_call(
    house: House, demo_office: Office, owner: asyncpg.Connection, written: Written, capfd: pytest.CaptureFixture[str]
) -> None:
    errors = await live_a_life(demo_office)

    await written()
    kept = {table: await owner.fetch(f"SELECT t::text FROM {table} t") for table in TABLES}
    assert kept["request_log"]
    assert kept["disclosure"]
    texts = {table: "\n".join(row[0] for row in rows) for table, rows in kept.items()}
    texts["metrics"] = (await house.stranger.get("/metrics")).text
    texts["errors"] = "\n".join(errors)
    texts["overview"] = (await house.admin.get("/v1/admin/overview")).text
    texts["activity"] = (await house.admin.get("/v1/admin/activity?limit=200")).text
    texts["disclosures"] = (await house.admin.get(f"/v1/admin/{demo_office.practicepass}/disclosures")).text
    out, err = capfd.readouterr()
    texts["output"] = out + err
    found = [(where, mark) for where, text in texts.items() for mark in MARKS if mark in text.lower()]
    assert found == []


async def test_the_canaries_would_be_found(demo_office: Office, inner_app: Litestar, owner: asyncpg.Connection) -> None:
    """The control: they are there, where they belong."""
    await live_a_life(demo_office)

    people = "\n".join(row[0] for row in await owner.fetch("SELECT t::text FROM patient t"))
    assert all(mark in people.lower() for mark in ("canary", "555-0177", "cough"))
