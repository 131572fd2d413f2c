"""POST /v1/{PPass}/prospects/search: the list, with its parameters in the body."""

from typing import Any

import pytest

from tests.world import Office


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"search": "ada love"},
        {"search": "nobody"},
        {"page": 2, "limit": 1},
        {"prospect": True},
        {"tagId": 1},
        {"limit": 1},
        {"updatedSince": "2026-01-01T00:00:00Z", "limit": 1},
    ],
)
async def test_it_answers_as_the_list_does(demo_office: Office, asked: dict[str, Any]) -> None:
    await demo_office.partner.post(f"/tags/prospects/{demo_office.ada}", json={"tagId": 1})
    await demo_office.partner.post("/prospects", json={"FirstName": "Grace", "Prospect": 0})
    by_body = await demo_office.partner.post("/prospects/search", json=asked)
    by_query = await demo_office.partner.get("/prospects", params=asked)

    assert by_body.status_code == 200, by_body.text
    assert by_body.json() == by_query.json()
    if (cursor := by_body.json().get("nextCursor")) and "page" not in asked:
        following = await demo_office.partner.post("/prospects/search", json={**asked, "cursor": cursor})
        assert (
            following.json() == (await demo_office.partner.get("/prospects", params={**asked, "cursor": cursor})).json()
        )


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ({"page": 0}, "body.page"),
        ({"limit": 101}, "body.limit"),
        ({"page": 1000, "limit": 100}, "body.page"),
        ({"cursor": "x"}, "body.cursor"),
        ({"cursor": "x", "search": "ada"}, "body.cursor"),
        ({"serach": "ada"}, "body.serach"),
        ({"search": 7}, "body.search"),
        ({"updatedSince": "yesterday"}, "body.updatedSince"),
    ],
)
async def test_bad_input_is_named_by_its_field(demo_office: Office, asked: dict[str, Any], location: str) -> None:
    answer = await demo_office.partner.post("/prospects/search", json=asked)

    assert answer.status_code == 400, answer.text
    assert [fault["location"] for fault in answer.json()["errors"]] == [location]


async def test_it_needs_the_scope_and_finds_no_one_of_another_practice(
    demo_office: Office, berlin_office: Office
) -> None:
    found = (await berlin_office.partner.post("/prospects/search", json={"search": "ada"})).json()
    assert found["count"] == 1
    answer = await demo_office.partner_global.post(f"/{berlin_office.practicepass}/prospects/search", json={})
    assert answer.status_code == 403
