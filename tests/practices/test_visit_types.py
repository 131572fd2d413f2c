"""GET PUT /v1/admin/{PPass}/visit-types"""

from typing import Any

import pytest

from tests.practices.admin import faults, put, shown, version
from tests.world import Office

CONSULT = {
    "visitType": "Consult",
    "active": True,
    "providers": [1, 2],
    "resources": [101, 102],
    "durationMinutes": 30,
    "bufferBeforeMinutes": 0,
    "bufferAfterMinutes": 0,
    "minimumNoticeMinutes": None,
    "bookingHorizonDays": None,
}


async def test_a_new_type_is_added_with_its_lists(demo_office: Office) -> None:
    before = await version(demo_office)
    laser = {"visitType": "Laser", "providers": [2, 1], "resources": [102], "bufferAfterMinutes": 10}
    answer = await put(demo_office, "/visit-types", [laser])

    assert (answer.status_code, answer.json()["message"]) == (200, "Visit types saved successfully")
    assert answer.json()["data"] == [CONSULT | laser]
    assert (await shown(demo_office, "/visit-types"))[2] == CONSULT | laser | {"providers": [1, 2]}
    assert await version(demo_office) == before + 1


async def test_a_list_that_is_given_replaces_the_old_one_and_the_rest_stays(demo_office: Office) -> None:
    answer = await put(demo_office, "/visit-types", [{"visitType": "Consult", "providers": [2]}])
    assert answer.json()["data"] == [CONSULT | {"providers": [2]}]

    answer = await put(demo_office, "/visit-types", [{"visitType": "Consult", "resources": [], "active": False}])
    assert answer.json()["data"] == [CONSULT | {"providers": [2], "resources": [], "active": False}]


async def test_null_gives_notice_and_horizon_back_to_the_practice(demo_office: Office) -> None:
    for own in (60, None):
        item = {"visitType": "Consult", "minimumNoticeMinutes": own, "bookingHorizonDays": own}
        answer = await put(demo_office, "/visit-types", [item])
        assert answer.json()["data"] == [CONSULT | item]


async def test_how_long_a_type_takes_is_how_long_its_free_times_are(demo_office: Office) -> None:
    answer = await put(demo_office, "/visit-types", [{"visitType": "Consult", "durationMinutes": 75}])
    assert answer.json()["data"] == [CONSULT | {"durationMinutes": 75}]

    found = await demo_office.partner.get("/availability/next-slot?visitType=Consult")
    assert found.json()["data"]["Duration"] == 75
    assert (await shown(demo_office, "/visit-types"))[1]["durationMinutes"] == 30  # the other type keeps its own


async def test_what_is_shown_can_be_put_back(demo_office: Office) -> None:
    before = await shown(demo_office, "/visit-types")

    assert (await put(demo_office, "/visit-types", before)).json()["data"] == before
    assert await shown(demo_office, "/visit-types") == before


async def test_providers_and_rooms_must_be_this_practices_own(demo_office: Office, berlin_office: Office) -> None:
    await put(berlin_office, "/providers", [{"id": 55, "name": "Berlin only"}])
    answer = await put(
        demo_office,
        "/visit-types",
        [{"visitType": "Laser", "providers": [1, 55]}, {"visitType": "Peel", "resources": [7, 101, 8]}],
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "impossible_set_up")
    assert faults(answer) == {
        "body[0].providers[1]": "there is no provider 55 in this practice",
        "body[1].resources[0]": "there is no room 7 in this practice",
        "body[1].resources[2]": "there is no room 8 in this practice",
    }
    assert len(await shown(demo_office, "/visit-types")) == 2


@pytest.mark.parametrize(
    ("items", "places"),
    [
        ([{"active": True}], ["body[0].visitType"]),
        ([{"visitType": "  "}, {"visitType": "x" * 101}], ["body[0].visitType", "body[1].visitType"]),
        ([{"visitType": "A"}, {"visitType": "A"}], ["body[1].visitType"]),
        ([{"visitType": "A", "providers": [1, 2, 1]}], ["body[0].providers[2]"]),
        ([{"visitType": "A", "providers": ["1"], "resources": None}], ["body[0].providers[0]", "body[0].resources"]),
        ([{"visitType": "A", "durationMinutes": 0}], ["body[0].durationMinutes"]),
        ([{"visitType": "A", "bufferAfterMinutes": 241}], ["body[0].bufferAfterMinutes"]),
        ([{"visitType": "A", "bufferBeforeMinutes": None}], ["body[0].bufferBeforeMinutes"]),
        ([{"visitType": "A", "bookingHorizonDays": 0}], ["body[0].bookingHorizonDays"]),
    ],
)
async def test_every_fault_is_named_by_its_index(
    demo_office: Office, items: list[dict[str, Any]], places: list[str]
) -> None:
    answer = await put(demo_office, "/visit-types", items)

    assert (answer.status_code, list(faults(answer))) == (400, places)
