"""Connection checkout: no connection is lost or handed out twice, and a practice gets its own again."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from officepro.foundation.checkout import Checkout
from officepro.foundation.database import Connection, Database
from officepro.settings import Settings
from tests.world import Office


@dataclass(eq=False)
class Line:
    practice_id: int | None = None
    lent_at: float | None = None
    charged_to: int | None = None
    closed: bool = False
    lent: bool = field(default=False)

    def is_closed(self) -> bool:
        return self.closed


class Exchange:
    """Opens and closes the connections of the test."""

    def __init__(self, size: int = 2, timeout_seconds: float = 1.0) -> None:
        self.open = 0
        self.most = 0
        self.opened = 0
        self.fails = False
        self.checkout: Checkout[Line] = Checkout(size, self.obtain, self.release, timeout_seconds)

    async def obtain(self) -> Line:
        await asyncio.sleep(0)
        if self.fails:
            raise OSError
        self.open += 1
        self.opened += 1
        self.most = max(self.most, self.open)
        return Line()

    async def release(self, line: Line) -> None:
        self.open -= 1
        await asyncio.sleep(0)


async def test_a_practice_gets_the_one_that_it_had() -> None:
    exchange = Exchange()
    one, other = await exchange.checkout.take(1), await exchange.checkout.take(2)
    one.practice_id, other.practice_id = 1, 2
    for line in (one, other):
        await exchange.checkout.give_back(line, is_whole=True)

    assert await exchange.checkout.take(2, bound_to=2) is other
    assert await exchange.checkout.take(3, bound_to=3) is one


async def test_who_waits_gets_it_in_turn_and_who_waits_too_long_is_told() -> None:
    exchange = Exchange(size=1, timeout_seconds=0.2)
    line = await exchange.checkout.take(1)
    waiting = [asyncio.create_task(exchange.checkout.take(number)) for number in (2, 3)]
    await asyncio.sleep(0.01)
    await exchange.checkout.give_back(line, is_whole=True)

    assert await waiting[0] is line
    with pytest.raises(TimeoutError):
        await waiting[1]
    await exchange.checkout.give_back(line, is_whole=True)
    assert exchange.checkout.resting == 1


@pytest.mark.parametrize(("closed", "is_whole"), [(True, True), (False, False)])
async def test_what_is_closed_or_was_cut_off_makes_room_for_another(closed: bool, is_whole: bool) -> None:
    exchange = Exchange(size=1)
    line = await exchange.checkout.take(1)
    waiting = asyncio.create_task(exchange.checkout.take(2))
    await asyncio.sleep(0.01)
    line.closed = closed
    await exchange.checkout.give_back(line, is_whole=is_whole)

    assert await waiting is not line
    assert exchange.open == 1


async def test_one_that_closed_while_it_rested_is_not_lent() -> None:
    exchange = Exchange(size=1)
    line = await exchange.checkout.take(1)
    await exchange.checkout.give_back(line, is_whole=True)
    line.closed = True

    assert await exchange.checkout.take(1) is not line


async def test_when_none_can_be_opened_the_next_may_try_again() -> None:
    exchange = Exchange(size=1)
    exchange.fails = True
    for _ in range(3):
        with pytest.raises(OSError):
            await exchange.checkout.take(1)
    exchange.fails = False
    await exchange.checkout.take(1)
    assert exchange.open == 1


async def test_in_any_order_none_is_lost_and_none_is_lent_twice() -> None:
    exchange, chance = Exchange(size=3, timeout_seconds=0.02), random.Random(7)

    async def borrow() -> None:
        try:
            line = await exchange.checkout.take(chance.choice([None, 0, 1, 2]), chance.randrange(4))
        except (TimeoutError, OSError):
            return
        assert not line.lent
        line.lent = True
        try:
            await asyncio.sleep(chance.choice([0, 0, 0.002, 0.01]))
        finally:
            line.lent = False
            line.practice_id, line.closed = chance.randrange(4), chance.random() < 0.1
            await exchange.checkout.give_back(line, is_whole=chance.random() < 0.9)

    for _ in range(40):
        exchange.fails = chance.random() < 0.1
        tasks = [asyncio.create_task(borrow()) for _ in range(25)]
        await asyncio.sleep(chance.choice([0, 0.005]))
        for task in chance.sample(tasks, 5):
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [result for result in results if isinstance(result, Exception)]
    exchange.fails = False
    lines = [await exchange.checkout.take(None) for _ in range(3)]
    assert len(set(map(id, lines))) == 3
    assert exchange.most <= 3
    assert exchange.open == 3


async def test_a_practice_gets_one_only_while_it_uses_fewer_than_are_free() -> None:
    exchange = Exchange(size=10, timeout_seconds=5.0)
    blocked = [asyncio.create_task(exchange.checkout.take(1)) for _ in range(64)]
    await asyncio.sleep(0.01)
    assert len([task for task in blocked if task.done()]) == 5
    others = [asyncio.create_task(exchange.checkout.take(2)) for _ in range(64)]
    await asyncio.sleep(0.01)
    assert len([task for task in others if task.done()]) == 3

    third = await asyncio.wait_for(exchange.checkout.take(3), 1)
    several = [await asyncio.wait_for(exchange.checkout.take(None), 1)]  # without a limit
    waiting = asyncio.create_task(exchange.checkout.take(4))
    await asyncio.sleep(0.01)
    await exchange.checkout.give_back(third, is_whole=True)
    assert await asyncio.wait_for(waiting, 1) is third  # before all that have waited longer but use more
    for line in several:
        await exchange.checkout.give_back(line, is_whole=True)
    for task in (*blocked, *others):
        task.cancel()
    await asyncio.gather(*blocked, *others, return_exceptions=True)


async def test_a_practice_that_comes_again_is_not_bound_anew(
    demo_office: Office, berlin_office: Office, straight: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await Database.connect(straight.database_url)
    bound = []
    execute = Connection.execute

    async def noted(connection: Connection, query: str, *arguments: object, **options: object) -> str:
        bound.append(query)
        return await execute(connection, query, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Connection, "execute", noted)
    for office in (demo_office, berlin_office, demo_office, berlin_office):
        async with database.practice(office.practice_id) as db:
            assert await db.fetchval("SELECT current_setting('app.practice')") == str(office.practice_id)
    await database.close()
    assert len([query for query in bound if query.startswith("SET")]) == 2


async def test_one_whose_query_was_cut_off_is_not_lent_to_the_next(demo_office: Office, database: Database) -> None:
    async def long() -> None:
        async with database.practice(demo_office.practice_id) as db:
            await db.execute("SELECT pg_sleep(5)")

    for _ in range(12):
        task = asyncio.create_task(long())
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with database.practice(demo_office.practice_id) as db:
            assert await db.fetchval("SELECT 1") == 1
