"""Only wrong guesses are counted, separately for each place; a valid credential is accepted in any case."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from officepro.access import gate, queries
from officepro.access.limits import Limit, Limiter
from officepro.access.scopes import EVERY_SCOPE
from officepro.foundation.database import Connection
from officepro.foundation.secrets import key_id_of, make_api_key
from tests.access.visitors import visitor_from
from tests.portal.test_pages import log_in
from tests.world import House, Office, issue_token, make_key

MANY = 15  # more than the ten wrong secrets a minute that are answered 401


@pytest.fixture
async def visitor(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client at an address of its own."""
    async with visitor_from(house) as visitor:
        yield visitor


async def exchange(visitor: httpx.AsyncClient, practicepass: str, api_key: str) -> httpx.Response:
    return await visitor.post(f"/v1/{practicepass}/auth/token", json={"apiKey": api_key})


def wrong(api_key: str) -> str:
    """Return another secret for the same key id."""
    return make_api_key(key_id_of(api_key) or 0)


def codes(answers: Sequence[httpx.Response]) -> list[tuple[int, str]]:
    return [(answer.status_code, answer.json().get("code", "")) for answer in answers]


async def test_after_ten_wrong_secrets_for_a_key_wrong_ones_have_to_wait_and_valid_keys_do_not(
    demo_office: Office, visitor: httpx.AsyncClient, house: House
) -> None:
    key, practicepass = demo_office.keys["partner"], demo_office.practicepass
    refusals = [await exchange(visitor, practicepass, wrong(key)) for _ in range(10)]
    assert codes(refusals) == [(401, "invalid_api_key")] * 10

    limited = await exchange(visitor, practicepass, wrong(key))
    assert codes([limited]) == [(429, "too_many_failures")]
    assert 1 <= int(limited.headers["Retry-After"]) <= 60
    assert (await exchange(visitor, practicepass, key)).status_code == 200
    assert (await exchange(visitor, practicepass, demo_office.keys["newcomer"])).status_code == 200
    assert codes([await exchange(visitor, practicepass, wrong(demo_office.keys["newcomer"]))])[0][0] == 401
    async with visitor_from(house) as neighbour:
        assert codes([await exchange(neighbour, practicepass, wrong(key))])[0][0] == 401


async def test_unknown_key_ids_are_limited_as_known_ones_are(demo_office: Office, visitor: httpx.AsyncClient) -> None:
    unknown = 987_654_321
    answers = [await exchange(visitor, demo_office.practicepass, make_api_key(unknown)) for _ in range(11)]

    assert codes(answers) == [(401, "invalid_api_key")] * 10 + [(429, "too_many_failures")]


async def test_right_keys_that_do_not_open_are_no_guesses(
    demo_office: Office, berlin_office: Office, visitor: httpx.AsyncClient
) -> None:
    right, practicepass = demo_office.keys["partner"], demo_office.practicepass
    for where, key in (
        (practicepass.swapcase(), right),
        ("NoSuchOffice", right),
        (berlin_office.practicepass, right),
        (practicepass, demo_office.keys["revoked"]),
    ):
        answers = [await exchange(visitor, where, key) for _ in range(MANY)]
        assert codes(answers) == [(401, "invalid_api_key")] * MANY, where


async def test_expired_tokens_and_those_of_ended_keys_are_no_guesses(
    demo_office: Office, visitor: httpx.AsyncClient
) -> None:
    for who, expires_at in (("partner", time.time() - 1), ("revoked", time.time() + 3600)):
        token = await issue_token(demo_office, who, expires_at)
        bearer = {"Authorization": f"Bearer {token}"}
        answers = [await visitor.get(f"{demo_office.path}/tags", headers=bearer) for _ in range(MANY)]
        assert codes(answers) == [(401, "invalid_token")] * MANY, who


async def test_an_api_key_in_place_of_a_token_is_explained_and_no_guess(
    demo_office: Office, visitor: httpx.AsyncClient
) -> None:
    for key in (demo_office.keys["partner"], make_api_key(7), "opk_mistyped"):
        bearer = {"Authorization": f"Bearer {key}"}
        answers = [await visitor.get(f"{demo_office.path}/tags", headers=bearer) for _ in range(MANY)]
        assert codes(answers) == [(401, "invalid_token")] * MANY
        assert "This is an API key" in answers[0].json()["detail"]
        assert "POST /v1/{PPass}/auth/token" in answers[0].json()["detail"]
        assert key not in answers[0].text


