"""GET /healthz and GET /readyz"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from litestar import Litestar

from officepro import service
from officepro.foundation.database import Database, Mode
from officepro.settings import Settings
from tests.world import House


@contextmanager
def state(app: Litestar, name: str, value: object) -> Iterator[None]:
    """The application with another piece of its state."""
    before: Any = app.state.get(name)
    setattr(app.state, name, value)
    try:
        yield
    finally:
        setattr(app.state, name, before)


async def test_a_process_that_answers_is_alive_and_ready(house: House) -> None:
    for path, status in (("/healthz", "alive"), ("/readyz", "ready")):
        answer = await house.stranger.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": status})


async def test_a_process_that_is_about_to_stop_is_alive_but_not_ready(house: House, inner_app: Litestar) -> None:
    with state(inner_app, "draining", True):
        assert (await house.stranger.get("/healthz")).status_code == 200
        answer = await house.stranger.get("/readyz")

    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.json()["missing"] == ["this process is about to stop"]
    assert answer.headers["retry-after"] == "1"


async def test_without_its_database_it_is_not_ready(house: House, inner_app: Litestar, settings: Settings) -> None:
    gone = await Database.connect(settings.database_url, mode=Mode(settings.database_mode), pool_size=1)
    await gone.close()
    with state(inner_app, "database", gone):
        answer = await house.stranger.get("/readyz")

    assert (answer.status_code, answer.json()["missing"]) == (503, ["the database does not answer within 2 seconds"])


async def test_with_another_schema_than_its_own_it_is_not_ready(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    known = service._revisions()
    monkeypatch.setattr(service, "_revisions", lambda: ["9999", *known])
    answer = await house.stranger.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["missing"][0].endswith("instead of 9999")


async def test_a_newer_version_s_schema_does_not_stop_this_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    older = service._revisions()[1:]
    monkeypatch.setattr(service, "_revisions", lambda: older)

    assert (await house.stranger.get("/readyz")).status_code == 200
