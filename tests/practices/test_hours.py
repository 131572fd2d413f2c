"""GET PUT /v1/admin/{PPass}/providers/{id}/hours"""

from typing import Any

import pytest

from officepro.practices.hours import MAXIMUM_SPANS_OF_A_WEEK
from tests.practices.admin import faults, path, put, shown, version
from tests.world import Office

HOURS = "/providers/1/hours"


def span(weekday: str, start: str, end: str, **validity: str) -> dict[str, Any]:
    return {"weekday": weekday, "start": start, "end": end, "validFrom": None, "validUntil": None} | validity


async def test_a_week_is_replaced_as_a_whole(demo_office: Office) -> None:
    before = await version(demo_office)
    week = [
        span("Monday", "09:00", "12:00"),
        span("Monday", "13:00", "17:30"),
        span("Saturday", "10:00", "14:00"),
        span("Monday", "08:00", "09:00", validFrom="2026-06-01", validUntil="2026-08-31"),
    ]
    answer = await put(demo_office, HOURS, week)

    assert answer.json() == {"message": "Hours saved successfully", "data": week}
    assert await shown(demo_office, HOURS) == week
    assert await version(demo_office) == before + 1
    assert len(await shown(demo_office, "/providers/2/hours")) == 5


async def test_an_end_that_is_not_after_the_start_is_the_next_days(demo_office: Office) -> None:
    week = [span("Monday", "22:00", "02:00"), span("Tuesday", "09:00", "00:00"), span("Friday", "07:30", "07:30")]
    answer = await put(demo_office, HOURS, week)

    assert answer.json()["data"] == week
    rows = await demo_office.house.owner.fetch(
        """
        SELECT starts_minute, ends_minute FROM working_hours
        WHERE practice_id = $1 AND provider_id = 1 ORDER BY weekday
        """,
        demo_office.practice_id,
    )
    assert [tuple(row) for row in rows] == [(1320, 1560), (540, 1440), (450, 1890)]


async def test_what_is_shown_can_be_put_back_and_seconds_may_be_written(demo_office: Office) -> None:
    before = await shown(demo_office, HOURS)
    assert (await put(demo_office, HOURS, before)).json()["data"] == before

    answer = await put(demo_office, HOURS, [{"weekday": "Monday", "start": "09:00:00", "end": "17:00:00"}])
    assert answer.json()["data"] == [span("Monday", "09:00", "17:00")]


async def test_an_empty_week_is_one_without_work(demo_office: Office) -> None:
    assert (await put(demo_office, HOURS, [])).json()["data"] == []
    assert await shown(demo_office, HOURS) == []


@pytest.mark.parametrize(
    ("week", "overlapping"),
    [
        ([span("Monday", "09:00", "12:00"), span("Monday", "11:59", "13:00")], 1),
        ([span("Tuesday", "01:00", "03:00"), span("Monday", "22:00", "02:00")], 1),
        ([span("Monday", "00:30", "03:00"), span("Sunday", "22:00", "01:00")], 1),
        (
            [
                span("Friday", "09:00", "12:00", validUntil="2026-06-30"),
                span("Friday", "09:00", "12:00", validFrom="2026-07-01"),
                span("Friday", "10:00", "11:00", validFrom="2026-06-30", validUntil="2026-06-30"),
            ],
            2,
        ),
    ],
)
async def test_spans_that_overlap_are_refused(
    demo_office: Office, week: list[dict[str, Any]], overlapping: int
) -> None:
    answer = await put(demo_office, HOURS, week)

    assert answer.status_code == 400
    assert faults(answer) == {f"body[{overlapping}].start": "overlaps the hours of body[0]"}
    assert len(await shown(demo_office, HOURS)) == 5


@pytest.mark.parametrize(
    "week",
    [
        [span("Monday", "09:00", "12:00"), span("Monday", "12:00", "13:00")],
        [span("Monday", "22:00", "02:00"), span("Tuesday", "02:00", "03:00")],
        [
            span("Friday", "09:00", "12:00", validUntil="2026-06-30"),
            span("Friday", "09:00", "12:00", validFrom="2026-07-01"),
        ],
    ],
)
async def test_spans_that_only_touch_are_taken(demo_office: Office, week: list[dict[str, Any]]) -> None:
    assert (await put(demo_office, HOURS, week)).status_code == 200


@pytest.mark.parametrize(
    ("items", "places"),
    [
        ([{"weekday": "Mon", "start": "9:00", "end": "24:00"}], ["body[0].weekday", "body[0].start", "body[0].end"]),
        ([{"weekday": 0, "start": 540}], ["body[0].weekday", "body[0].start", "body[0].end"]),
        ([{"weekday": "Monday", "start": "09:00:30", "end": "10:00"}], ["body[0].start"]),
        (
            [span("Monday", "09:00", "10:00", validFrom="2026-02-30", validUntil="1899-12-31")],
            ["body[0].validFrom", "body[0].validUntil"],
        ),
        ([span("Monday", "09:00", "10:00", validFrom="2026-06-02", validUntil="2026-06-01")], ["body[0].validUntil"]),
        ([span("Monday", "09:00", "10:00")] * (MAXIMUM_SPANS_OF_A_WEEK + 1), ["body"]),
    ],
)
async def test_every_fault_is_named_by_its_index(demo_office: Office, items: Any, places: list[str]) -> None:
    answer = await put(demo_office, HOURS, items)

    assert (answer.status_code, list(faults(answer))) == (400, places)


async def test_an_unknown_provider_is_not_found(demo_office: Office, berlin_office: Office) -> None:
    await put(berlin_office, "/providers", [{"id": 9, "name": "Berlin only"}])
    for answer in (
        await demo_office.house.admin.get(path(demo_office, "/providers/9/hours")),
        await put(demo_office, "/providers/9/hours", []),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_provider")


async def test_a_provider_id_is_a_number(demo_office: Office) -> None:
    for provider_id in ("0", "one", "9223372036854775808"):
        answer = await put(demo_office, f"/providers/{provider_id}/hours", [])
        assert (answer.status_code, list(faults(answer))) == (400, ["path.id"])


async def test_the_openings_follow_the_week(demo_office: Office) -> None:
    await put(demo_office, HOURS, [span("Monday", "09:00", "10:00")])

    answer = await demo_office.partner.get(
        "/availability/providers/1/slots", params={"date": "2099-03-09", "duration": 30}
    )

    assert answer.json()["data"]["Slots"] == ["09:00:00", "09:15:00", "09:30:00"]
