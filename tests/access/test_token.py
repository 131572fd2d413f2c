"""POST /v1/{PPass}/auth/token: exchange of a key for a token; every fault is refused with the same message."""

from collections.abc import AsyncIterator

import httpx
import pytest

from officepro.access.scopes import EVERY_SCOPE
from officepro.foundation.secrets import make_api_key
from tests.access.visitors import visitor_from
from tests.world import House, Office, make_key


@pytest.fixture
async def visitor(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client at an address of its own, whose failures are counted separately."""
    async with visitor_from(house) as visitor:
        yield visitor


async def exchange(visitor: httpx.AsyncClient, practicepass: str, api_key: str) -> httpx.Response:
    return await visitor.post(f"/v1/{practicepass}/auth/token", json={"apiKey": api_key})


def without_request_id(answer: httpx.Response) -> bytes:
    return answer.content.replace(answer.headers["X-Request-Id"].encode(), b"")


async def test_a_key_is_exchanged_for_a_token_as_the_seeds_show_it(
    demo_office: Office, visitor: httpx.AsyncClient
) -> None:
    answer = await exchange(visitor, demo_office.practicepass, demo_office.keys["partner"])

    assert answer.status_code == 200
    assert list(answer.json()) == ["accessToken", "tokenType", "expiresIn"]
    assert answer.json()["tokenType"] == "Bearer"
    assert answer.json()["expiresIn"] == "24h"
    assert answer.json()["accessToken"].startswith("eyJhbGciOiJIUzI1NiIs")  # as in the specification's example
    assert answer.headers["Cache-Control"] == "no-store"

    bearer = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
    assert (await visitor.get(f"{demo_office.path}/tags", headers=bearer)).status_code == 200


async def test_whatever_is_wrong_the_refusal_is_the_same_to_the_byte(
    demo_office: Office, berlin_office: Office, house: House
) -> None:
    right, practicepass = demo_office.keys["partner"], demo_office.practicepass
    wrong_random = make_api_key(int(right.split("_")[1]))
    expired = await make_key(house, "expired", EVERY_SCOPE, demo_office.practice_id)
    await house.owner.execute(
        "UPDATE api_key SET expires_at = now() - interval '1 second' WHERE api_key_id = $1", int(expired.split("_")[1])
    )
    attempts = {
        "wrong key": (practicepass, wrong_random),
        "no such key": (practicepass, make_api_key(987_654_321)),
        "revoked": (practicepass, demo_office.keys["revoked"]),
        "expired": (practicepass, expired),
        "another practice's key": (practicepass, berlin_office.keys["partner"]),
        "unknown practice": ("NoSuchOffice", right),
        "one letter's case": (practicepass.swapcase(), right),
        "NUL in the address": (practicepass + "%00", right),
        "only NUL": ("%00", right),
        "a lone surrogate": ("%ED%A0%80", right),
        "not UTF-8": ("%FF%FE", right),
        "an emoji": ("%F0%9F%98%80", right),
        "a quote": ("a'%20OR%20'1'='1", right),
        "a right-to-left mark": ("%E2%80%8F", right),
        "very long": ("x" * 300, right),
        "a typo in the key": (practicepass, right[:-1] + ("x" if right[-1] != "x" else "y")),
        "no key at all": (practicepass, "your_api_key_here"),
        "a key with NUL": (practicepass, right + "\x00"),
        "an id beyond all bounds": (practicepass, "opk_9" + "9" * 30 + "_" + "a" * 32 + "_aaaaaa"),
        "not ASCII": (practicepass, "schlüssel"),
    }
    answers = {}
    for name, (where, api_key) in attempts.items():
        async with visitor_from(house) as visitor:
            answers[name] = await exchange(visitor, where, api_key)

    first = answers["wrong key"]
    assert first.status_code == 401
    assert first.json()["code"] == "invalid_api_key"
    assert first.headers["WWW-Authenticate"] == "Bearer"
    for name, answer in answers.items():
        assert answer.status_code == 401, name
        assert without_request_id(answer) == without_request_id(first), name
        assert sorted(answer.headers) == sorted(first.headers), name


@pytest.mark.parametrize("body", [{}, {"apiKey": ""}, {"apiKey": 7}, {"apiKey": None}, {"apiKey": "x" * 256}])
async def test_a_body_without_a_key_is_a_fault_of_the_body(
    demo_office: Office, visitor: httpx.AsyncClient, body: object
) -> None:
    answer = await visitor.post(f"{demo_office.path}/auth/token", json=body)

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == ["body.apiKey"]


async def test_a_key_for_all_practices_works_in_each_and_its_tokens_in_one(
    demo_office: Office, berlin_office: Office, house: House, visitor: httpx.AsyncClient
) -> None:
    chain = await make_key(house, "a chain of offices", EVERY_SCOPE, None)
    tokens = {}
    for office in (demo_office, berlin_office):
        answer = await exchange(visitor, office.practicepass, chain)
        tokens[office.practicepass] = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
        assert (await visitor.get(f"{office.path}/tags", headers=tokens[office.practicepass])).status_code == 200

    elsewhere = await visitor.get(f"{berlin_office.path}/tags", headers=tokens[demo_office.practicepass])
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "another_practice")


async def test_a_closed_practice_gives_no_tokens(demo_office: Office, visitor: httpx.AsyncClient) -> None:
    await demo_office.house.owner.execute(
        "UPDATE practice SET active = false WHERE practice_id = $1", demo_office.practice_id
    )
    answer = await exchange(visitor, demo_office.practicepass, demo_office.keys["partner"])

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")
