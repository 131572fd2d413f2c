"""GET /v1/{PPass}/tickets and GET /v1/{PPass}/ticket/{id}"""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.tickets.desk import change, open_ticket
from tests.world import Office


async def found(office: Office, **parameters: Any) -> list[int]:
    answer = await office.partner.get("/tickets", params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.json()["count"] == len(answer.json()["data"])
    return [one["TicketID"] for one in answer.json()["data"]]


async def test_what_was_changed_last_comes_first(demo_office: Office) -> None:
    first, second, third = [await open_ticket(demo_office, Subject=name) for name in ("a", "b", "c")]
    assert await found(demo_office) == [third, second, first]

    await change(demo_office, first, Priority="Low")

    assert await found(demo_office) == [first, third, second]
    assert await found(demo_office, limit=2, page=2) == [second]


async def test_status_and_priority_narrow_the_list(demo_office: Office) -> None:
    low, high, urgent = [await open_ticket(demo_office, Priority=priority) for priority in ("Low", "High", "Urgent")]
    await change(demo_office, low, Status="In Progress")
    await change(demo_office, urgent, Status="Closed")

    assert await found(demo_office, status="In Progress") == [low]
    assert await found(demo_office, status=["Open", "Closed"]) == [urgent, high]
    assert await found(demo_office, priority=["Low", "Urgent"], status="Closed") == [urgent]


@pytest.mark.parametrize(
    ("search", "is_found"),
    [
        ("LABELS", True),
        ("print bl", True),
        ("this morning", True),
        ("hardware", True),
        ("100%", True),
        ("a_b", True),
        ("axb", False),
        ("1000%", False),
        ("\\", False),
        ("%", True),
        ("missing", False),
    ],
)
async def test_a_ticket_is_found_by_what_it_says(demo_office: Office, search: str, is_found: bool) -> None:
    ticket_id = await open_ticket(demo_office, Description="Since this morning: 100% of a_b.")
    await open_ticket(demo_office, Subject="Other", Description="Else", Category="Else")

    assert await found(demo_office, search=search) == ([ticket_id] if is_found else [])
    assert await found(demo_office, search=str(ticket_id)) == [ticket_id]


async def test_a_ticket_of_another_practice_cannot_be_told_from_none(
    demo_office: Office, berlin_office: Office
) -> None:
    foreign = await open_ticket(berlin_office)
    assert await found(demo_office) == []

    asked: tuple[Callable[[int], Awaitable[httpx.Response]], ...] = (
        lambda number: demo_office.partner.get(f"/ticket/{number}"),
        lambda number: demo_office.partner.put(f"/ticket/{number}", json={"Status": "Closed"}),
        lambda number: demo_office.partner.put(f"/ticket/{number}", json={}, headers={"If-Match": '"1"'}),
        lambda number: demo_office.partner.post(
            f"/tickets/{number}/comment", json={"Comment": "Hello", "Author": "Me"}
        ),
    )
    for ask in asked:
        theirs, none = await ask(foreign), await ask(2**62)
        assert theirs.status_code == none.status_code == 404
        assert theirs.json() | {"requestId": ""} == none.json() | {"requestId": ""}
    assert await demo_office.log() == []
    assert (await berlin_office.partner.get(f"/ticket/{foreign}")).json()["data"]["Comments"] == []


@pytest.mark.parametrize(
    "parameters", [{"status": "open"}, {"priority": "Highest"}, {"page": 0}, {"state": "Open"}, {"search": "x" * 201}]
)
async def test_a_bad_question_is_refused(demo_office: Office, parameters: dict[str, Any]) -> None:
    assert (await demo_office.partner.get("/tickets", params=parameters)).status_code == 400


async def test_the_scope_is_named_when_it_is_missing(demo_office: Office) -> None:
    for answer in (
        await demo_office.newcomer.get("/tickets"),
        await demo_office.newcomer.post("/tickets", json={"Subject": "x"}),
        await demo_office.newcomer.get("/ticket/1"),
        await demo_office.newcomer.put("/ticket/1", json={}),
        await demo_office.newcomer.post("/tickets/1/comment", json={"Comment": "x", "Author": "y"}),
    ):
        assert (answer.status_code, answer.json()["scope"]) == (403, "Tickets")
