"""GET /v1/{PPass}/prospects/{id}"""

import pytest

from tests.prospects.test_create import EVERYTHING
from tests.world import Office


async def test_one_prospect_has_every_field_the_tags_by_name_and_an_etag(demo_office: Office) -> None:
    await demo_office.partner.post(f"/tags/prospects/{demo_office.ada}", json={"tagId": demo_office.vip})
    await demo_office.partner.post(f"/tags/prospects/{demo_office.ada}", json={"tagId": demo_office.newsletter})

    answer = await demo_office.partner.get(f"/prospects/{demo_office.ada}")

    assert answer.status_code == 200
    ada = answer.json()["data"]
    assert set(ada) == {"PatientID", *EVERYTHING, "CreatedAt", "UpdatedAt", "Tags"}
    assert (ada["PatientID"], ada["FullName"], ada["EMail"]) == (1001, "Ada Lovelace", "ada@example.com")
    assert ada["Tags"] == [{"TagID": 2, "Tag": "Newsletter"}, {"TagID": 1, "Tag": "VIP"}]
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Cache-Control"] == "no-store"


async def test_who_is_not_there_is_not_found(demo_office: Office) -> None:
    answer = await demo_office.partner.get("/prospects/999")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_prospect")


@pytest.mark.parametrize("number", ["0", "-1", "abc", "1.5", str(2**63), "1" * 40, "%00", "1%00", "%ED%A0%80", "null"])
async def test_what_is_no_number_is_named(demo_office: Office, number: str) -> None:
    answer = await demo_office.partner.get(f"/prospects/{number}?fields=all")

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == ["path.id", "query.fields"]


async def test_the_greatest_number_is_one(demo_office: Office) -> None:
    assert (await demo_office.partner.get(f"/prospects/{2**63 - 1}")).status_code == 404
