"""POST /v1/{PPass}/tickets/{id}/comment"""

import asyncio
from typing import Any

import pytest

from tests.tickets.desk import change, open_ticket, whole
from tests.world import Office

SEEDS_EXAMPLE = {"Comment": "This is a new comment", "Author": "Support Agent"}


async def test_the_seeds_example_adds_a_comment(demo_office: Office) -> None:
    ticket_id = await open_ticket(demo_office)
    answer = await demo_office.partner.post(f"/tickets/{ticket_id}/comment", json=SEEDS_EXAMPLE)

    assert answer.status_code == 201, answer.text
    assert answer.json()["message"] == "Comment added successfully"
    data = answer.json()["data"]
    assert data == data | SEEDS_EXAMPLE
    assert (await whole(demo_office, ticket_id))["Comments"] == [data]
    assert [row["event"] for row in await demo_office.log()] == ["ticket.created", "ticket.commented"]
    assert "new comment" not in str(await demo_office.log())


async def test_comments_stand_in_their_order_and_none_is_lost(demo_office: Office) -> None:
    ticket_id = await open_ticket(demo_office)
    for text in ("one", "two", "three"):
        await demo_office.partner.post(f"/tickets/{ticket_id}/comment", json=SEEDS_EXAMPLE | {"Comment": text})
    assert [one["Comment"] for one in (await whole(demo_office, ticket_id))["Comments"]] == ["one", "two", "three"]

    texts = {f"at once {number}" for number in range(16)}
    await asyncio.gather(
        *(
            demo_office.partner.post(f"/tickets/{ticket_id}/comment", json=SEEDS_EXAMPLE | {"Comment": text})
            for text in texts
        )
    )
    comments = (await whole(demo_office, ticket_id))["Comments"]
    assert {one["Comment"] for one in comments[3:]} == texts
    assert [one["CommentID"] for one in comments] == sorted(one["CommentID"] for one in comments)


async def test_a_closed_ticket_can_be_commented_and_stays_closed(demo_office: Office) -> None:
    ticket_id = await open_ticket(demo_office)
    await change(demo_office, ticket_id, Status="Closed")

    answer = await demo_office.partner.post(f"/tickets/{ticket_id}/comment", json=SEEDS_EXAMPLE)

    assert answer.status_code == 201
    assert (await whole(demo_office, ticket_id))["Status"] == "Closed"


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"Author": "x"}, "body.Comment"),
        ({"Comment": "x"}, "body.Author"),
        ({"Comment": " \n", "Author": "x"}, "body.Comment"),
        ({"Comment": "x" * 10_001, "Author": "x"}, "body.Comment"),
        ({"Comment": "\0", "Author": "x"}, "body.Comment"),
        ({"Comment": "x", "Author": "x", "TicketID": 1}, "body.TicketID"),
    ],
)
async def test_a_bad_comment_is_refused(demo_office: Office, body: dict[str, Any], location: str) -> None:
    answer = await demo_office.partner.post(f"/tickets/{await open_ticket(demo_office)}/comment", json=body)

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == [location]
