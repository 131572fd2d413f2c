"""Batched availability queries: concurrent queries share a statement, and nothing else."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from officepro.foundation import joining
from officepro.foundation.database import Connection, Database, DatabaseUnavailable, Row
from officepro.foundation.wire import encode
from officepro.scheduling import queries, questions
from officepro.scheduling.queries import Look
from officepro.scheduling.questions import Asked, Together
from tests.scheduling.test_remembered import by_hand
from tests.scheduling.test_slots import next_monday
from tests.world import Office

DAY = timedelta(days=1)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The practices of the queries in each statement sent."""
    sent: list[list[int]] = []
    really = questions.ask_together

    async def noted(db: Connection, several: list[Asked]) -> list[Row]:
        sent.append([asked.practice_id for asked in several])
        return await really(db, several)

    monkeypatch.setattr(questions, "ask_together", noted)
    return sent


def look(provider_id: int = 2, days: int = 7, **further: Any) -> Look:
    begins = a_day_before_it()
    return Look([provider_id], further.get("rooms", []), begins, begins + days * DAY)


def a_day_before_it() -> datetime:
    """The day before the visit that the test inserts."""
    return datetime.fromisoformat(f"{next_monday()}T00:00Z") - DAY


async def test_many_ask_at_once_and_each_is_told_of_its_own(
    demo_office: Office, berlin_office: Office, straight_database: Database, statements: list[list[int]]
) -> None:
    await by_hand(demo_office)
    together = Together(straight_database)
    ours, theirs = demo_office.practice_id, berlin_office.practice_id
    asked = [(ours, look(2)), (theirs, look(2)), (ours, look(1)), (ours, look(2, 8)), (theirs, look(1))] * 8

    busy = await asyncio.gather(*(queries.busy(together, practice_id, one) for practice_id, one in asked))

    assert [(len(one.booked.popitem()[1]), one.seen.number) for one in busy] == [
        (1, 1),
        (0, 0),
        (0, 0),
        (1, 1),
        (0, 0),
    ] * 8
    assert {one.seen.version is None for one in busy} == {False}
    assert len(statements) == 1
    assert len(statements[0]) == 40


async def test_a_question_alone_is_told_the_same_as_together(
    demo_office: Office, berlin_office: Office, straight_database: Database
) -> None:
    await by_hand(demo_office)
    together, rooms = Together(straight_database), [101, 102]
    for one in (
        look(),
        look(rooms=rooms),
        look(days=30),
        Look([1, 2], rooms, a_day_before_it(), a_day_before_it() + 7 * DAY),
    ):
        for ask in (queries.busy, queries.glance):
            ours, theirs = await asyncio.gather(
                ask(together, demo_office.practice_id, one), ask(together, berlin_office.practice_id, one)
            )
            async with straight_database.practice(demo_office.practice_id) as db:
                assert await ask(questions.OnConnection(db), demo_office.practice_id, one) == ours
            assert ours != theirs


async def test_those_who_come_while_a_statement_is_under_way_share_the_next(
    demo_office: Office, straight_database: Database, statements: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, may_go_on = _slowly(monkeypatch)
    monkeypatch.setattr(joining, "PATIENCE_SECONDS", 60)
    together, practice_id = Together(straight_database), demo_office.practice_id
    first = asyncio.create_task(queries.glance(together, practice_id, look()))
    await under_way.wait()
    others = [asyncio.create_task(queries.glance(together, practice_id, look())) for _ in range(5)]
    given_up = asyncio.create_task(queries.glance(together, practice_id, look()))
    await asyncio.sleep(0)
    given_up.cancel()
    may_go_on.set()
    await asyncio.gather(first, *others)

    assert list(map(len, statements)) == [1, 5]
    with suppress(asyncio.CancelledError):
        await given_up


async def test_nobody_waits_long_for_a_statement_of_others(
    demo_office: Office, straight_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, may_go_on = _slowly(monkeypatch)
    together, practice_id = Together(straight_database), demo_office.practice_id
    first = asyncio.create_task(queries.glance(together, practice_id, look()))
    await under_way.wait()

    async with asyncio.timeout(5):
        await queries.glance(together, practice_id, look())
    assert not first.done()
    may_go_on.set()
    await first


async def test_what_is_wrong_with_one_question_harms_no_other(demo_office: Office, straight_database: Database) -> None:
    together, practice_id = Together(straight_database), demo_office.practice_id

    good, bad, also_good = await asyncio.gather(
        queries.glance(together, practice_id, look()),
        queries.glance(together, practice_id, look(provider_id=2**63)),
        queries.glance(together, practice_id, look()),
        return_exceptions=True,
    )

    assert isinstance(bad, Exception)
    assert good == also_good
    assert isinstance(good, queries.Glance)


async def test_a_database_that_is_away_is_told_to_all_and_asked_again_by_the_next(
    demo_office: Office, straight_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, practice_id = Together(straight_database), demo_office.practice_id
    with monkeypatch.context() as away:

        async def refuse(*_: object) -> list[Row]:
            raise ConnectionResetError

        away.setattr(questions, "ask_together", refuse)
        told = await asyncio.gather(
            *(queries.glance(together, practice_id, look()) for _ in range(5)), return_exceptions=True
        )

    assert {type(one) for one in told} == {DatabaseUnavailable}
    assert (await queries.glance(together, practice_id, look())).changes.version is not None


def _slowly(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Signal the start of the first statement, and suspend it until released."""
    under_way, may_go_on = asyncio.Event(), asyncio.Event()
    really, is_first = questions.ask_together, True

    async def slowly(db: Connection, several: list[Asked]) -> list[Row]:
        nonlocal is_first
        waits, is_first = is_first, False
        rows = await really(db, several)
        if waits:
            under_way.set()
            await may_go_on.wait()
        return rows

    monkeypatch.setattr(questions, "ask_together", slowly)
    return under_way, may_go_on


async def test_what_many_ask_of_a_practice_alone_is_asked_once(
    demo_office: Office, berlin_office: Office, straight_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[dict[str, Any]]] = []

    def noted(value: Any) -> bytes:
        asked.append(value)
        return encode(value)

    await by_hand(demo_office)
    monkeypatch.setattr(questions, "encode", noted)
    together, ours, theirs = Together(straight_database), demo_office.practice_id, berlin_office.practice_id
    [of_ours], [of_theirs] = [
        {(await queries.glance(together, practice_id, look())).changes for _ in range(2)}
        for practice_id in (ours, theirs)
    ]
    asked.clear()

    many = [(theirs, of_theirs), (ours, of_ours), (ours, of_theirs)] * 10
    found = await asyncio.gather(*(queries.glance(together, whose, look(), changes) for whose, changes in many))

    assert [one.changes for one in found] == [of_theirs if whose == theirs else of_ours for whose, _ in many]
    assert [one.seen is None for one in found] == [True, True, False] * 10
    of_practices = [one for several in asked for one in several if list(one) == ["practice_id"]]
    assert len(of_practices) <= 4  # the first, and the others that arrived meanwhile
