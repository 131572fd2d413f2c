"""PUT /v1/kb/{id} and GET /v1/kb/{id}/revisions"""

import asyncio
from typing import Any

import pytest

from tests.knowledge.library import WORKFLOW, article
from tests.world import House, Office

WRITERS = 32


async def revisions(office: Office, article_id: int) -> list[dict[str, Any]]:
    answer = await office.partner_global.get(f"/kb/{article_id}/revisions", params={"limit": 100})
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == answer.json()["count"]
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_what_is_sent_is_changed_and_the_rest_stays(demo_office: Office, house: House) -> None:
    article_id = await article(house)
    answer = await demo_office.partner_global.put(f"/kb/{article_id}", json={"Title": "Renamed"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["message"] == "Article updated successfully"
    assert answer.headers["ETag"] == '"2"'
    assert answer.json()["data"] | WORKFLOW == answer.json()["data"] | WORKFLOW | {"KBID": article_id}
    read = (await demo_office.partner_global.get(f"/kb/{article_id}")).json()["data"]
    assert (read["Title"], read["Article"]) == ("Renamed", WORKFLOW["Article"])


async def test_what_it_was_is_kept(demo_office: Office, house: House) -> None:
    article_id = await article(house)
    assert await revisions(demo_office, article_id) == []
    await demo_office.partner_global.put(f"/kb/{article_id}", json={"Title": "Second"})
    await demo_office.partner_global.put(f"/kb/{article_id}", json={"Active": False})

    kept = await revisions(demo_office, article_id)
    assert [(one["Version"], one["Title"], one["Active"]) for one in kept] == [
        (2, "Second", True),
        (1, WORKFLOW["Title"], True),
    ]


async def test_an_article_that_changed_meanwhile_is_refused_with_its_etag(demo_office: Office, house: House) -> None:
    article_id = await article(house)
    await demo_office.partner_global.put(f"/kb/{article_id}", json={"Title": "Second"})

    stale = {"If-Match": '"1"'}
    answer = await demo_office.partner_global.put(f"/kb/{article_id}", json={"Title": "Third"}, headers=stale)

    assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")
    assert answer.headers["ETag"] == '"2"'
    again = await demo_office.partner_global.put(
        f"/kb/{article_id}", json={"Title": "Third"}, headers={"If-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 200


async def test_nothing_sent_changes_nothing(demo_office: Office, house: House) -> None:
    article_id = await article(house)
    answer = await demo_office.partner_global.put(f"/kb/{article_id}", json={})

    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    assert await revisions(demo_office, article_id) == []


async def test_no_update_is_lost_among_writers_with_if_match(demo_office: Office, house: House) -> None:
    article_id = await article(house)

    async def write(number: int) -> str | None:
        """Tries, from what it has read, until it is through; what it wrote."""
        for attempt in range(4):
            read = await demo_office.partner_global.get(f"/kb/{article_id}")
            title = f"{number}.{attempt}"
            answer = await demo_office.partner_global.put(
                f"/kb/{article_id}", json={"Title": title}, headers={"If-Match": read.headers["ETag"]}
            )
            if answer.status_code == 200:
                return title
            assert answer.status_code == 412, answer.text
        return None

    written = [title for title in await asyncio.gather(*map(write, range(WRITERS))) if title is not None]

    kept = [one["Title"] for one in await revisions(demo_office, article_id)]
    last = (await demo_office.partner_global.get(f"/kb/{article_id}")).json()["data"]["Title"]
    assert sorted([*kept, last]) == sorted([WORKFLOW["Title"], *written])
    assert written


async def test_no_update_is_lost_among_writers_without_if_match(demo_office: Office, house: House) -> None:
    article_id = await article(house)
    titles = [f"Title {number}" for number in range(WRITERS)]

    answers = await asyncio.gather(
        *(demo_office.partner_global.put(f"/kb/{article_id}", json={"Title": title}) for title in titles)
    )

    assert {answer.status_code for answer in answers} == {200}
    kept = await revisions(demo_office, article_id)
    last = (await demo_office.partner_global.get(f"/kb/{article_id}")).json()["data"]["Title"]
    assert sorted([*(one["Title"] for one in kept), last]) == sorted([WORKFLOW["Title"], *titles])
    assert [one["Version"] for one in kept] == list(range(WRITERS, 0, -1))


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"Title": ""}, "body.Title"),
        ({"Title": "x" * 201}, "body.Title"),
        ({"Article": "x" * 50_001}, "body.Article"),
        ({"Article": "a\0b"}, "body.Article"),
        ({"Article": None}, "body.Article"),
        ({"Active": 1}, "body.Active"),
        ({"KBID": 7}, "body.KBID"),
    ],
)
async def test_a_bad_change_is_refused(demo_office: Office, house: House, body: dict[str, Any], location: str) -> None:
    answer = await demo_office.partner_global.put(f"/kb/{await article(house)}", json=body)

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == [location]


async def test_an_article_that_is_not_there_cannot_be_changed(demo_office: Office) -> None:
    answer = await demo_office.partner_global.put("/kb/999999999", json={"Title": "x"}, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_article")
