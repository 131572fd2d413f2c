"""GET /v1/{PPass}/tags"""

from tests.world import Office


async def test_all_tags_are_listed_by_name(demo_office: Office) -> None:
    answer = await demo_office.newcomer.get("/tags")

    assert answer.status_code == 200
    assert answer.json() == {
        "data": [{"TagID": 2, "Tag": "Newsletter"}, {"TagID": 1, "Tag": "VIP"}],
        "count": 2,
    }


async def test_tags_of_another_practice_do_not_show(demo_office: Office, berlin_office: Office) -> None:
    await demo_office.house.owner.execute(
        "INSERT INTO tag (practice_id, tag_id, tag) VALUES ($1, 77, 'Berlin only')", berlin_office.practice_id
    )

    assert "Berlin" not in (await demo_office.partner.get("/tags")).text
    assert "Berlin only" in (await berlin_office.partner.get("/tags")).text


async def test_a_practice_without_tags_has_an_empty_list(demo_office: Office) -> None:
    await demo_office.house.owner.execute("DELETE FROM tag WHERE practice_id = $1", demo_office.practice_id)

    assert (await demo_office.partner.get("/tags")).json() == {"data": [], "count": 0}


async def test_a_parameter_that_the_list_does_not_have_is_refused_by_name(demo_office: Office) -> None:
    answer = await demo_office.partner.get("/tags?page=1")

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == ["query.page"]
