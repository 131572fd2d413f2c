"""PUT /v1/{PPass}/ticket/{id}"""

import asyncio

import pytest

from tests.tickets.desk import LABELS, change, open_ticket, whole
from tests.world import Office

WRITERS = 32


async def test_what_is_sent_is_changed_and_becomes_history(demo_office: Office) -> None:
    ticket_id = await open_ticket(demo_office)
    answer = await change(demo_office, ticket_id, Status="In Progress", Priority="Urgent")

    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == '"2"'
    data = answer.json()["data"]
    assert data == data | LABELS | {"Status": "In Progress", "Priority": "Urgent"}
    assert [(one["Version"], one["Field"], one["From"], one["To"]) for one in data["History"]] == [
        (2, "Status", "Open", "In Progress"),
        (2, "Priority", "High", "Urgent"),
    ]
    assert await whole(demo_office, ticket_id) == data
    assert [row["event"] for row in await demo_office.log()] == ["ticket.created", "ticket.updated"]


async def test_what_is_as_it_was_is_no_change(demo_office: Office) -> None:
    ticket_id = await open_ticket(demo_office)
    answer = await change(demo_office, ticket_id, Status="Open", Subject=LABELS["Subject"])

    assert (answer.status_code, answer.headers["ETag"], answer.json()["data"]["History"]) == (200, '"1"', [])
    assert len(await demo_office.log()) == 1


async def test_a_status_that_cannot_follow_is_refused_with_those_that_can(demo_office: Office) -> None:
    ticket_id = await open_ticket(demo_office)
    await change(demo_office, ticket_id, Status="Closed")
    answer = await change(demo_office, ticket_id, Status="In Progress", Priority="Low")

    assert (answer.status_code, answer.json()["code"]) == (409, "ticket_state_cannot_follow")
    assert answer.json()["allowed"] == ["Open"]
    assert "Status Closed cannot change to In Progress" in answer.json()["detail"]
    after = await whole(demo_office, ticket_id)
    assert (after["Status"], after["Priority"], len(after["History"])) == ("Closed", "High", 1)
    assert (await change(demo_office, ticket_id, Status="Open")).status_code == 200


async def test_a_ticket_that_changed_meanwhile_is_refused_with_its_etag(demo_office: Office) -> None:
    ticket_id = await open_ticket(demo_office)
    await demo_office.partner.post(f"/tickets/{ticket_id}/comment", json={"Comment": "Hello", "Author": "Me"})

    answer = await change(demo_office, ticket_id, etag='"1"', Status="Closed")

    assert (answer.status_code, answer.json()["code"], answer.headers["ETag"]) == (412, "stale_version", '"2"')
    assert (await change(demo_office, ticket_id, etag='"2"', Status="Closed")).status_code == 200


async def test_no_update_is_lost_among_writers_with_if_match(demo_office: Office) -> None:
    ticket_id = await open_ticket(demo_office)

    async def write(number: int) -> str | None:
        """Tries, from what it has read, until it is through; what it wrote."""
        for attempt in range(4):
            read = await demo_office.partner.get(f"/ticket/{ticket_id}")
            subject = f"{number}.{attempt}"
            answer = await change(demo_office, ticket_id, etag=read.headers["ETag"], Subject=subject)
            if answer.status_code == 200:
                return subject
            assert answer.status_code == 412, answer.text
        return None

    written = [subject for subject in await asyncio.gather(*map(write, range(WRITERS))) if subject is not None]

    after = await whole(demo_office, ticket_id)
    assert sorted(one["To"] for one in after["History"]) == sorted(written)
    assert [one["From"] for one in after["History"][1:]] == [one["To"] for one in after["History"][:-1]]
    assert after["Subject"] == after["History"][-1]["To"]
    assert len(await demo_office.log()) == 1 + len(written)


@pytest.mark.parametrize(
    ("field", "value"),
    [("Status", "Done"), ("Subject", ""), ("Author", "Me"), ("Description", None), ("Category", "x" * 101)],
)
async def test_a_bad_change_is_refused(demo_office: Office, field: str, value: str | None) -> None:
    answer = await change(demo_office, await open_ticket(demo_office), **{field: value})

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == [f"body.{field}"]
