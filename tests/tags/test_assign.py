"""POST /v1/{PPass}/tags/prospects/{id}"""

from tests.world import Office


async def test_a_tag_is_put_on_a_prospect_and_told_as_an_event(demo_office: Office) -> None:
    answer = await demo_office.partner.post(f"/tags/prospects/{demo_office.ada}", json={"tagId": demo_office.vip})

    assert (answer.status_code, answer.json()["message"]) == (200, "Tag assigned successfully")
    assert await demo_office.tags_of(demo_office.ada) == [demo_office.vip]
    assert [(row["log_id"], row["event"]) for row in await demo_office.log()] == [(1, "patient.tagged")]


async def test_putting_on_the_same_tag_twice_is_no_error_and_no_second_event(demo_office: Office) -> None:
    for _ in range(2):
        answer = await demo_office.partner.post(f"/tags/prospects/{demo_office.ada}", json={"tagId": demo_office.vip})
        assert answer.status_code == 200

    assert len(await demo_office.log()) == 1


async def test_a_tag_of_another_practice_cannot_be_assigned(demo_office: Office, berlin_office: Office) -> None:
    await demo_office.house.owner.execute(
        "INSERT INTO tag (practice_id, tag_id, tag) VALUES ($1, 77, 'Berlin only')", berlin_office.practice_id
    )
    answer = await demo_office.partner.post(f"/tags/prospects/{demo_office.ada}", json={"tagId": 77})

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_tag")
    assert await demo_office.tags_of(demo_office.ada) == []


async def test_every_fault_of_the_request_is_named(demo_office: Office) -> None:
    answer = await demo_office.partner.post("/tags/prospects/0?colour=red", json={"tagID": 1, "note": "x"})

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == [
        "path.id",
        "query.colour",
        "body.tagID",
        "body.note",
        "body.tagId",
    ]
