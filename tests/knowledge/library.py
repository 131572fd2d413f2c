"""Articles for the tests. They are global, so each is recognised by a word of its own."""

import itertools
from typing import Any

import httpx

from tests.world import House

_words = itertools.count(1)

WORKFLOW = {
    "Title": "Insurance Verification Workflow",
    "Article": "Step-by-step process...",
    "Category": "Billing",
    "Type": "HowTo",
    "Tags": "insurance, verification",
}


def own_word() -> str:
    return f"zyx{next(_words)}qy{id(object()) % 9973}"


async def write(house: House, **changes: Any) -> httpx.Response:
    return await house.admin.post("/v1/admin/kb", json=WORKFLOW | changes)


async def article(house: House, **changes: Any) -> int:
    answer = await write(house, **changes)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["data"]["KBID"])
