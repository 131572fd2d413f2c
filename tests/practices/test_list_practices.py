"""GET /v1/admin/practices"""

from typing import Any

from tests.world import Office


async def test_practices_come_in_pages_by_their_names(demo_office: Office, berlin_office: Office) -> None:
    admin = demo_office.house.admin
    pages: list[Any] = []
    while not pages or len(pages[-1]["data"]) == 100:
        params = {"limit": 100, "page": len(pages) + 1}
        pages.append((await admin.get("/v1/admin/practices", params=params)).json())
    names = [practice["practicepass"] for page in pages for practice in page["data"]]
    assert {demo_office.practicepass, berlin_office.practicepass} <= {*names}
    assert names == sorted(names, key=str.lower)
    assert {page["total"] for page in pages} == {len(names)}

    second = (await admin.get("/v1/admin/practices", params={"limit": 1, "page": 2})).json()
    assert [one["practicepass"] for one in second["data"]] == names[1:2]


async def test_one_practice_is_shown_alone_with_its_version(demo_office: Office) -> None:
    answer = await demo_office.house.admin.get(f"/v1/admin/practices/{demo_office.practicepass}")

    assert answer.json()["data"]["timezone"] == "America/New_York"
    assert answer.headers["ETag"] == '"1"'
