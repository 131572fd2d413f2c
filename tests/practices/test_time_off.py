"""GET PUT DELETE /v1/admin/{PPass}/providers/{id}/time-off"""

from datetime import UTC, datetime
from typing import Any

import pytest

from officepro.practices.hours import MAXIMUM_TIMES_OFF
from tests.practices.admin import faults, path, put, shown, version
from tests.world import Office

TIME_OFF = "/providers/1/time-off"
VACATION = {"start": "2026-07-01T00:00:00", "end": "2026-07-15T00:00:00", "reason": "Vacation"}


async def test_time_off_is_in_the_practices_own_time(demo_office: Office) -> None:
    before = await version(demo_office)
    answer = await put(demo_office, TIME_OFF, [VACATION, {"start": "2026-12-24T12:00", "end": "2026-12-24T18:00:00Z"}])

    assert (answer.status_code, answer.json()["message"]) == (200, "Time off saved successfully")
    vacation, afternoon = answer.json()["data"]
    assert vacation == VACATION | {"id": vacation["id"]}
    assert (afternoon["start"], afternoon["end"]) == ("2026-12-24T12:00:00", "2026-12-24T13:00:00")
    assert await shown(demo_office, TIME_OFF) == [vacation, afternoon]
    starts_at = await demo_office.house.owner.fetchval(
        "SELECT starts_at FROM time_off WHERE practice_id = $1 AND time_off_id = $2",
        demo_office.practice_id,
        vacation["id"],
    )
    assert starts_at == datetime(2026, 7, 1, 4, tzinfo=UTC)
    assert await version(demo_office) == before + 1


async def test_with_its_id_it_is_moved_and_what_is_left_out_stays(demo_office: Office) -> None:
    known = (await put(demo_office, TIME_OFF, [VACATION])).json()["data"][0]
    moved = {"id": known["id"], "start": "2026-07-02T00:00:00", "end": "2026-07-16T00:00:00"}

    answer = await put(demo_office, TIME_OFF, [moved])

    assert answer.json()["data"] == [moved | {"reason": "Vacation"}]
    assert await shown(demo_office, TIME_OFF) == [moved | {"reason": "Vacation"}]


async def test_the_same_time_off_sent_twice_is_kept_once(demo_office: Office) -> None:
    answers = [(await put(demo_office, TIME_OFF, [VACATION])).json() for _ in range(2)]

    assert answers[0] == answers[1]
    assert await shown(demo_office, TIME_OFF) == answers[0]["data"]


async def test_a_time_the_clocks_show_twice_is_the_first_and_can_be_put_back(demo_office: Office) -> None:
    twice = [{"start": "2026-11-01T01:30:00", "end": "2026-11-01T01:30:00-05:00", "reason": ""}]
    await put(demo_office, TIME_OFF, twice)

    before = await shown(demo_office, TIME_OFF)
    assert [{**item, "id": 0} for item in before] == [{**item, "id": 0} for item in twice]
    assert (await put(demo_office, TIME_OFF, before)).json()["data"] == before
    hours = await demo_office.house.owner.fetchval(
        "SELECT extract(epoch FROM ends_at - starts_at)::int / 3600 FROM time_off WHERE practice_id = $1",
        demo_office.practice_id,
    )
    assert hours == 1


async def test_a_time_the_clocks_skip_is_refused(demo_office: Office) -> None:
    answer = await put(
        demo_office,
        TIME_OFF,
        [VACATION, {"start": "2026-03-08T02:30", "end": "2026-03-08T17:00"}],
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "impossible_set_up")
    assert faults(answer) == {
        "body[1].start": "does not exist in America/New_York because of the daylight-saving change",
    }
    assert await shown(demo_office, TIME_OFF) == []


async def test_an_id_must_be_of_this_providers_time_off(demo_office: Office, berlin_office: Office) -> None:
    foreign = (await put(berlin_office, TIME_OFF, [VACATION])).json()["data"][0]
    shorter = VACATION | {"end": "2026-07-08T00:00:00"}
    johns = (await put(demo_office, "/providers/2/time-off", [shorter])).json()["data"][0]

    answer = await put(demo_office, TIME_OFF, [foreign, johns])

    assert answer.status_code == 422
    assert list(faults(answer)) == ["body[0].id", "body[1].id"]
    assert await shown(berlin_office, TIME_OFF) == [foreign]
    assert await shown(demo_office, "/providers/2/time-off") == [johns]


@pytest.mark.parametrize(
    ("items", "places"),
    [
        ([{}], ["body[0].start", "body[0].end"]),
        ([{"start": "2026-02-30T09:00", "end": "tomorrow"}], ["body[0].start", "body[0].end"]),
        ([{"start": "2026-07-01", "end": "2026-07-01 09:00"}], ["body[0].start", "body[0].end"]),
        ([{"start": "1899-12-31T09:00", "end": "2101-01-01T00:00:00Z"}], ["body[0].start", "body[0].end"]),
        ([{"start": "2026-07-01T09:00", "end": "2026-07-01T09:00"}], ["body[0].end"]),
        ([{"start": "2026-07-01T09:00", "end": "2026-07-01T13:00Z"}], ["body[0].end"]),
        ([{"start": "2026-07-01T09:00", "end": "2026-07-01T13:00:00Z"}], ["body[0].end"]),
        ([VACATION, VACATION], ["body[1].start"]),
        ([{**VACATION, "reason": "x" * 501}, {**VACATION, "why": "x"}], ["body[0].reason", "body[1].why"]),
        ([VACATION] * (MAXIMUM_TIMES_OFF + 1), ["body"]),
    ],
)
async def test_every_fault_is_named_by_its_index(demo_office: Office, items: Any, places: list[str]) -> None:
    answer = await put(demo_office, TIME_OFF, items)

    assert (answer.status_code, list(faults(answer))) == (400, places)
    assert await shown(demo_office, TIME_OFF) == []


async def test_time_off_can_be_deleted(demo_office: Office) -> None:
    known = (await put(demo_office, TIME_OFF, [VACATION])).json()["data"][0]
    before = await version(demo_office)
    address = path(demo_office, f"{TIME_OFF}/{known['id']}")

    answer = await demo_office.house.admin.delete(address)

    assert answer.json() == {"message": "Time off deleted successfully", "data": {"id": known["id"]}}
    assert await shown(demo_office, TIME_OFF) == []
    assert await version(demo_office) == before + 1
    again = await demo_office.house.admin.delete(address)
    assert (again.status_code, again.json()["code"]) == (404, "unknown_time_off")
    assert await version(demo_office) == before + 1


async def test_nobody_elses_time_off_can_be_deleted(demo_office: Office, berlin_office: Office) -> None:
    foreign = (await put(berlin_office, TIME_OFF, [VACATION])).json()["data"][0]
    johns = (await put(demo_office, "/providers/2/time-off", [VACATION])).json()["data"][0]

    for time_off in (foreign, johns):
        answer = await demo_office.house.admin.delete(path(demo_office, f"{TIME_OFF}/{time_off['id']}"))
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_time_off")
    assert await shown(berlin_office, TIME_OFF) == [foreign]
    assert await shown(demo_office, "/providers/2/time-off") == [johns]


async def test_both_ids_of_the_address_are_named_by_their_own_names(demo_office: Office) -> None:
    answer = await demo_office.house.admin.delete(path(demo_office, "/providers/0/time-off/x"))

    assert list(faults(answer)) == ["path.id", "path.timeOffId"]


async def test_an_unknown_provider_is_not_found(demo_office: Office) -> None:
    answer = await put(demo_office, "/providers/9/time-off", [VACATION])

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_provider")
