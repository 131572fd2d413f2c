"""Nobody reads another practice: not by asking, not by a query that forgot it, not by a connection used before."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, cast

import asyncpg
import httpx
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from officepro.foundation.database import NO_PRACTICE, Connection, Database, Mode
from officepro.foundation.embedded import EmbeddedServer
from officepro.foundation.errors import NotFound, OfficeProError
from officepro.foundation.input import query_parameters
from officepro.foundation.paging import Page
from officepro.prospects import queries as prospects
from officepro.prospects.queries import Filter
from officepro.tags import queries as tags
from tests.citus import looking_distributed
from tests.pooler import Pooler
from tests.pooler import start as start_pooler
from tests.world import Office

FOREIGN, ABSENT = 5005, 6006  # there in Berlin alone; nowhere
SEEN = "SELECT array_agg(DISTINCT practice_id ORDER BY practice_id) FROM patient"

_PREDICATE = re.compile(r"(?:\b\w+\.)?\bpractice_id = \$1")


class WithoutPredicate:
    """A connection on which every query has forgotten to name its practice."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.forgotten = 0

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        ask = getattr(self._connection, name)

        def ask_without(query: str, *arguments: object) -> Awaitable[Any]:
            mutated, count = _PREDICATE.subn("$1::bigint IS NOT NULL", query)
            self.forgotten += count
            return cast(Awaitable[Any], ask(mutated, *arguments))

        return ask_without


@pytest.fixture
async def foreigner(berlin_office: Office) -> int:
    """Everything that Berlin has under the number 5005, and no other practice."""
    await berlin_office.house.owner.execute(
        _FOREIGN.replace(":practice", str(berlin_office.practice_id)).replace(":id", str(FOREIGN))
    )
    if await berlin_office.house.owner.fetchval("SELECT to_regclass('ticket') IS NOT NULL"):
        await berlin_office.house.owner.execute(
            f"""
            INSERT INTO ticket (practice_id, ticket_id, subject, author)
            VALUES ({berlin_office.practice_id}, {FOREIGN}, 'In Berlin only', 'Berta')
            """
        )
    return FOREIGN


_FOREIGN = """
INSERT INTO patient (practice_id, patient_id, first_name) VALUES (:practice, :id, 'Berta');
INSERT INTO patient_token (practice_id, token, patient_id) VALUES (:practice, 'berta', :id);
INSERT INTO tag (practice_id, tag_id, tag) VALUES (:practice, :id, 'Berlin only');
INSERT INTO patient_tag (practice_id, patient_id, tag_id) VALUES (:practice, :id, :id);
INSERT INTO provider (practice_id, provider_id, name) VALUES (:practice, :id, 'Dr. Berlin');
INSERT INTO visit (practice_id, visit_id, patient_id, provider_id, needs_room, visit_type, status, starts_at, ends_at,
                   provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
    SELECT :practice, :id, :id, :id, false, 'Consult', 'booked', at, at + interval '30 min', at, at + interval '30 min',
           at, at + interval '30 min' FROM (VALUES (timestamptz '2026-03-09 09:00Z')) AS times (at);
"""

# ---- A query that forgets its practice still sees no foreign row. Each answers what it found or changed of Berlin.


async def found_alone(db: Connection, practice_id: int) -> object:
    return dict(await prospects.one(db, practice_id, FOREIGN))["first_name"]


def found_among(**wanted: Any) -> Callable[[Connection, int], Awaitable[object]]:
    async def found(db: Connection, practice_id: int) -> object:
        told = await prospects.some(db, practice_id, Filter(**wanted), Page(1, 100_000))
        return [patient_id for patient_id in told.patient_ids if patient_id == FOREIGN] or "Berta" in told.people

    return found


async def found_tags(db: Connection, practice_id: int) -> object:
    return [tag for _, tag in await tags.all_tags(db, practice_id) if tag == "Berlin only"]


async def removed_tags(db: Connection, practice_id: int) -> object:
    return await tags.remove(db, practice_id, FOREIGN)


async def changed(db: Connection, practice_id: int) -> object:
    return await prospects.update(db, practice_id, FOREIGN, {"city": "Utica"}, None)


