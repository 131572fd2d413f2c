"""PATCH /v1/{PPass}/visits/{id}"""

import asyncio
from typing import Any

import httpx

from tests.scheduling.test_book import book, consult
from tests.scheduling.test_slots import next_monday, take
from tests.world import Office


async def test_of_two_changes_at_once_both_are_kept(demo_office: Office) -> None:
    """Neither request sends If-Match, so neither is refused for a stale version."""
    visit = (await book(demo_office)).json()["data"]["VisitID"]
    changes: list[dict[str, Any]] = [{"VisitNotes": "note"}, {"VisitTime": "11:00:00"}, {"VisitComplaint": "pain"}]
    answers = await asyncio.gather(*(demo_office.partner.patch(f"/visits/{visit}", json=one) for one in changes))

    assert [answer.status_code for answer in answers] == [200] * 3
    found = (await demo_office.partner.get(f"/visits/{visit}")).json()["data"]
    assert (found["VisitNotes"], found["VisitTime"], found["VisitComplaint"]) == ("note", "11:00:00", "pain")


async def test_who_asks_for_a_version_is_refused_when_it_has_gone(demo_office: Office) -> None:
    visit = (await book(demo_office)).json()["data"]["VisitID"]
    first = await demo_office.partner.get(f"/visits/{visit}")
    await demo_office.partner.patch(f"/visits/{visit}", json={"VisitNotes": "somebody else's"})
    stale = {"If-Match": first.headers["ETag"]}
    answer = await demo_office.partner.patch(f"/visits/{visit}", json={"VisitNotes": "mine"}, headers=stale)

    assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")


async def test_the_provider_s_part_keeps_its_place_in_the_visit(demo_office: Office) -> None:
    booked = await book(demo_office, VisitDuration=60, ProviderTime="10:15:00", ProviderDuration=30)
    visit = booked.json()["data"]["VisitID"]
    moved = await demo_office.partner.patch(f"/visits/{visit}", json={"VisitTime": "14:00:00"})

    data = moved.json()["data"]
    assert (data["VisitTime"], data["ProviderTime"], data["ProviderDuration"]) == ("14:00:00", "14:15:00", 30)


async def test_a_visit_that_fills_its_time_goes_on_filling_it(demo_office: Office) -> None:
    visit = (await book(demo_office)).json()["data"]["VisitID"]
    longer = await demo_office.partner.patch(f"/visits/{visit}", json={"VisitDuration": 90})

    assert longer.json()["data"]["ProviderDuration"] == 90


async def test_an_emr_s_visit_with_seconds_is_shown_and_annotated_as_it_is(demo_office: Office) -> None:
    visit = await take(demo_office, next_monday(), "10:00:30", 30)
    noted = await demo_office.partner.patch(f"/visits/{visit}", json={"VisitNotes": "late", "VisitTime": "10:00:30"})

    data = noted.json()["data"]
    assert (noted.status_code, data["VisitTime"], data["VisitDuration"]) == (200, "10:00:30", 30), noted.text
    assert data["End"][11:19] == "10:30:30"
    shorter = await demo_office.partner.patch(f"/visits/{visit}", json={"VisitDuration": 15})
    assert shorter.json()["code"] == "off_grid"
    onto_the_grid = await demo_office.partner.patch(f"/visits/{visit}", json={"VisitTime": "10:00:00"})
    assert onto_the_grid.status_code == 200


async def test_a_visit_in_an_hour_that_comes_twice_must_be_given_its_time(demo_office: Office) -> None:
    """The visit is at the second 01:30; as a local time, 01:30 would mean the first."""
    visit = await take(demo_office, "2027-11-07", "01:30", 30)  # PostgreSQL resolves to the later one
    answer = await demo_office.partner.patch(f"/visits/{visit}", json={"VisitDuration": 15})

    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (400, "body.VisitTime")


async def test_a_move_with_an_idempotency_key_is_made_once(demo_office: Office) -> None:
    visit = (await book(demo_office)).json()["data"]["VisitID"]
    headers = {"Idempotency-Key": "one move"}
    answers = [
        await demo_office.partner.patch(f"/visits/{visit}", json={"VisitTime": "11:00:00"}, headers=headers)
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert [row["event"] for row in await demo_office.log()] == ["visit.booked", "visit.rescheduled"]


async def test_a_repeated_move_is_answered_as_the_first_whatever_has_become_of_the_visit(demo_office: Office) -> None:
    visit = (await book(demo_office)).json()["data"]["VisitID"]
    asked = {"VisitTime": "11:00:00"}
    headers = {
        "Idempotency-Key": "move",
        "If-Match": (await demo_office.partner.get(f"/visits/{visit}")).headers["ETag"],
    }

    async def move() -> httpx.Response:
        return await demo_office.partner.patch(f"/visits/{visit}", json=asked, headers=headers)

    first = await move()
    again = await move()
    await demo_office.partner.patch(f"/visits/{visit}", json={"VisitTime": "14:00:00"})
    after_another_move = await move()
    await demo_office.partner.post(f"/visits/{visit}/cancel", json={"Reason": "called"})
    after_the_end = await move()

    assert first.status_code == 200
    for repeated in (again, after_another_move, after_the_end):
        assert (repeated.status_code, repeated.content) == (200, first.content), repeated.text
        assert repeated.headers["Idempotent-Replay"] == "true"
        assert repeated.headers["ETag"] == first.headers["ETag"]
    other = await demo_office.partner.patch(f"/visits/{visit}", json={"VisitTime": "12:00:00"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert [row["event"] for row in await demo_office.log()].count("visit.rescheduled") == 2


async def test_a_hold_that_became_a_visit_is_no_hold_any_more(demo_office: Office) -> None:
    asked = {name: value for name, value in consult().items() if name != "PatientID"}
    hold = (await demo_office.partner.post("/visits/hold", json=asked)).json()["data"]["HoldID"]
    assert (await book(demo_office, HoldID=hold)).status_code == 201

    again = await book(demo_office, HoldID=hold)
    assert (again.status_code, again.json()["code"]) == (409, "hold_used")


async def test_a_hold_past_its_time_is_shown_as_ended(demo_office: Office) -> None:
    asked = {name: value for name, value in consult().items() if name != "PatientID"}
    hold = (await demo_office.partner.post("/visits/hold", json=asked)).json()["data"]["HoldID"]
    await demo_office.house.owner.execute(
        "UPDATE visit SET held_until = now() - interval '1 s' WHERE visit_id = $1", hold
    )

    assert (await demo_office.partner.get(f"/visits/{hold}")).json()["data"]["Status"] == "Cancelled"
    assert (await demo_office.partner.get("/visits", params={"status": "Held"})).json()["total"] == 0
