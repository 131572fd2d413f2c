"""Every example of the seeds for authentication, prospects, tags, providers and visits, against a running house."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from tests.journeys.conftest import RunningHouse


@pytest.fixture(scope="module")
def partner(running_house: RunningHouse) -> Iterator[httpx.Client]:
    with running_house.client() as client:
        yield client


def test_a_key_becomes_a_token(running_house: RunningHouse) -> None:
    answer = httpx.post(f"{running_house.practice}/auth/token", json={"apiKey": running_house.demo["apiKey"]})

    assert answer.status_code == 200
    assert {**answer.json(), "accessToken": "…"} == {"accessToken": "…", "tokenType": "Bearer", "expiresIn": "24h"}
    assert answer.json()["accessToken"].count(".") == 2


def test_a_prospect_is_created_found_and_updated(partner: httpx.Client) -> None:
    body = {"FirstName": "John", "LastName": "Doe", "EMail": "john@example.com", "Phone": "555-0123"}
    created = partner.post("/prospects", json=body)
    assert (created.status_code, created.json()["message"]) == (201, "Prospect created successfully")
    patient_id = created.json()["data"]["PatientID"]

    found = partner.get("/prospects", params={"search": "doe joh", "page": 1, "limit": 10, "prospect": "true"})
    assert patient_id in [person["PatientID"] for person in found.json()["data"]]

    updated = partner.put(f"/prospects/{patient_id}", json={"NickName": "Johnny", "Gender": "m"})
    assert (updated.status_code, updated.json()["message"]) == (200, "Prospect updated successfully")
    assert updated.json()["data"]["FirstName"] == "John"


def test_tags_are_put_on_and_taken_off(partner: httpx.Client) -> None:
    tags = partner.get("/tags").json()
    assert tags["count"] == len(tags["data"]) > 0
    assert {"TagID", "Tag"} == set(tags["data"][0])

    assert partner.post("/tags/prospects/1001", json={"tagId": 123}).status_code == 200
    worn = partner.get("/prospects/1001").json()["data"]["Tags"]
    assert 123 in [tag["TagID"] for tag in worn]
    assert partner.delete("/tags/prospects/1001/123").status_code == 200
    assert partner.delete("/tags/prospects/1001").status_code == 200
    assert partner.get("/prospects/1001").json()["data"]["Tags"] == []


def test_providers_are_listed_jane_smith_first(partner: httpx.Client) -> None:
    providers = partner.get("/availability/providers").json()
    jane = {"id": 1, "name": "Jane Smith", "title": "PA-C", "specialty": "Aesthetics"}

    assert providers["data"][0] == jane
    assert providers["count"] == 6
    assert partner.get("/availability/providers/1").json() == {"data": jane}


def test_the_schedule_has_the_shape_of_the_seeds(partner: httpx.Client) -> None:
    monday = date.today() - timedelta(days=date.today().weekday())  # noqa: DTZ011
    params = {"startDate": monday.isoformat(), "endDate": (monday + timedelta(days=6)).isoformat()}
    data: dict[str, Any] = partner.get("/availability/providers/1/schedule", params=params).json()["data"]

    assert list(data) == ["provider", "startDate", "endDate", "schedule", "totalVisits"]
    visits = [visit for day in data["schedule"].values() for visit in day]
    assert data["totalVisits"] == len(visits) > 10
    assert all(list(visit) == ["VisitID", "time", "duration", "type", "booked"] for visit in visits)
    assert all(visit["booked"] is True for visit in visits)


def test_what_slots_offers_check_confirms_and_next_slot_begins_with(partner: httpx.Client) -> None:
    next_slot = partner.get("/availability/providers/1/next-slot", params={"duration": 30, "maxDays": 30}).json()
    assert list(next_slot["data"]) == ["ProviderID", "Duration", "SearchWindowDays", "TheNextSlot"]
    assert (next_slot["data"]["Duration"], next_slot["data"]["SearchWindowDays"]) == (30, 30)
    found = next_slot["data"]["TheNextSlot"]
    assert found["ProviderID"] == "1"

    params: dict[str, Any] = {"date": found["Date"], "duration": 30}
    slots = partner.get("/availability/providers/1/slots", params=params).json()["data"]
    assert (slots["ProviderID"], slots["Date"], slots["Duration"]) == (1, found["Date"], 30)
    assert slots["Slots"][0] == found["Time"]
    assert slots["Count"] == len(slots["Slots"])

    checked = partner.get("/availability/providers/1/check", params={**params, "time": found["Time"]}).json()
    assert checked == {
        "data": {
            "ProviderID": 1,
            "Date": found["Date"],
            "Time": found["Time"],
            "Duration": 30,
            "Available": True,
        }
    }


def test_consult_is_a_visit_type_and_can_be_booked(partner: httpx.Client) -> None:
    types = partner.get("/visit-types").json()
    consult = next(one for one in types["data"] if one["VisitType"] == "Consult")
    assert consult == {"VisitType": "Consult", "Active": True, "Providers": [1, 2], "Resources": [101, 102]}
    assert types["count"] == len(types["data"])

    params: dict[str, Any] = {"duration": 30, "visitType": "Consult"}
    found = partner.get("/availability/providers/2/next-slot", params=params).json()["data"]["TheNextSlot"]
    body = {
        "PatientID": 1001,
        "ProviderID": 2,
        "VisitType": "Consult",
        "VisitDate": found["Date"],
        "VisitTime": found["Time"],
        "VisitDuration": 30,
        "VisitComplaint": "Follow-up",
        "ProviderTime": found["Time"],
        "ProviderDuration": 30,
        "VisitNotes": "Booked via API",
    }
    booked = partner.post("/visits/book", json=body)
    assert booked.status_code == 201, booked.text
    assert booked.json()["message"] == "Visit booked successfully"
    assert booked.json()["data"]["RoomID"] in (101, 102)
    assert isinstance(booked.json()["data"]["VisitID"], int)
    assert partner.post("/visits/book", json=body).status_code == 409
