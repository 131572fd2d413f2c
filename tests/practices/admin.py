"""What the tests of the set-up ask for again and again."""

from typing import Any

import httpx

from tests.world import Office


def path(office: Office, rest: str) -> str:
    return f"/v1/admin/{office.practicepass}{rest}"


async def put(office: Office, rest: str, items: list[dict[str, Any]]) -> httpx.Response:
    return await office.house.admin.put(path(office, rest), json=items)


async def shown(office: Office, rest: str) -> list[dict[str, Any]]:
    answer = await office.house.admin.get(path(office, rest))
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    assert answer.json()["count"] == len(data)
    return data


async def version(office: Office) -> int:
    found: int = await office.house.owner.fetchval(
        "SELECT version FROM practice_setup WHERE practice_id = $1", office.practice_id
    )
    return found


def faults(answer: httpx.Response) -> dict[str, str]:
    """What is wrong, by place."""
    return {fault["location"]: fault["message"] for fault in answer.json()["errors"]}
