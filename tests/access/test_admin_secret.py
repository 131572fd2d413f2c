"""X-Admin-Secret: compared in constant time, counted when it is wrong, 401 without it."""

from collections.abc import AsyncIterator

import pytest
from litestar import Router, get

from officepro import routes
from officepro.access.guards import requires_admin
from officepro.app import create_inner_app
from officepro.door import Door
from officepro.settings import Settings
from tests.access.visitors import visitor_from
from tests.conftest import alive
from tests.portal.test_pages import log_in
from tests.world import House

UNUSUAL = "ein Geheimnis mit Umlauten: äöü, ≥ 32 Bytes"


@get("/")
async def behind_the_guard() -> str:
    return "come in"


@pytest.fixture
async def admin_only(house: House, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """Return the application with one route that has only the guard."""
    router = Router("/v1/admin/guarded", guards=[requires_admin], route_handlers=[behind_the_guard])
    monkeypatch.setattr(routes, "ROUTERS", [*routes.ROUTERS, router])
    app = create_inner_app(settings.but(admin_secret=UNUSUAL))
    async with alive(app):
        yield House(Door(app), house.owner, settings, house.admin, house.stranger)


async def test_the_admin_secret_opens(admin_only: House) -> None:
    async with visitor_from(admin_only) as admin:
        answer = await admin.get("/v1/admin/guarded", headers={b"X-Admin-Secret": UNUSUAL.encode()})

    assert answer.status_code == 200


@pytest.mark.parametrize("secret", ["", "wrong", UNUSUAL + " ", UNUSUAL[:-1], UNUSUAL.upper(), "\udcff" * 3])
async def test_a_wrong_one_does_not(admin_only: House, secret: str) -> None:
    async with visitor_from(admin_only) as stranger:
        answer = await stranger.get(
            "/v1/admin/guarded", headers={b"X-Admin-Secret": secret.encode("utf-8", "surrogateescape") + b"x"}
        )

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_admin_secret")
    assert answer.headers["WWW-Authenticate"]


async def test_nor_does_none_and_asking_without_one_is_no_failed_attempt(admin_only: House) -> None:
    async with visitor_from(admin_only) as stranger:
        for _ in range(12):
            answer = await stranger.get("/v1/admin/guarded")
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_admin_secret")
        assert (
            await stranger.get("/v1/admin/guarded", headers={b"X-Admin-Secret": UNUSUAL.encode()})
        ).status_code == 200


async def test_a_partner_s_token_is_no_admin_secret(admin_only: House) -> None:
    async with visitor_from(admin_only) as partner:
        answer = await partner.get("/v1/admin/guarded", headers={b"Authorization": f"Bearer {UNUSUAL}".encode()})

    assert answer.status_code == 401


async def test_after_ten_wrong_ones_a_wrong_one_has_to_wait_and_the_right_one_does_not(admin_only: House) -> None:
    async with visitor_from(admin_only) as guesser:
        for _ in range(10):
            answer = await guesser.get("/v1/admin/guarded", headers={"X-Admin-Secret": "guess"})
            assert answer.status_code == 401
        answer = await guesser.get("/v1/admin/guarded", headers={"X-Admin-Secret": "guess"})
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_failures")
        assert int(answer.headers["Retry-After"]) >= 1
        answer = await guesser.get("/v1/admin/guarded", headers={b"X-Admin-Secret": UNUSUAL.encode()})
        assert answer.status_code == 200


async def test_during_a_rotation_the_previous_secret_is_accepted_too(
    house: House, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = Router("/v1/admin/guarded", guards=[requires_admin], route_handlers=[behind_the_guard])
    monkeypatch.setattr(routes, "ROUTERS", [*routes.ROUTERS, router])
    previous = "the secret before, of at least 32 bytes"
    app = create_inner_app(settings.but(admin_secret_previous=previous))
    async with alive(app), visitor_from(house, Door(app)) as admin:
        statuses = {
            secret: (await admin.get("/v1/admin/guarded", headers={"X-Admin-Secret": secret})).status_code
            for secret in (settings.admin_secret, previous, "", previous[:-1])
        }
        signed_in = await log_in(admin, previous)

    assert list(statuses.values()) == [200, 200, 401, 401]
    assert "set-cookie" in signed_in.headers
