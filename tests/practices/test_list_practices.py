"""GET /v1/admin/practices"""

from tests.world import Office


async def test_practices_come_in_pages_by_their_names(demo_office: Office, berlin_office: Office) -> None:
    admin = demo_office.house.admin
    whole = (await admin.get("/v1/admin/practices", params={"limit": 100})).json()
    names = [practice["practicepass"] for practice in whole["data"]]
    assert {demo_office.practicepass, berlin_office.practicepass} <= {*names}
    assert names == sorted(names, key=str.lower)
    assert whole["total"] == whole["count"] == len(names)

    second = (await admin.get("/v1/admin/practices", params={"limit": 1, "page": 2})).json()
    assert ([one["practicepass"] for one in second["data"]], second["page"], second["total"]) == (
        names[1:2],
        2,
        len(names),
    )


async def test_one_practice_is_shown_alone_with_its_version(demo_office: Office) -> None:
    answer = await demo_office.house.admin.get(f"/v1/admin/practices/{demo_office.practicepass}")

    assert answer.json()["data"]["timezone"] == "America/New_York"
    assert answer.headers["ETag"] == '"1"'