FORGETFUL: dict[str, Callable[[Connection, int], Awaitable[object]]] = {
    "one prospect": found_alone,
    "the list": found_among(),
    "the list by change": found_among(updated_since=datetime(2026, 1, 1, tzinfo=UTC)),
    "only prospects": found_among(only_prospects=True),
    "a search": found_among(beginnings=["bert"]),
    "a search of two words": found_among(beginnings=["berta", "bert"], only_prospects=True),
    "who wears a tag": found_among(tag_id=FOREIGN),
    "all tags": found_tags,
    "taking tags off": removed_tags,
    "a change": changed,
}


@pytest.mark.parametrize("query", FORGETFUL)
async def test_a_query_that_forgets_its_practice_sees_nothing_of_another(
    demo_office: Office, foreigner: int, database: Database, owner: asyncpg.Connection, query: str
) -> None:
    async with database.practice_transaction(demo_office.practice_id) as db:
        forgetful = WithoutPredicate(db)
        try:
            found = await FORGETFUL[query](cast(Connection, forgetful), demo_office.practice_id)
        except NotFound:
            found = None
        assert not found
    assert forgetful.forgotten

    # The control: past the wall the same query does find it.
    transaction = owner.transaction()
    await transaction.start()
    try:
        assert await FORGETFUL[query](cast(Connection, WithoutPredicate(owner)), demo_office.practice_id)
    finally:
        await transaction.rollback()