async def test_each_place_counts_for_itself_and_bounds_what_comes_from_an_address(
    demo_office: Office, visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With six credentials a minute instead of 600, of any form, at each place."""
    for limits in (gate.AT_EXCHANGE, gate.AT_SIGN_IN, gate.AT_ADMIN_API, gate.AT_PARTNER_API):
        monkeypatch.setattr(limits, "per_address", Limit(f"six: {limits.per_address.name}", 6))

    async def use_token(token: str) -> httpx.Response:
        return await visitor.get(f"{demo_office.path}/tags", headers={"Authorization": f"Bearer {token}"})

    async def be_admin(secret: str) -> httpx.Response:
        return await visitor.get("/v1/admin/keys", headers={"X-Admin-Secret": secret})

    async def sign_in(secret: str) -> httpx.Response:
        return await log_in(visitor, secret)

    async def exchange_here(key: str) -> httpx.Response:
        return await exchange(visitor, demo_office.practicepass, key)

    forged = (await demo_office.token())[:-4] + "AAAA"
    statuses = {
        "exchange, malformed": [(await exchange_here("your_api_key_here")).status_code for _ in range(3)],
        "exchange, each key id once": [(await exchange_here(make_api_key(10**9 + n))).status_code for n in range(4)],
        "token": [(await use_token(forged)).status_code for _ in range(7)],
        "admin": [(await be_admin("guess")).status_code for _ in range(7)],
        "portal": [(await sign_in(guess)).status_code for guess in [*["guess"] * 6, make_api_key(10**9)]],
    }

    assert statuses == {
        "exchange, malformed": [401] * 3,
        "exchange, each key id once": [401] * 3 + [429],
        "token": [401] * 6 + [429],
        "admin": [401] * 6 + [429],
        "portal": [401] * 6 + [429],
    }
    assert (await exchange_here(demo_office.keys["partner"])).status_code == 200
    assert (await use_token(await demo_office.token())).status_code == 200
    assert (await be_admin(demo_office.house.settings.admin_secret)).status_code == 200
    for secret in (demo_office.keys["partner"], demo_office.house.settings.admin_secret):
        assert "set-cookie" in (await sign_in(secret)).headers


async def test_what_one_limit_refuses_does_not_use_up_the_other(
    demo_office: Office, visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that repeats one wrong key does not prevent 401 responses to others at its address."""
    monkeypatch.setattr(gate.AT_EXCHANGE, "per_address", Limit("twelve: at exchange", 12))
    forgotten = make_api_key(10**9 + 77)
    for _ in range(50):
        await exchange(visitor, demo_office.practicepass, forgotten)

    assert codes([await exchange(visitor, demo_office.practicepass, make_api_key(10**9 + 78))])[0][0] == 401


async def test_one_ipv6_host_does_not_lock_out_its_network(demo_office: Office, house: House) -> None:
    def at(address: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=house.app, client=(address, 50_000))  # type: ignore[arg-type]
        return httpx.AsyncClient(transport=transport, base_url="http://officepro.test")

    key = demo_office.keys["partner"]
    async with at("2001:db8:7::1") as guesser, at("2001:db8:7::2") as neighbour:
        answers = [await exchange(guesser, demo_office.practicepass, wrong(key)) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
        assert (await exchange(neighbour, demo_office.practicepass, wrong(key))).status_code == 429  # one customer
        assert (await exchange(neighbour, demo_office.practicepass, key)).status_code == 200


async def test_success_is_not_counted(demo_office: Office, visitor: httpx.AsyncClient) -> None:
    for _ in range(MANY):
        answer = await exchange(visitor, demo_office.practicepass, demo_office.keys["partner"])
        assert answer.status_code == 200


async def test_a_flood_of_wrong_keys_costs_few_statements_and_malformed_ones_none(
    demo_office: Office, visitor: httpx.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[int] = []
    really = queries.credentials

    async def counted(db: Connection, asked: Sequence[tuple[int, str]]) -> Any:
        statements.append(len(asked))
        await asyncio.sleep(0.005)  # a round trip
        return await really(db, asked)

    monkeypatch.setattr(queries, "credentials", counted)
    malformed = demo_office.keys["partner"][:-1] + "~"
    assert (await exchange(visitor, demo_office.practicepass, malformed)).status_code == 401
    assert statements == []

    guesses = [exchange(visitor, demo_office.practicepass, make_api_key(10**9 + n)) for n in range(48)]
    async with visitor_from(house) as valid:
        answers = await asyncio.gather(*guesses, exchange(valid, demo_office.practicepass, demo_office.keys["partner"]))

    assert [answer.status_code for answer in answers] == [401] * 48 + [200]
    assert sum(statements) == 49
    assert len(statements) <= 10


async def test_wrong_guesses_are_counted_over_all_processes_of_the_machine(tmp_path: Path) -> None:
    one, other = Limiter(tmp_path / "limits.bin"), Limiter(tmp_path / "limits.bin")
    limit = gate.AT_EXCHANGE.per_secret
    try:
        for number in range(limit.amount):
            limiter = one if number % 2 else other
            assert limiter.spend(limit, "192.0.2.99 7").allowed
        assert not one.look(limit, "192.0.2.99 7").allowed
        assert not other.look(limit, "192.0.2.99 7").allowed
    finally:
        one.close()
        other.close()


async def test_limited_guesses_are_a_figure(demo_office: Office, visitor: httpx.AsyncClient, house: House) -> None:
    async def limited() -> float:
        text = (await house.stranger.get("/metrics")).text
        [line] = [line for line in text.splitlines() if line.startswith("officepro_wrong_credentials_limited_total ")]
        return float(line.split()[1])

    before = await limited()
    for _ in range(12):
        await exchange(visitor, demo_office.practicepass, make_api_key(10**9 + 5))
    for _ in range(11):
        await log_in(visitor, "guess")

    assert await limited() == before + 3


async def test_a_key_of_a_chain_is_counted_once_for_all_practices(
    demo_office: Office, berlin_office: Office, visitor: httpx.AsyncClient, house: House
) -> None:
    chain = wrong(await make_key(house, "a chain", EVERY_SCOPE, None))
    answers = [await exchange(visitor, office.practicepass, chain) for office in [demo_office, berlin_office] * 6]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
