"""Handlers that are called directly are reached without Litestar's layers, and nobody can tell."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar

from officepro.app import create_inner_app, enclose
from officepro.calling import Call, Straight
from officepro.settings import Settings
from tests.conftest import alive
from tests.world import House, Office, make_office

ASKED: list[tuple[str, str, dict[str, str], dict[str, Any]]] = [
    ("GET", "/tags", {}, {}),
    ("GET", "//tags/", {}, {}),
    ("GET", "/tags?nothing=1", {}, {}),
    ("GET", "/prospects/0", {}, {}),
    ("GET", "/prospects/123456789", {}, {}),
    ("GET", "/nowhere", {}, {}),
    ("GET", "/tags", {"Host": "no host"}, {}),
    ("GET", "/tags", {"Authorization": "Bearer x.y.z"}, {}),
    ("DELETE", "/tags", {}, {}),
    ("OPTIONS", "/tags", {}, {}),
    ("HEAD", "/tags", {}, {}),
    ("POST", "/prospects", {}, {"json": {"FirstName": 1}}),
    ("POST", "/prospects", {"Content-Type": "text/plain"}, {"content": b"{}"}),
    ("POST", "/prospects", {}, {"content": b"{"}),
]


@pytest.fixture
async def app(straight: Settings) -> AsyncIterator[Litestar]:
    inner = create_inner_app(straight)
    async with alive(inner):
        yield inner


@pytest.fixture
async def office(app: Litestar, house: House, straight: Settings) -> AsyncIterator[Office]:
    async with House.open(enclose(app), house.owner, straight) as own_house:
        yield await make_office(own_house, "StraightOffice", "America/New_York")


def layers_of(app: Litestar) -> Any:
    assert isinstance(app.asgi_handler, Straight)
    return app.asgi_handler._layers


@pytest.mark.parametrize(("method", "path", "headers", "sent"), ASKED)
async def test_the_answer_is_the_same_by_both_ways(
    office: Office, app: Litestar, method: str, path: str, headers: dict[str, str], sent: dict[str, Any]
) -> None:
    answers = []
    for way in (app.asgi_handler, layers_of(app)):
        app.asgi_handler = way
        answer = await office.partner.request(method, path, headers=headers, **sent)
        told = {
            name: text
            for name, text in answer.headers.items()
            if name != "x-request-id" and not name.startswith("ratelimit")
        }
        content = answer.content.replace(answer.headers["X-Request-Id"].encode(), b"")
        answers.append((answer.status_code, told, content))
    assert answers[0] == answers[1]


async def test_it_is_gone_straight(office: Office, app: Litestar, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(app.asgi_handler, Straight)
    went: list[str] = []
    really = app.asgi_handler._layers

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        went.append(scope["path"])
        await really(scope, receive, send)

    monkeypatch.setattr(app.asgi_handler, "_layers", noted)
    for path in ("/tags", "/prospects/5", "/nowhere", "/availability/providers/1/slots"):
        await office.partner.get(path)
    assert went == [f"{office.path}/nowhere"]


async def test_what_fails_unforeseen_is_told_as_ever(
    office: Office, app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: Any) -> None:
        raise RuntimeError("about Grace Hopper")

    monkeypatch.setattr(Call, "_arguments", breaks)
    answer = await office.partner.get("/tags")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "Grace" not in answer.text


def asked_for(office: Office, path: str) -> Any:
    """The scope of a GET by the partner."""
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"test"), (b"authorization", office.partner.headers["Authorization"].encode())],
        "address": "192.0.2.1",
        "request_id": "a-request",
    }


async def nothing() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_the_path_is_known_in_its_plain_form_to_all_that_follows(office: Office, app: Litestar) -> None:
    async def send(message: Any) -> None:
        pass

    for way in (app.asgi_handler, layers_of(app)):
        app.asgi_handler = way
        scope = asked_for(office, f"/{office.path}//tags/")
        await app(scope, nothing, send)
        assert (scope["path"], scope["path_template"]) == (f"{office.path}/tags", "/v1/{practicepass}/tags")


async def test_what_fails_within_an_answer_is_not_answered_again(office: Office, app: Litestar) -> None:
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "http.response.body":
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await app(asked_for(office, f"{office.path}/tags"), nothing, send)
    assert sent == ["http.response.start", "http.response.body"]
