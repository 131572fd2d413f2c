"""POST /v1/admin/kb and PUT /v1/admin/kb/{id}"""

from tests.knowledge.library import WORKFLOW, article, own_word, write
from tests.world import House, Office


async def test_an_admin_creates_an_article(house: House) -> None:
    answer = await write(house)

    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    assert {name: data[name] for name in WORKFLOW} == WORKFLOW
    assert answer.headers["ETag"] == '"1"'


async def test_an_admin_deactivates_an_article_and_what_it_was_is_kept(demo_office: Office, house: House) -> None:
    article_id = await article(house)
    answer = await house.admin.put(f"/v1/admin/kb/{article_id}", json={"Active": False}, headers={"If-Match": '"1"'})

    assert answer.json()["data"]["Active"] is False
    kept = (await demo_office.partner_global.get(f"/kb/{article_id}/revisions")).json()["data"]
    assert [(one["Version"], one["Active"]) for one in kept] == [(1, True)]


async def test_an_article_is_created_once_however_often_it_is_sent(demo_office: Office, house: House) -> None:
    word = own_word()
    headers = {"Idempotency-Key": word}
    answers = [
        await house.admin.post("/v1/admin/kb", json=WORKFLOW | {"Title": word}, headers=headers) for _ in range(3)
    ]

    assert {answer.content for answer in answers} == {answers[0].content}
    listed = await demo_office.partner_global.get("/kb", params={"search": word})
    assert listed.json()["total"] == 1


async def test_what_is_missing_is_named(house: House) -> None:
    answer = await house.admin.post("/v1/admin/kb", json={"Title": " "})

    assert answer.status_code == 400
    assert {fault["location"] for fault in answer.json()["errors"]} == {
        "body.Title",
        "body.Article",
        "body.Category",
        "body.Type",
    }


async def test_a_partner_cannot_create_one(demo_office: Office) -> None:
    assert (await demo_office.partner_global.post("/admin/kb", json=WORKFLOW)).status_code == 401
