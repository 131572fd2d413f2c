"""POST /v1/{PPass}/visits/book"""

import asyncio
from typing import Any

import httpx
import pytest

from tests.scheduling.test_slots import next_monday, take
from tests.world import Office


def consult(**changes: Any) -> dict[str, Any]:
    return {
        "PatientID": 1001,
        "ProviderID": 2,
        "VisitType": "Consult",
        "VisitDate": next_monday(),
        "VisitTime": "10:00:00",
        "VisitDuration": 30,
    } | changes


async def book(office: Office, **changes: Any) -> httpx.Response:
    return await office.partner.post("/visits/book", json=consult(**changes))


async def visits(office: Office) -> list[Any]:
    rows = await office.house.owner.fetch(
        "SELECT provider_id, room_id, status FROM visit WHERE practice_id = $1 ORDER BY visit_id", office.practice_id
    )
    return [tuple(row) for row in rows]


async def test_the_seeds_example_books_a_visit(demo_office: Office) -> None:
    answer = await book(
        demo_office,
        VisitComplaint="Follow-up",
        ProviderTime="10:00:00",
        ProviderDuration=30,
        VisitNotes="Booked via API",
    )

    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    assert answer.json()["message"] == "Visit booked successfully"
    assert list(data) == [
        "VisitID",
        "PatientID",
        "ProviderID",
        "VisitType",
        "VisitDate",
        "VisitTime",
        "VisitDuration",
        "ProviderTime",
        "ProviderDuration",
        "RoomID",
    ]
    assert data["RoomID"] in (101, 102)
    assert (data["VisitTime"], data["ProviderTime"], data["ProviderDuration"]) == ("10:00:00", "10:00:00", 30)
    assert [(row["event"], row["scope"]) for row in await demo_office.log()] == [("visit.booked", "Encounters")]

    read = (await demo_office.partner.get(f"/visits/{data['VisitID']}")).json()["data"]
    assert read["Status"] == "Booked"
    assert [(change["From"], change["To"]) for change in read["History"]] == [(None, "Booked")]


async def test_a_taken_time_is_refused_with_times_that_can_be_booked_as_they_stand(demo_office: Office) -> None:
    assert (await book(demo_office)).status_code == 201
    refused = await book(demo_office)

    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["reasons"]) == (409, "slot_unavailable", ["provider_busy"])
    assert [(one["ProviderID"], one["VisitTime"]) for one in problem["alternatives"]] == [
        (2, "10:30:00"),
        (1, "10:00:00"),
    ]
    for alternative in problem["alternatives"]:
        answer = await demo_office.partner.post("/visits/book", json={"PatientID": 1001, **alternative})
        assert answer.status_code == 201, answer.text


async def test_a_taken_room_means_the_next_one_and_no_room_a_refusal(demo_office: Office) -> None:
    await take(demo_office, next_monday(), "10:00", 30, provider=1, room=101)
    answer = await book(demo_office)
    assert (answer.status_code, answer.json()["data"]["RoomID"]) == (201, 102)

    await demo_office.house.owner.execute(
        "INSERT INTO provider (practice_id, provider_id, name) VALUES ($1, 3, 'Third')", demo_office.practice_id
    )
    await demo_office.house.owner.execute(
        "INSERT INTO visit_type_provider VALUES ($1, 'Consult', 3)", demo_office.practice_id
    )
    await demo_office.house.owner.execute(
        """INSERT INTO working_hours (practice_id, provider_id, weekday, starts_minute, ends_minute)
           VALUES ($1, 3, 0, 540, 1020)""",
        demo_office.practice_id,
    )
    await demo_office.house.owner.execute(
        "UPDATE practice_setup SET version = version + 1 WHERE practice_id = $1", demo_office.practice_id
    )
    refused = await book(demo_office, ProviderID=3)
    assert (refused.status_code, refused.json()["reasons"]) == (409, ["no_room"])


