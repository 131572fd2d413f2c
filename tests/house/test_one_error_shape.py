"""Every failure of every kind is one document: RFC 9457, with the members of API.md, and nothing of our inside."""

import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import httpx
import pytest
from litestar import Litestar, Router, get

from officepro import app as application
from officepro import door, routes
from officepro.access.guards import is_open
from officepro.app import create_inner_app
from officepro.documentation.errors import every_error
from officepro.door import Door
from officepro.foundation.database import Database, DatabaseUnavailable
from officepro.foundation.logs import JsonLines
from officepro.foundation.secrets import make_api_key
from officepro.prospects import queries as prospects
from officepro.settings import Settings
from officepro.tags import queries as tags
from tests.access.visitors import visitor_from
from tests.conftest import alive
from tests.world import House, Office

SECRET = "Ada Lovelace's diagnosis is 0xCANARY"
MEMBERS = ["type", "title", "status", "detail", "code", "requestId"]
# Of our inside, which no answer may show.
INSIDE = re.compile(r"Traceback|\.py\b|asyncpg|litestar|msgspec|SELECT |INSERT |relation \"|constraint|CANARY", re.I)
Ask = Callable[[Office, httpx.AsyncClient], Awaitable[httpx.Response]]

FAILURES: dict[str, tuple[int, str, Ask]] = {
    "malformed": (400, "invalid_request", lambda office, _: office.partner.get("/prospects?page=0")),
    "no JSON": (400, "malformed_json", lambda office, _: office.partner.post("/prospects", content=b"{")),
    "no token": (401, "unauthorized", lambda office, visitor: visitor.get(f"{office.path}/tags")),
    "a forged token": (
        401,
        "invalid_token",
        lambda office, visitor: visitor.get(f"{office.path}/tags", headers={"Authorization": "Bearer x"}),
    ),
    "a wrong key": (
        401,
        "invalid_api_key",
        lambda office, visitor: visitor.post(f"{office.path}/auth/token", json={"apiKey": "x"}),
    ),
    "a missing scope": (403, "missing_scope", lambda office, _: office.newcomer.get("/availability/providers")),
    "another practice": (403, "another_practice", lambda office, _: office.partner_global.get("/NoSuchOffice/tags")),
    "no such record": (404, "unknown_prospect", lambda office, _: office.partner.get("/prospects/999")),
    "no such address": (404, "unknown_address", lambda office, _: office.partner.get("/nothing/here")),
    "no such address at the root": (404, "unknown_address", lambda office, visitor: visitor.get("/wp-login.php")),
    "another method": (405, "method_not_allowed", lambda office, _: office.partner.delete("/prospects")),
    "a method that nobody knows": (
        405,
        "method_not_allowed",
        lambda office, _: office.partner.request("BREW", "/prospects"),
    ),
    "changed since": (
        412,
        "stale_version",
        lambda office, _: office.partner.put("/prospects/1001", json={"MI": "x"}, headers={"If-Match": '"9"'}),
    ),
    "too large": (413, "too_large", lambda office, _: office.partner.post("/prospects", content=b" " * (3 << 20))),
    "no JSON by its own account": (
        415,
        "unsupported_media_type",
        lambda office, _: office.partner.post("/prospects", content=b"<x/>", headers={"Content-Type": "text/xml"}),
    ),
    "impossible": (
        422,
        "unknown_tag",
        lambda office, _: office.partner.post("/tags/prospects/1001", json={"tagId": 9}),
    ),
}


def assert_is_a_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text
    problem = answer.json()
    assert list(problem)[:6] == MEMBERS
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"].endswith(f"#{code}")
    assert problem["requestId"] == answer.headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{24}", problem["requestId"])
    assert problem["title"]
    assert problem["detail"].endswith((".", ")"))
    assert ("errors" in problem) == (status == 400)
    assert not INSIDE.search(answer.text), answer.text


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_is_told_in_one_shape(demo_office: Office, failure: str) -> None:
    status, code, ask = FAILURES[failure]
    async with visitor_from(demo_office.house) as visitor:
        answer = await ask(demo_office, visitor)

    assert_is_a_problem(answer, status, code)
    assert code in {error.code for error in every_error()}
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    if status == 412:
        assert answer.headers["ETag"] == '"1"'


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/prospects", {"GET", "POST"}),
        ("/prospects/1001", {"GET", "PUT"}),
        ("/tags", {"GET"}),
        ("/tags/prospects/1001", {"POST", "DELETE"}),
        ("/tags/prospects/1001/1", {"DELETE"}),
        ("/auth/token", {"POST"}),
    ],
)
async def test_another_method_is_told_which_ones_there_are(demo_office: Office, path: str, allowed: set[str]) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
        answer = await demo_office.partner.request(method, path)
        assert_is_a_problem(answer, 405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) - {"OPTIONS", "HEAD"} == allowed


