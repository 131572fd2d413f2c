"""Authorization of an API key: its scopes, in its practice."""

import pytest

from officepro.access.scopes import EVERY_SCOPE
from tests.access.visitors import visitor_from
from tests.world import Office, make_key

NEEDED = [
    ("GET", "/prospects", "Prospects"),
    ("POST", "/prospects", "Prospects"),
    ("GET", "/prospects/1001", "Prospects"),
    ("PUT", "/prospects/1001", "Prospects"),
    ("GET", "/tags", "Tags"),
    ("POST", "/tags/prospects/1001", "Tags"),
    ("DELETE", "/tags/prospects/1001", "Tags"),
    ("DELETE", "/tags/prospects/1001/1", "Tags"),
    ("GET", "/availability/providers", "Providers"),
]


@pytest.mark.parametrize(("method", "path", "scope"), NEEDED)
async def test_a_key_without_the_scope_is_told_which_one_it_lacks(
    demo_office: Office, method: str, path: str, scope: str
) -> None:
    key = await make_key(demo_office.house, "all but one", EVERY_SCOPE - {scope}, demo_office.practice_id)
    demo_office.keys["lacking"] = key
    bearer = {"Authorization": f"Bearer {await demo_office.token('lacking')}"}

    answer = await demo_office.house.stranger.request(method, demo_office.path + path, headers=bearer)

    assert answer.status_code == 403
    assert answer.json()["code"] == "missing_scope"
    assert answer.json()["scope"] == scope
    assert scope in answer.json()["detail"]


async def test_a_new_key_works_with_prospects_and_tags_alone(demo_office: Office) -> None:
    assert (await demo_office.newcomer.get("/prospects")).status_code == 200
    assert (await demo_office.newcomer.get("/tags")).status_code == 200
    assert (await demo_office.newcomer.get("/availability/providers")).status_code == 403


async def test_another_practice_s_token_is_refused_before_anything_is_read(
    demo_office: Office, berlin_office: Office
) -> None:
    bearer = {"Authorization": berlin_office.partner.headers["Authorization"]}
    for method, path, _ in NEEDED:
        answer = await demo_office.house.stranger.request(method, demo_office.path + path, headers=bearer)
        assert (answer.status_code, answer.json()["code"]) == (403, "another_practice"), path

    # The refusal does not reveal whether such a practice exists.
    unknown = await demo_office.house.stranger.get("/v1/NoSuchOffice/tags", headers=bearer)
    assert (unknown.status_code, unknown.json()["code"]) == (403, "another_practice")


@pytest.mark.parametrize("path", ["/prospects?colour=red&page=x", "/prospects/none", "/tags/prospects/0"])
async def test_who_is_unknown_learns_nothing_of_what_is_wrong_with_the_request(demo_office: Office, path: str) -> None:
    async with visitor_from(demo_office.house) as visitor:
        for method in ("GET", "POST", "PUT", "DELETE"):
            answer = await visitor.request(method, demo_office.path + path, content=b"{" * 100)
            assert answer.status_code in (401, 405)
            assert "errors" not in answer.json()
