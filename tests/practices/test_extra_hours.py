"""GET PUT DELETE /v1/admin/{PPass}/providers/{id}/extra-hours"""

from typing import Any

import pytest

from tests.practices.admin import faults, path, put, shown, version
from tests.world import Office

EXTRA = "/providers/1/extra-hours"
SATURDAY = {"date": "2026-03-14", "start": "10:00", "end": "14:00"}


async def test_extra_hours_are_added_moved_and_deleted(demo_office: Office) -> None:
    before = await version(demo_office)
    night = {"date": "2026-03-20", "start": "20:00", "end": "00:00"}
    answer = await put(demo_office, EXTRA, [night, SATURDAY])

    assert (answer.status_code, answer.json()["message"]) == (200, "Extra hours saved successfully")
    first, second = answer.json()["data"]
    assert (first, second) == (night | {"id": first["id"]}, SATURDAY | {"id": second["id"]})
    assert await shown(demo_office, EXTRA) == [second, first]

    moved = first | {"end": "02:00"}
    assert (await put(demo_office, EXTRA, [moved])).json()["data"] == [moved]
    answer = await demo_office.house.admin.delete(path(demo_office, f"{EXTRA}/{second['id']}"))
    assert answer.json() == {"message": "Extra hours deleted successfully", "data": {"id": second["id"]}}
    assert await shown(demo_office, EXTRA) == [moved]
    assert await version(demo_office) == before + 3


async def test_the_same_hours_sent_twice_are_kept_once(demo_office: Office) -> None:
    for _ in range(2):
        await put(demo_office, EXTRA, [SATURDAY])

    assert len(await shown(demo_office, EXTRA)) == 1


async def test_an_id_must_be_of_this_providers_extra_hours(demo_office: Office, berlin_office: Office) -> None:
    foreign = (await put(berlin_office, EXTRA, [SATURDAY])).json()["data"][0]

    answer = await put(demo_office, EXTRA, [foreign])
    gone = await demo_office.house.admin.delete(path(demo_office, f"{EXTRA}/{foreign['id']}"))

    assert (answer.status_code, list(faults(answer))) == (422, ["body[0].id"])
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_extra_hours")
    assert await shown(berlin_office, EXTRA) == [foreign]


@pytest.mark.parametrize(
    ("items", "places"),
    [
        ([{"date": "14.3.2026", "start": "25:00", "end": ""}], ["body[0].date", "body[0].start", "body[0].end"]),
        ([{"day": "2026-03-14"}], ["body[0].day", "body[0].date", "body[0].start", "body[0].end"]),
        ([SATURDAY, SATURDAY], ["body[1].start"]),
    ],
)
async def test_every_fault_is_named_by_its_index(demo_office: Office, items: Any, places: list[str]) -> None:
    answer = await put(demo_office, EXTRA, items)

    assert (answer.status_code, list(faults(answer))) == (400, places)
