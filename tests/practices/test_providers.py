"""GET PUT /v1/admin/{PPass}/providers"""

from typing import Any

import pytest

from officepro.practices.furnish import MAXIMUM_PROVIDERS
from tests.practices.admin import faults, path, put, shown, version
from tests.world import Office

JANE = {"id": 1, "name": "Jane Smith", "title": "PA-C", "specialty": "Aesthetics", "active": True}


async def test_new_providers_get_the_next_ids_and_known_ones_are_changed(demo_office: Office) -> None:
    answer = await put(
        demo_office,
        "/providers",
        [{"name": "Mary Major", "title": "MD"}, {"id": 2, "specialty": "Surgery"}, {"id": 7, "name": "Otto"}],
    )

    assert (answer.status_code, answer.json()["message"]) == (200, "Providers saved successfully")
    mary = {"id": 8, "name": "Mary Major", "title": "MD", "specialty": "", "active": True}
    john = {"id": 2, "name": "John Brown", "title": "MD", "specialty": "Surgery", "active": True}
    otto = {"id": 7, "name": "Otto", "title": "", "specialty": "", "active": True}
    assert answer.json()["data"] == [mary, john, otto]
    assert await shown(demo_office, "/providers") == [JANE, john, otto, mary]


async def test_what_is_shown_can_be_put_back(demo_office: Office) -> None:
    before = await shown(demo_office, "/providers")
    answer = await put(demo_office, "/providers", before)

    assert answer.json()["data"] == before == await shown(demo_office, "/providers")


async def test_a_provider_who_leaves_becomes_inactive_and_stays(demo_office: Office) -> None:
    await put(demo_office, "/providers", [{"id": 1, "active": False}])

    assert (await shown(demo_office, "/providers"))[0] == JANE | {"active": False}


async def test_every_write_moves_the_version_once(demo_office: Office) -> None:
    before = await version(demo_office)
    await put(demo_office, "/providers", [{"id": 1, "title": "MD"}, {"id": 2, "title": "MD"}])

    assert await version(demo_office) == before + 1


async def test_a_refused_write_changes_nothing_and_moves_no_version(demo_office: Office) -> None:
    before = await version(demo_office), await shown(demo_office, "/providers")
    answer = await put(demo_office, "/providers", [{"id": 1, "name": "Changed"}, {"id": 9}])

    assert (answer.status_code, faults(answer)) == (400, {"body[1].name": "is required for a new item"})
    assert (await version(demo_office), await shown(demo_office, "/providers")) == before


async def test_the_same_id_of_another_practice_is_left_alone(demo_office: Office, berlin_office: Office) -> None:
    await put(demo_office, "/providers", [{"id": 1, "name": "Somebody Else"}, {"name": "Third"}])

    assert await shown(berlin_office, "/providers") == [
        JANE,
        {"id": 2, "name": "John Brown", "title": "MD", "specialty": "Dermatology", "active": True},
    ]


@pytest.mark.parametrize(
    ("items", "places"),
    [
        ([{"name": ""}, {"name": "x", "title": "t" * 101}], ["body[0].name", "body[1].title"]),
        ([{"name": "x\u0000"}, {"nam": "x"}], ["body[0].name", "body[1].nam"]),
        ([{"id": 0, "name": "x"}, {"id": 2**63, "name": "x"}], ["body[0].id", "body[1].id"]),
        ([{"id": "1"}, {"id": 1, "active": 1}], ["body[0].id", "body[1].active"]),
        ([{"id": 1}, {"id": 2}, {"id": 1}, {"title": "MD"}], ["body[2].id", "body[3].name"]),
        ({"name": "x"}, ["body"]),
        ([None], ["body[0]"]),
        ([{"name": "x"}] * (MAXIMUM_PROVIDERS + 1), ["body"]),
    ],
)
async def test_every_fault_is_named_by_its_index(demo_office: Office, items: Any, places: list[str]) -> None:
    answer = await put(demo_office, "/providers", items)

    assert (answer.status_code, list(faults(answer))) == (400, places)


async def test_there_are_only_so_many(demo_office: Office) -> None:
    answer = await put(demo_office, "/providers", [{"name": "x"}] * MAXIMUM_PROVIDERS)

    assert (answer.status_code, answer.json()["code"]) == (422, "impossible_set_up")
    assert len(await shown(demo_office, "/providers")) == 2


async def test_when_the_highest_id_is_taken_the_next_must_be_given(demo_office: Office) -> None:
    assert (await put(demo_office, "/providers", [{"id": 2**63 - 1, "name": "Last"}])).status_code == 200
    answer = await put(demo_office, "/providers", [{"name": "After"}])

    assert (answer.status_code, list(faults(answer))) == (422, ["body[0].id"])


async def test_an_unknown_practice_is_not_found(demo_office: Office) -> None:
    for name in ("Nowhere", "x" * 300, "a'b", "%00"):
        answer = await demo_office.house.admin.get(f"/v1/admin/{name}/providers")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_practice")
    assert (await demo_office.house.admin.get(path(demo_office, "/providers?all=1"))).status_code == 400