@pytest.mark.parametrize("path", ["/prospects", "/tags/prospects/1001", "/auth/token", "/tags"])
async def test_asking_for_the_methods_tells_the_same(demo_office: Office, path: str) -> None:
    asked = await demo_office.partner.options(path)
    refused = await demo_office.partner.request("BREW", path)

    assert asked.status_code == 204
    assert set(asked.headers["Allow"].split(", ")) == set(refused.headers["Allow"].split(", "))


async def test_too_many_failures_are_a_problem_with_a_time_to_wait(demo_office: Office) -> None:
    async with visitor_from(demo_office.house) as visitor:
        wrong = {"apiKey": make_api_key(1)}
        for _ in range(10):
            await visitor.post(f"{demo_office.path}/auth/token", json=wrong)
        answer = await visitor.post(f"{demo_office.path}/auth/token", json=wrong)

    assert_is_a_problem(answer, 429, "too_many_failures")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_too_many_at_once_are_turned_away_at_the_door(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAXIMUM_IN_FLIGHT", 0)
    answer = await demo_office.partner.get("/tags")

    assert_is_a_problem(answer, 503, "overloaded")
    assert answer.headers["Retry-After"] == "1"


# ---- A fault of ours: told without detail, and logged without a word of what was sent.


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What the service would have written, line by line as it writes it; what the test's client says is not of it."""
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(
        JsonLines().format(record) for record in caplog.records if not record.name.startswith("http")
    )


def failing(error: Exception) -> Callable[..., Awaitable[None]]:
    async def fail(*_: object, **__: object) -> None:
        raise error

    return fail


OURS = {
    "a bug": ValueError(SECRET),
    "a missing key": KeyError(SECRET),
    "a database error": asyncpg.UndefinedColumnError(SECRET),
    "a constraint that nobody explained": asyncpg.CheckViolationError(SECRET),
    "an endless recursion": RecursionError(SECRET),
    "an assertion": AssertionError(SECRET),
}


@pytest.mark.parametrize("fault", OURS)
@pytest.mark.parametrize("path", ["/prospects?search=CANARY+two", "/prospects/1001", "/tags"])
async def test_a_fault_of_ours_shows_nothing_of_itself(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str], fault: str, path: str
) -> None:
    for module, name in ((prospects, "some"), (prospects, "one"), (tags, "all_tags")):
        monkeypatch.setattr(module, name, failing(OURS[fault]))
    answer = await demo_office.partner.get(path)

    assert_is_a_problem(answer, 500, "internal_error")
    lines = [json.loads(line) for line in logged().splitlines()]
    (line,) = [line for line in lines if line["level"] == "error"]
    assert line["message"] == "internal_error"
    assert line["requestId"] == answer.json()["requestId"]
    assert line["kind"] == type(OURS[fault]).__name__
    assert any("prospects/routes.py" in place or "tags/routes.py" in place for place in line["where"])
    assert "CANARY" not in logged()
    assert "Lovelace" not in logged()


UNREACHABLE = {
    "the connection broke": asyncpg.ConnectionDoesNotExistError(SECRET),
    "the server starts up": asyncpg.CannotConnectNowError(SECRET),
    "the server was stopped": asyncpg.AdminShutdownError(SECRET),
    "its disk is full": asyncpg.DiskFullError(SECRET),
    "its files cannot be read": asyncpg.PostgresIOError(SECRET),
    "the network is gone": OSError(SECRET),
    "a statement took too long": asyncpg.QueryCanceledError(SECRET),
    "a lock took too long": asyncpg.LockNotAvailableError(SECRET),
    "it took too long": TimeoutError(SECRET),
}


