"""Rate limits: a generic cell rate algorithm whose bound holds over all processes of a machine."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from officepro.access import limits
from officepro.access.limits import Limit, Limiter, network_of
from officepro.app import create_inner_app
from officepro.door import Door
from officepro.foundation.secrets import make_api_key
from officepro.settings import Settings
from tests.access.visitors import visitor_from
from tests.conftest import alive
from tests.portal.test_pages import log_in
from tests.world import BASE_URL, Office

WRONG = make_api_key(10**12)
TEN = Limit("ten a minute", 10)
NOON = 1_773_057_600.0


@pytest.fixture
def limiter(tmp_path: Path) -> Iterator[Limiter]:
    limiter = Limiter(tmp_path / "limits.bin")
    yield limiter
    limiter.close()


def allowed(limiter: Limiter, how_often: int, now: float, limit: Limit = TEN, subject: str = "key 1") -> int:
    return sum(limiter.spend(limit, subject, now).allowed for _ in range(how_often))


def test_the_whole_amount_may_come_at_once_and_then_one_each_interval(limiter: Limiter) -> None:
    assert allowed(limiter, 25, NOON) == 10
    assert allowed(limiter, 5, NOON + 5.9) == 0
    assert allowed(limiter, 5, NOON + 6.0) == 1
    assert allowed(limiter, 25, NOON + 6.0 + 60.0) == 10


def test_a_subject_knows_how_it_stands(limiter: Limiter) -> None:
    first = limiter.spend(TEN, "key 1", NOON)
    assert (first.limit, first.remaining, first.reset_seconds, first.retry_after_seconds) == (10, 9, 6, 0)
    allowed(limiter, 9, NOON)
    refused = limiter.spend(TEN, "key 1", NOON)
    assert (refused.allowed, refused.remaining, refused.reset_seconds, refused.retry_after_seconds) == (False, 0, 60, 6)
    assert limiter.spend(TEN, "key 1", NOON + refused.retry_after_seconds).allowed


def test_an_address_is_counted_by_the_network_that_one_customer_has() -> None:
    assert network_of("192.0.2.7") == network_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8:0:7::1") == network_of("2001:db8:0:7:ffff::9") == "2001:db8:0:7::"
    assert network_of("2001:db8:0:8::1") != network_of("2001:db8:0:7::1")
    assert [network_of(text) for text in ("", "unix:socket", "fe80::1%eth0")] == ["", "unix:socket", "fe80::"]


async def test_failures_from_all_over_one_network_are_counted_together(demo_office: Office) -> None:
    async def attempt(host: str) -> int:
        transport = httpx.ASGITransport(app=demo_office.house.app, client=(host, 50_000))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as stranger:
            return (await stranger.post(f"{demo_office.path}/auth/token", json={"apiKey": WRONG})).status_code

    assert [await attempt(f"2001:db8:5::{number:x}") for number in range(1, 14)] == [401] * 10 + [429] * 3
    assert await attempt("2001:db8:5:1::1") == 401  # the neighbour's network


@pytest.mark.parametrize("door", ["the portal's login", "the exchange of keys", "the admin API"])
async def test_every_door_where_secrets_are_tried_is_shut_after_ten_failures_and_to_that_address_alone(
    demo_office: Office, door: str
) -> None:
    async def attempt(visitor: httpx.AsyncClient) -> int:
        if door == "the portal's login":
            return (await log_in(visitor, "guessed")).status_code
        if door == "the exchange of keys":
            return (await visitor.post(f"{demo_office.path}/auth/token", json={"apiKey": WRONG})).status_code
        return (await visitor.get("/v1/admin/overview", headers={"X-Admin-Secret": "guessed"})).status_code

    async with visitor_from(demo_office.house) as visitor, visitor_from(demo_office.house) as another:
        assert [await attempt(visitor) for _ in range(13)] == [401] * 10 + [429] * 3
        assert await attempt(another) == 401


def test_looking_takes_nothing(limiter: Limiter) -> None:
    for _ in range(50):
        assert limiter.look(TEN, "key 1", NOON).remaining == 10
    assert allowed(limiter, 25, NOON) == 10


def test_subjects_and_limits_do_not_share(limiter: Limiter) -> None:
    assert allowed(limiter, 25, NOON, subject="key 1") == 10
    assert allowed(limiter, 25, NOON, subject="key 2") == 10
    assert allowed(limiter, 25, NOON, limit=Limit("three", 3), subject="key 1") == 3


@given(steps=st.lists(st.floats(0, 20), min_size=1, max_size=60), amount=st.integers(1, 20))
def test_no_window_ever_lets_through_more_than_twice_and_no_long_run_more_than_the_rate(
    tmp_path_factory: pytest.TempPathFactory, steps: list[float], amount: int
) -> None:
    limiter = Limiter(tmp_path_factory.getbasetemp() / "property.bin")
    try:
        limit, now, granted = Limit(str(steps), amount), NOON, []
        for step in steps:
            now += step
            if limiter.spend(limit, "subject", now).allowed:
                granted.append(now)
        # Between any two grants: at most a full bucket, and what was replenished since.
        for index, start in enumerate(granted):
            for later, end in enumerate(granted[index:], start=1):
                assert later <= amount + (end - start) / limit.interval + 1
    finally:
        limiter.close()


def test_a_clock_that_jumps_back_locks_nobody_out_for_longer_than_a_window(limiter: Limiter) -> None:
    assert allowed(limiter, 25, NOON + 86_400) == 10
    # The clock was a day fast and is corrected.
    assert allowed(limiter, 5, NOON) == 0
    assert allowed(limiter, 5, NOON + 6) == 1
    assert allowed(limiter, 25, NOON + 6 + 60) == 10


def test_a_clock_that_jumps_back_locks_nobody_out_who_is_only_looked_at(limiter: Limiter) -> None:
    allowed(limiter, 25, NOON + 86_400)
    assert not limiter.look(TEN, "key 1", NOON).allowed
    assert limiter.look(TEN, "key 1", NOON + 6).allowed


def test_a_clock_a_little_behind_gives_no_more_than_the_limit(limiter: Limiter) -> None:
    """Processes read the clock before they take the lock, so the times of two may arrive in the wrong order."""
    assert sum(allowed(limiter, 1, NOON - 0.001 * (number % 3)) for number in range(50)) == 10


SPEND = f"""
import pathlib, sys, time
from officepro.access.limits import Limit, Limiter
limiter, limit = Limiter(pathlib.Path(sys.argv[1])), Limit("shared", 15_360)  # of 2⁻⁸ s each: nothing is rounded
while time.time() < float(sys.argv[2]):
    pass
