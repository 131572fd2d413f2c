"""Common steps of the webhook tests."""

import asyncio
from collections.abc import Callable
from typing import Any

from officepro.access.scopes import EVERY_SCOPE
from tests.webhooks.receivers import Receiver
from tests.world import BASE_URL, Office, client, make_key

EVERY_EVENT = ["Patients", "Encounters", "Claims", "Payments", "Documents"]


async def sign_up(office: Office, receiver: Receiver, scopes: list[str] | None = None, who: str = "partner") -> Any:
    """Create a subscription and return the response's `data`. The receiver verifies signatures from now on."""
    if who not in office.keys:
        await befriend(office, who)
    caller = office.partner_global if who == "partner" else getattr(office, f"{who}_global")
    answer = await caller.post("/webhooks/signup", json={"hookUrl": receiver.url, "scopes": scopes or EVERY_EVENT})
    assert answer.status_code in (200, 201), answer.text
    data = answer.json()["data"]
    receiver.secret = data.get("secret", receiver.secret)
    return data


async def befriend(office: Office, who: str, *, everywhere: bool = False) -> None:
    """Add another partner with an API key, for the practice or for all practices."""
    practice_id = None if everywhere else office.practice_id
    office.keys[who] = await make_key(office.house, f"{who} of {office.practicepass}", EVERY_SCOPE, practice_id)
    bearer = {"Authorization": f"Bearer {await office.token(who)}"}
    setattr(office, f"{who}_global", client(office.house.app, BASE_URL + "/v1", bearer))


async def happen(office: Office, how_many: int = 1, scope: str = "Claims", event: str = "claim.paid") -> list[int]:
    """Append events of the EMR and return their log numbers."""
    numbers: list[int] = []
    while len(numbers) < how_many:
        entries = [
            {"Scope": scope, "Event": event, "EntityID": 7, "Data": {"ClaimID": 7}}
            for _ in range(min(100, how_many - len(numbers)))
        ]
        answer = await office.house.admin.post(f"{office.path.replace('/v1', '/v1/admin')}/log", json=entries)
        assert answer.status_code == 201, answer.text
        numbers += [entry["LogID"] for entry in answer.json()["data"]]
    return numbers


async def deliveries(office: Office) -> list[dict[str, Any]]:
    """Return the delivery rows of the practice."""
    rows = await office.house.owner.fetch(
        "SELECT * FROM webhook_delivery WHERE practice_id = $1 ORDER BY delivery_id", office.practice_id
    )
    return [dict(row) for row in rows]


async def recorded(office: Office, how_many: int, seconds: float = 10.0) -> list[dict[str, Any]]:
    """Return the deliveries once `how_many` of them have ended. Needs a running worker."""
    async with asyncio.timeout(seconds):
        while True:
            rows = await deliveries(office)
            if sum(row["state"] not in ("queued", "sending") for row in rows) >= how_many:
                return rows
            await asyncio.sleep(0.02)


async def age(office: Office, seconds: float) -> None:
    """Make due times and leases `seconds` older."""
    await office.house.owner.execute(
        """
        UPDATE webhook_delivery SET due_at = due_at - make_interval(secs => $2)
        WHERE practice_id = $1 AND due_at IS NOT NULL
        """,
        office.practice_id,
        seconds,
    )
    await office.house.owner.execute(
        """
        UPDATE dispatch_state SET next_due_at = least(next_due_at - make_interval(secs => $2),
            (SELECT min(due_at) FROM webhook_delivery WHERE practice_id = $1))
        WHERE practice_id = $1
        """,
        office.practice_id,
        seconds,
    )


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until a condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 -- the condition has no event
            await asyncio.sleep(0.005)