@pytest.mark.parametrize("trouble", UNREACHABLE)
async def test_trouble_with_the_database_asks_for_another_attempt(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str], trouble: str
) -> None:
    monkeypatch.setattr(tags, "all_tags", failing(UNREACHABLE[trouble]))
    answer = await demo_office.partner.get("/tags")

    assert answer.status_code == 503
    assert_is_a_problem(answer, 503, answer.json()["code"])
    assert answer.json()["code"] in ("database_unavailable", "overloaded")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "CANARY" not in logged()


async def test_a_database_that_cannot_be_reached_is_a_503_for_a_new_caller_too(
    demo_office: Office, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        async def __aenter__(self) -> None:
            raise DatabaseUnavailable

        async def __aexit__(self, *_: object) -> None: ...

    token = await demo_office.token("newcomer")
    monkeypatch.setattr(database, "system", Gone)
    monkeypatch.setattr("officepro.access.key_states.KEY_STATE_SECONDS", -1)
    async with visitor_from(demo_office.house) as visitor:
        admitted = await visitor.get(f"{demo_office.path}/tags", headers={"Authorization": f"Bearer {token}"})
        exchanged = await visitor.post(f"{demo_office.path}/auth/token", json={"apiKey": demo_office.keys["partner"]})

    assert_is_a_problem(admitted, 503, "database_unavailable")
    assert_is_a_problem(exchanged, 503, "database_unavailable")


@get("/", guards=[is_open("a test")])
async def answers_what_cannot_be_written() -> dict[str, object]:
    return {"data": object()}


@pytest.fixture
async def broken_house(house: House, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """The house with an address whose answer cannot be encoded."""
    router = Router("/v1/broken", route_handlers=[answers_what_cannot_be_written])
    monkeypatch.setattr(routes, "ROUTERS", [*routes.ROUTERS, router])
    app: Litestar = create_inner_app(settings)
    async with alive(app):
        yield House(Door(app), house.owner, settings, house.admin, house.stranger)


async def test_an_answer_that_cannot_be_written_is_a_fault_of_ours_too(broken_house: House) -> None:
    async with visitor_from(broken_house) as visitor:
        answer = await visitor.get("/v1/broken")

    assert_is_a_problem(answer, 500, "internal_error")


def test_every_code_is_explained_once_for_each_status_in_a_sentence_that_ends() -> None:
    errors = every_error()
    assert len({(error.status, error.code) for error in errors}) == len(errors)
    for error in errors:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
        assert error.meaning.endswith("."), error
        assert not INSIDE.search(error.meaning), error


def test_the_application_keeps_no_debug_mode(settings: Settings) -> None:
    assert not application.create_inner_app(settings).debug


BROKEN_BODIES = {
    "NUL": b"\x00",
    "cut off": b'{"a": ',
    "no UTF-8": b'{"a": "\xff"}',
    "empty": b"",
    "deep": b"[" * 10_000,
}


@pytest.mark.parametrize("body", BROKEN_BODIES)
async def test_where_everything_is_wrong_at_once_everything_is_told(
    demo_office: Office, inner_app: Litestar, body: str
) -> None:
    """An id that is none, a parameter that nobody knows, a body that cannot be read: at every route that has one."""
    asked = 0
    for route in inner_app.routes:
        for handler in getattr(route, "route_handlers", []):
            if not route.path.startswith("/v1/") or handler.parsed_data_field is None:
                continue
            path = re.sub(r"\{practicepass:str\}", "DemoOffice", route.path_format.replace(":str", ""))
            path = re.sub(r"\{practicepass\}", "DemoOffice", path)
            wrong_path = re.sub(r"\{\w+\}", str(2**63), path)
            for address in {wrong_path, f"{wrong_path}?nonsense=1"}:
                for client in (demo_office.house.admin, demo_office.partner_global):
                    answer = await client.request(
                        min(handler.http_methods),
                        address,
                        content=BROKEN_BODIES[body],
                        headers={"Content-Type": "application/json"},
                    )
                    assert 400 <= answer.status_code < 500, (address, answer.text)
                    assert list(answer.json())[:6] == MEMBERS, address
                    asked += answer.status_code not in (401, 403)
    assert asked > 50