async def test_the_provider_is_busy_for_the_provider_s_part_alone(demo_office: Office) -> None:
    first = await book(demo_office, VisitDuration=60, ProviderTime="10:15:00", ProviderDuration=15)
    assert first.status_code == 201
    second = await book(demo_office, VisitTime="10:30:00")
    assert second.status_code == 201, second.text
    assert first.json()["data"]["RoomID"] != second.json()["data"]["RoomID"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"VisitTime": "10:07:00"}, 422, "off_grid"),
        ({"VisitTime": "10:00:30"}, 422, "off_grid"),
        ({"VisitDate": "2020-01-06"}, 422, "visit_in_past"),
        ({"VisitTime": "07:00:00"}, 409, "slot_unavailable"),
        ({"ProviderID": 77}, 404, "unknown_provider"),
        ({"VisitType": "Surgery"}, 422, "unknown_visit_type"),
        ({"PatientID": 4711}, 422, "unknown_patient"),
        ({"ProviderTime": "10:30:00"}, 422, "provider_time_outside_visit"),
        ({"ProviderTime": "09:45:00"}, 422, "provider_time_outside_visit"),
        ({"ProviderDuration": 31}, 422, "provider_time_outside_visit"),
        ({"VisitDuration": 0}, 400, "invalid_request"),
        ({"VisitDuration": -5}, 400, "invalid_request"),
        ({"VisitDuration": 1441}, 400, "invalid_request"),
        ({"VisitTime": "24:00:00"}, 400, "invalid_request"),
        ({"VisitDate": "2026-02-29"}, 400, "invalid_request"),
        ({"HoldID": 5}, 422, "hold_not_found"),
    ],
)
async def test_what_cannot_be_booked_has_its_own_code(
    demo_office: Office, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = await book(demo_office, **changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert await visits(demo_office) == []


async def test_a_local_time_that_does_not_exist_is_refused(demo_office: Office) -> None:
    answer = await book(demo_office, VisitDate="2027-03-14", VisitTime="02:30:00")

    assert (answer.status_code, answer.json()["code"]) == (422, "nonexistent_time")


async def test_another_practice_s_patient_is_unknown(demo_office: Office, berlin_office: Office) -> None:
    await demo_office.house.owner.execute(
        "INSERT INTO patient (practice_id, patient_id, first_name) VALUES ($1, 2002, 'Bea')", berlin_office.practice_id
    )

    assert (await book(demo_office, PatientID=2002)).json()["code"] == "unknown_patient"


async def test_a_dry_run_answers_alike_and_keeps_nothing(demo_office: Office) -> None:
    answer = await demo_office.partner.post("/visits/book", params={"dryRun": True}, json=consult())

    assert (answer.status_code, answer.json()["data"]["VisitID"]) == (200, None)
    assert await visits(demo_office) == []
    assert await demo_office.log() == []
    assert (await demo_office.partner.post("/visits/book?dryRun=true", json=consult(PatientID=9))).status_code == 422


async def test_a_hold_keeps_the_time_and_becomes_the_visit(demo_office: Office) -> None:
    asked = {name: value for name, value in consult().items() if name != "PatientID"}
    held = await demo_office.partner.post("/visits/hold", json=asked)
    assert held.status_code == 201, held.text
    hold_id = held.json()["data"]["HoldID"]

    refused = await book(demo_office)
    assert refused.json()["reasons"] == ["held"]
    differs = await book(demo_office, HoldID=hold_id, VisitTime="11:00:00")
    assert differs.json()["code"] == "hold_differs"
    booked = await book(demo_office, HoldID=hold_id)
    assert (booked.status_code, booked.json()["data"]["VisitID"]) == (201, hold_id)
    assert booked.json()["data"]["RoomID"] == held.json()["data"]["RoomID"]


async def test_an_expired_hold_stands_in_nobodys_way(demo_office: Office) -> None:
    asked = {name: value for name, value in consult().items() if name != "PatientID"}
    hold_id = (await demo_office.partner.post("/visits/hold", json=asked)).json()["data"]["HoldID"]
    await demo_office.house.owner.execute(
        "UPDATE visit SET held_until = now() - interval '1 s' WHERE practice_id = $1", demo_office.practice_id
    )

    assert (await book(demo_office, HoldID=hold_id)).json()["code"] == "hold_expired"
    assert (await book(demo_office)).status_code == 201


async def test_a_hold_can_be_released_by_its_holder_only(demo_office: Office) -> None:
    asked = {name: value for name, value in consult().items() if name != "PatientID"}
    hold_id = (await demo_office.partner.post("/visits/hold", json=asked)).json()["data"]["HoldID"]

    assert (await demo_office.partner.delete(f"/visits/hold/{hold_id + 1}")).status_code == 404
    assert (await demo_office.partner.delete(f"/visits/hold/{hold_id}")).status_code == 200
    assert (await demo_office.partner.delete(f"/visits/hold/{hold_id}")).status_code == 404
    assert (await book(demo_office)).status_code == 201


async def test_a_visit_moves_and_its_old_time_is_free_again(demo_office: Office) -> None:
    visit_id = (await book(demo_office)).json()["data"]["VisitID"]
    moved = await demo_office.partner.patch(f"/visits/{visit_id}", json={"VisitTime": "10:15:00"})

    assert moved.status_code == 200, moved.text
    assert (moved.json()["data"]["VisitID"], moved.json()["data"]["VisitTime"]) == (visit_id, "10:15:00")
    assert [row["event"] for row in await demo_office.log()] == ["visit.booked", "visit.rescheduled"]
    assert (await book(demo_office, VisitTime="09:45:00")).status_code == 201

    blocked = await demo_office.partner.patch(f"/visits/{visit_id}", json={"VisitTime": "09:45:00"})
    assert (blocked.status_code, blocked.json()["reasons"]) == (409, ["provider_busy"])
    assert (await demo_office.partner.get(f"/visits/{visit_id}")).json()["data"]["VisitTime"] == "10:15:00"


async def test_a_cancelled_visit_frees_its_time_and_cannot_be_moved(demo_office: Office) -> None:
    visit_id = (await book(demo_office)).json()["data"]["VisitID"]
    cancelled = await demo_office.partner.post(f"/visits/{visit_id}/cancel", json={"Reason": "Patient called"})

    assert (cancelled.status_code, cancelled.json()["data"]["Status"]) == (200, "Cancelled")
    again = await demo_office.partner.post(f"/visits/{visit_id}/cancel", json={"Reason": "Twice"})
    assert (again.status_code, again.json()["code"]) == (409, "visit_not_booked")
    moved = await demo_office.partner.patch(f"/visits/{visit_id}", json={"VisitTime": "11:00:00"})
    assert moved.json()["code"] == "visit_not_booked"
    assert (await book(demo_office)).status_code == 201
    assert [row["log_id"] for row in await demo_office.log()] == [1, 2, 3]


async def test_of_many_at_once_each_time_is_booked_once_and_every_free_time_is_had(demo_office: Office) -> None:
    times = [f"{hour:02}:{minute}:00" for hour in range(9, 13) for minute in ("00", "30")]
    # 48: the limit of requests in flight per key and process.
    asked = [(provider, time) for provider in (1, 2) for time in times] * 3
    answers = await asyncio.gather(
        *(book(demo_office, ProviderID=provider, VisitTime=time) for provider, time in asked)
    )

    assert sorted({answer.status_code for answer in answers}) == [201, 409]
    assert sum(answer.status_code == 201 for answer in answers) == len(times) * 2
    assert [row["log_id"] for row in await demo_office.log()] == list(range(1, len(times) * 2 + 1))


async def test_a_booking_with_an_idempotency_key_is_made_once(demo_office: Office) -> None:
    headers = {"Idempotency-Key": "one booking"}
    answers = [await demo_office.partner.post("/visits/book", json=consult(), headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["Idempotent-Replay"] == "true"
    assert len(await visits(demo_office)) == 1
