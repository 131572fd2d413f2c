"""GET /v1/{PPass}/availability/providers/{id}/slots, /check, /next-slot"""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.world import Office


def next_monday() -> str:
    day = datetime.now(UTC).date() + timedelta(days=3)
    return (day + timedelta(days=-day.weekday() % 7)).isoformat()


async def take(office: Office, day: str, time: str, minutes: int, *, provider: int = 1, room: int = 101) -> int:
    """Insert a visit of Ada as an EMR does."""
    return int(
        await office.house.owner.fetchval(
            """
            WITH times AS (SELECT ($3::text::timestamp AT TIME ZONE $4) AS starts)
            INSERT INTO visit (practice_id, patient_id, provider_id, room_id, needs_room, visit_type, status, starts_at,
                               ends_at, provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
            SELECT $1, 1001, $2, $6, true, 'FOLLOWUP', 'booked', starts, starts + $5, starts, starts + $5, starts,
                   starts + $5 FROM times RETURNING visit_id
            """,
            office.practice_id,
            provider,
            f"{day} {time}",
            office.time_zone,
            timedelta(minutes=minutes),
            room,
        )
    )


def data_of(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_free_day_has_every_quarter_of_an_hour_that_leaves_time_for_the_visit(demo_office: Office) -> None:
    day = next_monday()
    slots = data_of(
        await demo_office.partner.get("/availability/providers/1/slots", params={"date": day, "duration": 30})
    )

    assert slots["Slots"][0] == "09:00:00"
    assert slots["Slots"][-1] == "16:30:00"
    assert slots["Count"] == len(slots["Slots"]) == 31
    assert slots["TimeZone"] == "America/New_York"
    assert slots["SlotDetails"][0]["start"].startswith(f"{day}T09:00:00-0")


async def test_a_visit_takes_its_time_out_of_the_slots(demo_office: Office) -> None:
    day = next_monday()
    await take(demo_office, day, "09:15", 60)
    slots = data_of(
        await demo_office.partner.get("/availability/providers/1/slots", params={"date": day, "duration": 30})
    )

    assert slots["Slots"][0] == "10:15:00"


async def test_check_says_why_not(demo_office: Office) -> None:
    day = next_monday()
    await take(demo_office, day, "10:00", 30)

    async def check(time: str) -> Any:
        params: dict[str, Any] = {"date": day, "time": time, "duration": 30}
        return data_of(await demo_office.partner.get("/availability/providers/1/check", params=params))

    assert await check("10:30:00") == {
        "ProviderID": 1,
        "Date": day,
        "Time": "10:30:00",
        "Duration": 30,
        "Available": True,
    }
    assert (await check("10:15"))["Reasons"] == ["provider_busy"]
    assert (await check("08:30"))["Reasons"] == ["outside_hours"]
    assert (await check("11:07:00"))["Reasons"] == ["off_grid"]
    assert (await check("11:00:30"))["Reasons"] == ["off_grid"]


async def test_next_slot_is_the_first_free_time(demo_office: Office) -> None:
    day = next_monday()
    await take(demo_office, day, "09:00", 480)
    params: dict[str, Any] = {"duration": 30, "fromDate": day, "maxDays": 30}
    found = data_of(await demo_office.partner.get("/availability/providers/1/next-slot", params=params))

    tuesday = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    assert found == {
        "ProviderID": 1,
        "Duration": 30,
        "SearchWindowDays": 30,
        "TheNextSlot": {"ProviderID": "1", "Date": tuesday, "Time": "09:00:00"},
    }


async def test_the_schedule_lists_visits_by_day_without_a_word_about_whose_they_are(demo_office: Office) -> None:
    day = next_monday()
    visit_id = await take(demo_office, day, "09:00", 30)
    params = {"startDate": day, "endDate": day}
    schedule = data_of(await demo_office.partner.get("/availability/providers/1/schedule", params=params))

    assert schedule["provider"] == {"id": 1, "name": "Jane Smith", "title": "PA-C", "specialty": "Aesthetics"}
    assert schedule["schedule"] == {
        day: [{"VisitID": visit_id, "time": "09:00:00", "duration": 30, "type": "FOLLOWUP", "booked": True}]
    }
    assert schedule["totalVisits"] == 1


async def test_with_a_visit_type_a_room_must_be_free_too(demo_office: Office) -> None:
    day = next_monday()
    for room in (101, 102):
        provider = 2 if room == 101 else 1
        await take(demo_office, day, "09:00" if room == 101 else "09:30", 60, provider=provider, room=room)
    params: dict[str, Any] = {"date": day, "duration": 30, "visitType": "Consult"}
    slots = data_of(await demo_office.partner.get("/availability/providers/2/slots", params=params))

    assert slots["Slots"][:2] == ["10:00:00", "10:15:00"]


async def test_a_change_of_the_set_up_shows_at_once(demo_office: Office) -> None:
    day = next_monday()
    params: dict[str, Any] = {"date": day, "duration": 30}
    await demo_office.partner.get("/availability/providers/1/slots", params=params)
    await demo_office.house.owner.execute(
        "DELETE FROM working_hours WHERE practice_id = $1 AND provider_id = 1", demo_office.practice_id
    )
    await demo_office.house.owner.execute(
        "UPDATE practice_setup SET version = version + 1 WHERE practice_id = $1", demo_office.practice_id
    )

    assert data_of(await demo_office.partner.get("/availability/providers/1/slots", params=params))["Count"] == 0
