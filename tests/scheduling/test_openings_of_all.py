"""GET /v1/{PPass}/availability/slots and /next-slot: over all providers of a visit type"""

from typing import Any

from tests.scheduling.test_slots import data_of, next_monday, take
from tests.world import Office


async def test_all_providers_free_times_come_in_order_of_time(demo_office: Office) -> None:
    day = next_monday()
    await take(demo_office, day, "09:00", 60, provider=1, room=101)
    params: dict[str, Any] = {"visitType": "Consult", "startDate": day, "endDate": day}
    found = data_of(await demo_office.partner.get("/availability/slots", params=params))

    assert (found["VisitType"], found["Duration"], found["TimeZone"]) == ("Consult", 30, "America/New_York")
    assert [(slot["Time"], slot["ProviderID"]) for slot in found["Slots"][:6]] == [
        ("09:00:00", 2),
        ("09:15:00", 2),
        ("09:30:00", 2),
        ("09:45:00", 2),
        ("10:00:00", 1),
        ("10:00:00", 2),
    ]
    assert found["Count"] == len(found["Slots"]) == 27 + 31


async def test_only_the_providers_that_are_named(demo_office: Office) -> None:
    day = next_monday()
    params: dict[str, Any] = {
        "visitType": "Consult",
        "startDate": day,
        "endDate": day,
        "providerId": [2, 1],
        "duration": 480,
    }
    found = data_of(await demo_office.partner.get("/availability/slots", params=params))

    assert [slot["ProviderID"] for slot in found["Slots"]] == [1, 2]


async def test_the_next_one_is_the_earliest_of_any(demo_office: Office) -> None:
    day = next_monday()
    await take(demo_office, day, "09:00", 60, provider=1, room=101)
    params: dict[str, Any] = {"visitType": "Consult", "fromDate": day}
    found = data_of(await demo_office.partner.get("/availability/next-slot", params=params))

    assert found["TheNextSlot"] == {"ProviderID": "2", "Date": day, "Time": "09:00:00"}


async def test_more_than_31_days_are_refused(demo_office: Office) -> None:
    params = {"visitType": "Consult", "startDate": "2027-01-01", "endDate": "2027-02-01"}
    answer = await demo_office.partner.get("/availability/slots", params=params)

    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (400, "query.endDate")
