"""GET POST /v1/admin/partners, GET PATCH /v1/admin/partners/{id}"""

from typing import Any

import pytest

from tests.practices.admin import faults
from tests.world import House, Office

ADDRESS = "/v1/admin/partners"
BOOKING = {"company": "Booking Site", "contact": "Anna Miller", "email": "anna@booking.example"}


async def test_a_partner_is_created_with_whom_to_ask_there(house: House) -> None:
    answer = await house.admin.post(ADDRESS, json=BOOKING | {"website": "https://booking.example/about"})

    assert (answer.status_code, answer.json()["message"]) == (201, "Partner created successfully")
    partner = answer.json()["data"]
    assert {name: partner[name] for name in partner if name != "partnerId" and not name.endswith("At")} == {
        **BOOKING,
        "phone": "",
        "website": "https://booking.example/about",
        "active": True,
    }
    one = await house.admin.get(f"{ADDRESS}/{partner['partnerId']}")
    assert (one.json()["data"], one.headers["ETag"]) == (partner, answer.headers["ETag"])


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({}, ["body.company", "body.contact", "body.email"]),
        (BOOKING | {"company": " ", "contact": "x" * 201}, ["body.company", "body.contact"]),
        (BOOKING | {"email": "anna"}, ["body.email"]),
        (BOOKING | {"email": "anna@booking example.com"}, ["body.email"]),
        (BOOKING | {"email": "a" * 250 + "@b.cd"}, ["body.email"]),
        (BOOKING | {"website": "javascript:alert(1)", "phone": "5" * 51}, ["body.phone", "body.website"]),
        (BOOKING | {"vendorCodes": ["V001"]}, ["body.vendorCodes"]),
        (BOOKING | {"email": None}, ["body.email"]),
    ],
)
async def test_every_fault_is_named(house: House, given: dict[str, Any], places: list[str]) -> None:
    answer = await house.admin.post(ADDRESS, json=given)

    assert (answer.status_code, list(faults(answer))) == (400, places)


async def test_what_is_sent_is_changed_and_the_rest_stays(house: House) -> None:
    created = await house.admin.post(ADDRESS, json=BOOKING | {"phone": "555-0100"})
    partner = created.json()["data"]
    answer = await house.admin.patch(f"{ADDRESS}/{partner['partnerId']}", json={"phone": "", "contact": "Bob"})

    assert (answer.status_code, answer.json()["message"]) == (200, "Partner updated successfully")
    now = answer.json()["data"]
    assert {name for name in now if now[name] != partner[name]} == {"phone", "contact", "updatedAt"}


async def test_a_change_to_an_older_version_is_refused(house: House) -> None:
    created = await house.admin.post(ADDRESS, json=BOOKING)
    address = f"{ADDRESS}/{created.json()['data']['partnerId']}"
    match = {"If-Match": created.headers["ETag"]}

    first = await house.admin.patch(address, json={"contact": "First"}, headers=match)
    second = await house.admin.patch(address, json={"contact": "Second"}, headers=match)

    assert (first.status_code, second.status_code, second.headers["ETag"]) == (200, 412, first.headers["ETag"])
    assert (await house.admin.get(address)).json()["data"]["contact"] == "First"


async def test_the_keys_of_a_partner_that_is_not_active_do_not_work(demo_office: Office) -> None:
    owner = demo_office.house.owner
    partner_id = await owner.fetchval(
        "SELECT partner_id FROM api_key WHERE api_key_id = $1", int(demo_office.keys["partner"].split("_")[1])
    )
    await demo_office.house.admin.patch(f"{ADDRESS}/{partner_id}", json={"active": False})

    answer = await demo_office.house.stranger.post(
        f"{demo_office.path}/auth/token", json={"apiKey": demo_office.keys["partner"]}
    )

    assert answer.status_code == 401


async def test_an_unknown_partner_is_not_found(house: House) -> None:
    for answer in (
        await house.admin.get(f"{ADDRESS}/999999"),
        await house.admin.patch(f"{ADDRESS}/999999", json={"contact": "x"}),
        await house.admin.patch(f"{ADDRESS}/999999", json={"contact": "x"}, headers={"If-Match": '"1"'}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_partner")


async def test_partners_come_in_pages_by_company(house: House) -> None:
    for company in ("zeta", "Alpha"):
        await house.admin.post(ADDRESS, json=BOOKING | {"company": company})

    whole = (await house.admin.get(ADDRESS, params={"limit": 100})).json()
    names = [partner["company"].lower() for partner in whole["data"]]
    assert names == sorted(names)
    assert (await house.admin.get(ADDRESS, params={"limit": 1})).json()["total"] == whole["total"]