sys.stdout.write(str(sum(limiter.spend(limit, "one", {NOON}).allowed for _ in range(12_000))))
"""


def test_processes_that_spend_at_the_same_moment_share_the_bound(tmp_path: Path) -> None:
    start = str(time.time() + 1.0)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SPEND, str(tmp_path / "limits.bin"), start], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    granted = [int(process.communicate(timeout=60)[0]) for process in processes]

    assert sum(granted) == 15_360


def test_a_crowded_file_forgets_the_one_who_is_least_in_debt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SLOTS", limits.PROBES + 1)  # all subjects share the same eight slots
    limiter = Limiter(tmp_path / "limits.bin")
    try:
        allowed(limiter, 25, NOON, subject="in debt")
        for number in range(100):
            assert limiter.spend(TEN, f"passer-by {number}", NOON).allowed
        assert not limiter.look(TEN, "in debt", NOON).allowed
    finally:
        limiter.close()


async def test_a_key_that_has_used_up_its_requests_is_told_when_to_come_back(
    demo_office: Office, settings: Settings
) -> None:
    app = create_inner_app(settings.but(rate_limit_per_minute="5"))
    async with alive(app), visitor_from(demo_office.house, Door(app)) as caller:
        bearer = {"Authorization": demo_office.partner.headers["Authorization"]}
        answers = [await caller.get(f"{demo_office.path}/tags", headers=bearer) for _ in range(7)]
        neighbour = await caller.get(
            f"{demo_office.path}/tags", headers={"Authorization": demo_office.newcomer.headers["Authorization"]}
        )

    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"5"}
    assert answers[-1].json()["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 12
    assert int(answers[-1].headers["RateLimit-Reset"]) <= 60
    assert neighbour.status_code == 200


async def test_a_limit_costs_no_question_to_the_database(
    demo_office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a cached key, a request queries its record and nothing else, with or without a limit."""
    asked: dict[str, list[str]] = {}
    for limit in ("0", "1000"):
        app = create_inner_app(settings.but(rate_limit_per_minute=limit))
        async with alive(app), visitor_from(demo_office.house, Door(app)) as caller:
            bearer = {"Authorization": demo_office.partner.headers["Authorization"]}
            await caller.get(f"{demo_office.path}/tags", headers=bearer)
            with monkeypatch.context() as patched:
                asked[limit] = listen(patched)
                answer = await caller.get(f"{demo_office.path}/tags", headers=bearer)
        assert (answer.status_code, "RateLimit-Limit" in answer.headers) == (200, limit != "0")

    assert asked["1000"] == asked["0"]
    of_transactions = ("BEGIN;", "COMMIT")  # behind a pooler
    assert len([one for one in asked["0"] if not one.startswith(of_transactions)]) == 1, asked


def listen(patched: pytest.MonkeyPatch) -> list[str]:
    """Record the application's queries from now on."""
    heard: list[str] = []
    for name in ("execute", "fetch", "fetchrow", "fetchval"):
        original = getattr(asyncpg.Connection, name)

        async def ask(connection: object, query: str, *arguments: object, _original: Any = original) -> object:
            heard.append(query)
            return await _original(connection, query, *arguments)

        patched.setattr(asyncpg.Connection, name, ask)
    return heard
