"""POST /v1/{PPass}/tickets"""

import asyncio
from typing import Any

import pytest

from tests.tickets.desk import LABELS, whole
from tests.world import Office


async def test_a_ticket_is_opened_and_told_in_the_log(demo_office: Office) -> None:
    answer = await demo_office.partner.post("/tickets", json=LABELS)

    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    assert data == data | LABELS | {"Status": "Open", "Comments": [], "History": []}
    assert answer.headers["ETag"] == '"1"'
    assert [(row["event"], row["scope"], row["entity_id"]) for row in await demo_office.log()] == [
        ("ticket.created", "Tickets", data["TicketID"])
    ]
    assert "Labels" not in str(await demo_office.log())
    assert await whole(demo_office, data["TicketID"]) == data


async def test_a_subject_is_enough(demo_office: Office) -> None:
    answer = await demo_office.partner.post("/tickets", json={"Subject": "Help"})

    assert answer.json()["data"]["Priority"] == "Normal"


async def test_it_is_opened_once_however_often_it_is_sent(demo_office: Office) -> None:
    answers = await asyncio.gather(
        *(demo_office.partner.post("/tickets", json=LABELS, headers={"Idempotency-Key": "k"}) for _ in range(8))
    )

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert (await demo_office.partner.get("/tickets")).json()["total"] == 1
    assert len(await demo_office.log()) == 1


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({}, "body.Subject"),
        ({"Subject": " "}, "body.Subject"),
        ({"Subject": "x" * 201}, "body.Subject"),
        ({"Subject": "x", "Priority": "Highest"}, "body.Priority"),
        ({"Subject": "x", "Status": "Closed"}, "body.Status"),
        ({"Subject": "x", "Description": "a\0"}, "body.Description"),
        ({"Subject": "x", "TicketID": 1}, "body.TicketID"),
    ],
)
async def test_a_bad_ticket_is_refused(demo_office: Office, body: dict[str, Any], location: str) -> None:
    answer = await demo_office.partner.post("/tickets", json=body)

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == [location]
