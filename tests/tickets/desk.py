"""Tickets for the tests."""

from typing import Any

import httpx

from tests.world import Office

LABELS = {
    "Subject": "Labels print blank",
    "Description": "Since this morning.",
    "Priority": "High",
    "Category": "Hardware",
    "Author": "Front Desk",
}


async def open_ticket(office: Office, **changes: Any) -> int:
    answer = await office.partner.post("/tickets", json=LABELS | changes)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["data"]["TicketID"])


async def change(office: Office, ticket_id: int, etag: str | None = None, **fields: Any) -> httpx.Response:
    headers = {} if etag is None else {"If-Match": etag}
    return await office.partner.put(f"/ticket/{ticket_id}", json=fields, headers=headers)


async def whole(office: Office, ticket_id: int) -> dict[str, Any]:
    answer = await office.partner.get(f"/ticket/{ticket_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found