async def test_a_query_that_names_the_wrong_practice_neither_reads_nor_writes_there(
    demo_office: Office, berlin_office: Office, foreigner: int, database: Database
) -> None:
    here, there = demo_office.practice_id, berlin_office.practice_id
    async with database.practice(here) as db:
        assert await tags.all_tags(db, there) == []
        assert (await prospects.some(db, there, Filter(), Page())).people == ""
        assert await prospects.update(db, there, FOREIGN, {"city": "Utica"}, None) is None
        for asked in (prospects.one(db, there, FOREIGN), tags.remove(db, there, FOREIGN)):
            with pytest.raises(NotFound):
                await asked
    for write in (
        lambda db: tags.assign(db, there, berlin_office.ada, berlin_office.vip),
        lambda db: prospects.set_tokens(db, there, FOREIGN, ["intruder"]),
        lambda db: prospects.set_picture(db, there, FOREIGN, b"intruder"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.practice_transaction(here) as db:
                await write(db)

    assert await berlin_office.tags_of(berlin_office.ada) == []


# ---- Over HTTP, what is another practice's cannot be told from what is not there.

GIVEN = {
    "date": "2026-03-09", "time": "10:00:00", "duration": "30", "startDate": "2026-03-09", "endDate": "2026-03-10",
    "visitType": "Consult",
}  # fmt: skip


def partner_routes(app: Litestar) -> list[tuple[str, str, HTTPRouteHandler]]:
    """Method, path below the practice, handler: of every address of a practice that has an id in it."""
    found = []
    for route in app.routes:
        if not route.path.startswith("/v1/{practicepass:str}/") or "/auth/" in route.path:
            continue
        for handler in getattr(route, "route_handlers", ()):
            below = route.path.removeprefix("/v1/{practicepass:str}")
            found += [(method, below, handler) for method in handler.http_methods if method != "OPTIONS"]
    return found


async def ask(
    office: Office, method: str, path: str, handler: HTTPRouteHandler, number: int, parameter: str = ""
) -> httpx.Response:
    """With the number wherever the address has one, or in the query parameter."""
    required = {name: GIVEN[name] for name, one in query_parameters(handler).items() if one.required}
    has_body = method not in ("GET", "DELETE")
    return await office.partner.request(
        method,
        re.sub(r"\{[^}]*\}", str(number), path),
        params=required | ({parameter: str(number)} if parameter else {}),
        content=b"{}" if has_body else None,
        headers={"Content-Type": "application/json"} if has_body else {},
    )


def without_request_id(answer: httpx.Response) -> bytes:
    return answer.content.replace(answer.headers["X-Request-Id"].encode(), b"")


async def test_a_foreign_number_is_answered_like_one_that_is_not_there(
    demo_office: Office, berlin_office: Office, foreigner: int, inner_app: Litestar
) -> None:
    asked = 0
    for method, path, handler in partner_routes(inner_app):
        with_numbers = [""] if "{" in path else [name for name in query_parameters(handler) if name.endswith("Id")]
        for parameter in with_numbers:
            foreign = await ask(demo_office, method, path, handler, FOREIGN, parameter)
            absent = await ask(demo_office, method, path, handler, ABSENT, parameter)
            where = f"{method} {path} {parameter}"
            assert foreign.status_code == absent.status_code, (where, foreign.text, absent.text)
            assert without_request_id(foreign) == without_request_id(absent), where
            assert sorted(foreign.headers) == sorted(absent.headers), where
            assert "Berl" not in foreign.text, where
            if method == "GET" and not parameter:
                assert foreign.status_code == 404, (where, foreign.text)
            asked += 1
    assert asked >= 10


async def test_the_same_number_is_there_for_those_it_belongs_to(
    berlin_office: Office, foreigner: int, inner_app: Litestar
) -> None:
    """The control: otherwise the equal answers above would prove nothing."""
    for method, path, handler in partner_routes(inner_app):
        if method == "GET" and "{" in path:
            answer = await ask(berlin_office, method, path, handler, FOREIGN)
            assert answer.status_code == 200, (path, answer.text)


async def test_lists_and_searches_hold_nothing_of_another_practice(
    demo_office: Office, berlin_office: Office, foreigner: int, inner_app: Litestar
) -> None:
    asked = 0
    for method, path, handler in partner_routes(inner_app):
        if method != "GET" or "{" in path:
            continue
        parameters = query_parameters(handler)
        required = {name: GIVEN[name] for name, one in parameters.items() if one.required}
        for further in ({}, {"search": "berta"}, {"search": "berlin"}):
            if further.keys() <= parameters.keys():
                answer = await demo_office.partner.get(path, params={**required, **further})
                assert answer.status_code == 200, (path, answer.text)
                assert not re.search(f"Bert|Berlin|{FOREIGN}", answer.text), path
                asked += 1
    assert asked >= 6


# ---- A connection that served another practice before.


@pytest.fixture(params=[*Mode, "through PgBouncer"])
async def single_file(
    request: pytest.FixtureRequest,
    server: EmbeddedServer,
    pooler: Pooler,
    database_name: str,
    owner: asyncpg.Connection,
) -> AsyncIterator[Database]:
    """All practices through one connection, in every mode."""
    url, mode = server.url(database_name, "officepro"), request.param
    if mode == "through PgBouncer":
        url, mode = pooler.url(database_name), Mode.POOLED
    async with looking_distributed(owner) if mode is Mode.DISTRIBUTED else nullcontext():
        database = await Database.connect(url, mode=mode, pool_size=1)
        yield database
        await database.close()


async def test_a_connection_that_is_used_again_sees_the_next_practice_alone(
    single_file: Database, demo_office: Office, berlin_office: Office
) -> None:
    for office in [demo_office, berlin_office] * 5 + [demo_office, demo_office, berlin_office]:
        async with single_file.practice(office.practice_id) as db:
            assert await db.fetchval(SEEN) == [office.practice_id]
        async with single_file.practice_transaction(office.practice_id) as db:
            assert await db.fetchval(SEEN) == [office.practice_id]


async def test_also_when_transactions_and_single_statements_of_two_practices_alternate(
    single_file: Database, demo_office: Office, berlin_office: Office
) -> None:
    for _ in range(5):
        async with single_file.practice(demo_office.practice_id) as db:
            assert await db.fetchval(SEEN) == [demo_office.practice_id]
        async with single_file.practice_transaction(berlin_office.practice_id) as db:
            assert await db.fetchval(SEEN) == [berlin_office.practice_id]


async def test_also_when_many_wait_for_it_at_once(
    single_file: Database, demo_office: Office, berlin_office: Office
) -> None:
    async def look(office: Office) -> None:
        async with single_file.practice(office.practice_id) as db:
            assert await db.fetchval(SEEN) == [office.practice_id]
            await asyncio.sleep(0)
            assert await db.fetchval(SEEN) == [office.practice_id]

    await asyncio.gather(*(look(office) for office in [demo_office, berlin_office] * 20))


async def test_many_connections_that_share_two_sessions_see_each_its_own(
    server: EmbeddedServer, database_name: str, demo_office: Office, berlin_office: Office
) -> None:
    pooler = start_pooler(server, pool_size=2)
    database = await Database.connect(pooler.url(database_name), mode=Mode.POOLED, pool_size=8)

    async def look(office: Office) -> None:
        for _ in range(10):
            async with database.practice(office.practice_id) as db:
                assert await db.fetchval(SEEN) == [office.practice_id]
                assert await db.fetchval(f"SELECT {office.practice_id}") == office.practice_id
            async with database.system() as db:
                assert (
                    await db.fetchval("SELECT count(*) FROM practice WHERE practice_id = $1", office.practice_id) == 1
                )

    try:
        await asyncio.gather(*(look(office) for office in [demo_office, berlin_office] * 8))
    finally:
        await database.close()
        pooler.stop()


async def test_nothing_is_left_in_a_session_behind_a_pooler(
    server: EmbeddedServer, database_name: str, demo_office: Office
) -> None:
    pooler = start_pooler(server, pool_size=1)  # whoever comes next is in the same session
    database = await Database.connect(pooler.url(database_name), mode=Mode.POOLED, pool_size=2)
    stranger = await asyncpg.connect(pooler.url(database_name), statement_cache_size=0)
    try:
        for use in (database.practice(demo_office.practice_id), database.system(), database.system_transaction()):
            async with use as db:
                session = await db.fetchval("SELECT pg_backend_pid()")
            async with stranger.transaction():
                assert await stranger.fetchval("SELECT pg_backend_pid()") == session
                left = await stranger.fetchrow(
                    """
                    SELECT nullif(current_setting('app.practice', true), '') AS practice,
                           current_user = session_user AS own,
                           current_setting('statement_timeout') AS patience,
                           (SELECT count(*) FROM pg_prepared_statements WHERE name <> '') AS prepared,
                           (SELECT count(*) FROM pg_locks
                            WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks
                    """
                )
                assert dict(left or {}) == {"practice": None, "own": True, "patience": "0", "prepared": 0, "locks": 0}
    finally:
        await stranger.close()
        await database.close()
        pooler.stop()


async def test_what_belongs_to_no_practice_sees_none(single_file: Database, demo_office: Office) -> None:
    async with single_file.practice(demo_office.practice_id) as db:
        assert await db.fetchval(SEEN) == [demo_office.practice_id]
    async with single_file.practice_transaction(NO_PRACTICE) as db:
        assert await db.fetchval(SEEN) is None


async def test_the_role_over_all_practices_cannot_look_at_people(single_file: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with single_file.system() as db:
            await db.fetchval(SEEN)


class Trouble(Exception):
    """Something goes wrong in the middle of a transaction."""


@pytest.mark.parametrize("how", ["an exception", "a database error", "a cancellation", "a cancellation at COMMIT"])
async def test_a_transaction_that_ends_badly_leaves_nothing_behind(
    single_file: Database, demo_office: Office, berlin_office: Office, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_middle = asyncio.Event()

    async def work() -> None:
        async with single_file.practice_transaction(berlin_office.practice_id) as db:
            await tags.assign(db, berlin_office.practice_id, berlin_office.ada, berlin_office.vip)
            in_the_middle.set()
            if how == "an exception":
                raise Trouble
            if how == "a database error":
                await db.execute("SELECT 1 / 0")
            if how == "a cancellation":
                await db.execute("SELECT pg_sleep(30)")

    async def cancelled(connection: Connection, query: str, *arguments: object, timeout: float | None = None) -> str:  # noqa: ASYNC109 -- asyncpg's
        if query.endswith("COMMIT"):
            raise asyncio.CancelledError
        return await execute(connection, query, *arguments, timeout=timeout)

    execute = Connection.execute
    if how == "a cancellation at COMMIT":
        monkeypatch.setattr(Connection, "execute", cancelled)
    task = asyncio.create_task(work())
    await in_the_middle.wait()
    if how == "a cancellation":
        await asyncio.sleep(0.05)
        task.cancel()
    with pytest.raises((Trouble, asyncpg.DivisionByZeroError, asyncio.CancelledError)):
        await task
    monkeypatch.undo()

    async with single_file.practice(demo_office.practice_id) as db:
        assert await db.fetchval(SEEN) == [demo_office.practice_id]
        await tags.assign(db, demo_office.practice_id, demo_office.ada, demo_office.vip)
    assert await demo_office.tags_of(demo_office.ada) == [demo_office.vip]  # and is committed
    assert await berlin_office.tags_of(berlin_office.ada) == []


async def test_an_error_that_was_told_undoes_the_transaction(single_file: Database, demo_office: Office) -> None:
    async def assign_both() -> None:
        async with single_file.practice_transaction(demo_office.practice_id) as db:
            await tags.assign(db, demo_office.practice_id, demo_office.ada, demo_office.vip)
            await tags.assign(db, demo_office.practice_id, demo_office.ada, 4711)

    with pytest.raises(OfficeProError):
        await assign_both()

    assert await demo_office.tags_of(demo_office.ada) == []
