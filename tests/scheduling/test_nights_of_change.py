"""Examples of bookings across daylight-saving changes; test_offered_is_bookable.py tests them at random."""

from datetime import date
from typing import Any

import pytest

from officepro.scheduling.wall_clock import Clock, NonexistentTime, day_begins, next_showing, resolve
from tests.scheduling.test_book import book
from tests.scheduling.test_slots import take
from tests.world import House, Office, make_office

NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("day", "starts", "shows", "after"),
    [
        (date(2027, 3, 8), 600, 615, 15),
        (date(2027, 3, 8), 23 * 60 + 45, 15, 30),  # across midnight
        (date(2027, 3, 14), 105, 195, 30),  # 01:45 to 03:15: an hour is skipped
        (date(2027, 11, 7), 105, 75, 30),  # 01:45 to 01:15: an hour comes twice
        (date(2027, 11, 7), 105, 120, 75),
    ],
)
def test_the_provider_s_time_is_the_first_one_from_the_visit_s(day: date, starts: int, shows: int, after: int) -> None:
    minute = resolve(NEW_YORK, day, starts)
    assert next_showing(NEW_YORK, minute, shows) == minute + after


def test_a_day_begins_when_its_clock_first_shows_it() -> None:
    cairo = day_begins("Africa/Cairo", date(2027, 4, 30))  # midnight is skipped
    with pytest.raises(NonexistentTime):
        resolve("Africa/Cairo", date(2027, 4, 30), 0)
    assert cairo == resolve("Africa/Cairo", date(2027, 4, 30), 60)
    assert Clock("Africa/Cairo").day_begins(date(2027, 4, 30)).timestamp() == cairo * 60


async def test_alternatives_across_the_change_can_be_booked_as_they_stand(demo_office: Office) -> None:
    owner, practice = demo_office.house.owner, demo_office.practice_id
    await owner.execute(
        "INSERT INTO extra_opening (practice_id, provider_id, day, starts_minute, ends_minute) "
        "SELECT $1, n, '2027-03-14', 0, 600 FROM generate_series(1, 2) AS n",
        practice,
    )
    await owner.execute("UPDATE practice_setup SET version = version + 1 WHERE practice_id = $1", practice)
    await take(demo_office, "2027-03-14", "01:00", 15, provider=2)
    wish: dict[str, Any] = {"VisitDate": "2027-03-14", "VisitDuration": 90}
    refused = await book(demo_office, **wish, VisitTime="00:15:00", ProviderTime="01:00:00", ProviderDuration=15)

    assert refused.status_code == 409, refused.text
    alternatives = refused.json()["alternatives"]
    assert [(one["VisitTime"], one["ProviderTime"]) for one in alternatives[:1]] == [("00:30:00", "01:15:00")]
    across = await book(demo_office, **wish, VisitTime="01:30:00", ProviderTime="03:15:00", ProviderDuration=15)
    assert across.status_code == 201, across.text
    assert across.json()["data"]["ProviderTime"] == "03:15:00"


async def test_where_midnight_comes_twice_a_day_s_list_has_each_visit_once(house: House) -> None:
    """In Havana clocks are set back from 01:00 to 00:00."""
    office = await make_office(house, "Havana", "America/Havana")
    visit = await house.owner.fetchval(
        """
        INSERT INTO visit (practice_id, patient_id, provider_id, needs_room, visit_type, status, starts_at, ends_at,
                           provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
        SELECT $1, 1001, 1, false, 'Consult', 'booked', at, ends, at, ends, at, ends
        FROM (VALUES (timestamptz '2027-11-07T00:15-04:00', timestamptz '2027-11-07T00:45-04:00')) AS row (at, ends)
        RETURNING visit_id
        """,
        office.practice_id,
    )
    for day, due in (("2027-11-06", []), ("2027-11-07", [visit])):
        params = {"startDate": day, "endDate": day}
        listed = (await office.partner.get("/visits", params=params)).json()["data"]
        assert [one["VisitID"] for one in listed] == due
        schedule = (await office.partner.get("/availability/providers/1/schedule", params=params)).json()["data"]
        assert [one["VisitID"] for one in schedule["schedule"].get(day, [])] == due
