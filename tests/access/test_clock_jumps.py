"""Clock jumps: no request is wrongly authorized, no client is locked out for good, and stored data stay valid."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from officepro.foundation import clock
from tests.access.visitors import visitor_from
from tests.world import Office

Jump = Callable[[float], None]


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Jump:
    """Move the process's clock by so many hours; the monotonic clock is unchanged."""
    true_time, true_now = time.time, clock.now

    def jump(hours: float) -> None:
        monkeypatch.setattr(time, "time", lambda: true_time() + hours * 3600)
        monkeypatch.setattr(clock, "now", lambda: true_now() + timedelta(hours=hours))

    return jump


async def token_of(office: Office, who: str = "partner") -> str:
    async with visitor_from(office.house) as caller:
        answer = await caller.post(f"{office.path}/auth/token", json={"apiKey": office.keys[who]})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["accessToken"])


async def status_of(office: Office, token: str) -> int:
    async with visitor_from(office.house) as caller:
        return (await caller.get(f"{office.path}/tags", headers={"Authorization": f"Bearer {token}"})).status_code


@pytest.mark.parametrize("hours", [-48, -1, 1, 23, 25, 24 * 400])
async def test_a_token_holds_as_long_as_its_clock_says_and_a_new_one_always(
    demo_office: Office, jump: Jump, hours: float
) -> None:
    before = await token_of(demo_office)
    jump(hours)

    assert await status_of(demo_office, before) == (200 if hours < 24 else 401)
    assert await status_of(demo_office, await token_of(demo_office)) == 200


async def test_a_token_of_a_clock_that_was_fast_ends_by_the_right_one(demo_office: Office, jump: Jump) -> None:
    jump(24 * 30)
    given_in_a_month = await token_of(demo_office)
    jump(0)
    assert await status_of(demo_office, given_in_a_month) == 200
    jump(24 * 31 + 1)
    assert await status_of(demo_office, given_in_a_month) == 401


@pytest.mark.parametrize("hours", [-48, 48])
async def test_a_revoked_key_stops_as_soon_as_ever(
    demo_office: Office, jump: Jump, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The age of cached key states is measured by the monotonic clock, which cannot be set."""
    token = await token_of(demo_office, "newcomer")
    assert await status_of(demo_office, token) == 200
    jump(hours)
    token = await token_of(demo_office, "newcomer")
    assert await status_of(demo_office, token) == 200
    await demo_office.house.owner.execute(
        "UPDATE api_key SET revoked_at = now() WHERE practice_id = $1", demo_office.practice_id
    )
    true_monotonic = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: true_monotonic() + 3.5)

    assert await status_of(demo_office, token) == 401


@pytest.mark.parametrize("hours", [-48, 48])
async def test_what_is_written_bears_the_database_s_time(demo_office: Office, jump: Jump, hours: float) -> None:
    jump(hours)
    token = await token_of(demo_office)
    async with visitor_from(demo_office.house) as caller:
        bearer = {"Authorization": f"Bearer {token}"}
        made = await caller.post(f"{demo_office.path}/prospects", json={"FirstName": "Grace"}, headers=bearer)

    created_at = datetime.fromisoformat(made.json()["data"]["CreatedAt"].replace("Z", "+00:00"))
    assert abs((created_at - datetime.now(UTC)).total_seconds()) < 60
