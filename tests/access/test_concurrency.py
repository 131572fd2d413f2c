"""No API key holds more than its share of a process's capacity: other keys' requests are still accepted."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from officepro import door
from officepro.access import concurrency
from tests.world import Office

PLACES = 8
SENT = 50  # slow requests of one key


@asynccontextmanager
async def slow_requests(**counts: tuple[Office, int]) -> AsyncIterator[dict[str, list["asyncio.Task[int]"]]]:
    """Send requests of each office's partner that wait for a lock, as long as the context lasts."""

    async def create(office: Office) -> int:
        return (await office.partner.post("/prospects", json={"FirstName": "Grace"})).status_code

    tasks = {}
    owner = next(iter(counts.values()))[0].house.owner
    async with owner.transaction():
        for name, (office, count) in counts.items():
            await owner.execute("SELECT FROM log_head WHERE practice_id = $1 FOR UPDATE", office.practice_id)
            tasks[name] = [asyncio.create_task(create(office)) for _ in range(count)]
            await asyncio.sleep(0.3)
        yield tasks
    await asyncio.gather(*(task for of_one in tasks.values() for task in of_one))


def answers_of(tasks: list["asyncio.Task[int]"]) -> Counter[int]:
    return Counter(task.result() for task in tasks)


@pytest.fixture
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the limits below the number of database connections; requests count as recent however long this machine
    stalls."""
    monkeypatch.setattr(concurrency, "FRESH_SECONDS", 60.0)
    for module in (concurrency, door):
        monkeypatch.setattr(module, "MAXIMUM_FRESH", PLACES)


@pytest.mark.usefixtures("few_places")
@pytest.mark.parametrize("is_limited", [True, False], ids=["limited", "the control: no limit per key"])
async def test_slow_requests_of_one_key_leave_places_for_another(
    demo_office: Office, berlin_office: Office, monkeypatch: pytest.MonkeyPatch, is_limited: bool
) -> None:
    if not is_limited:
        monkeypatch.setattr(concurrency, "UNDER_PRESSURE", 100.0)
    async with slow_requests(demo=(demo_office, SENT)) as slow:
        others = Counter([(await berlin_office.partner.get("/tags")).status_code for _ in range(10)])
        own = await demo_office.partner.get("/tags")
    answers = answers_of(slow["demo"])

    if not is_limited:
        assert others == {503: 10}
        return
    assert others == {200: 10}
    assert answers == {201: 6, 429: SENT - 6}
    assert (own.status_code, own.json()["code"]) == (429, "too_many_concurrent_requests")
    assert own.headers["Retry-After"] == "1"
    assert (await demo_office.partner.get("/tags")).status_code == 200


@pytest.mark.usefixtures("few_places")
async def test_no_more_than_half_where_others_hold_the_rest(demo_office: Office, berlin_office: Office) -> None:
    async with slow_requests(berlin=(berlin_office, 2), demo=(demo_office, SENT)) as slow:
        pass

    assert answers_of(slow["demo"]) == {201: 4, 429: SENT - 4}
    assert answers_of(slow["berlin"]) == {201: 2}


async def test_places_are_given_back(demo_office: Office) -> None:
    """After refusals, errors and successes no request stays counted."""
    app = demo_office.house.app
    assert isinstance(app, door.Door)
    paths = ["/tags", "/prospects/1", "/prospects?nonsense=1"] * 40
    answers = Counter(
        answer.status_code for answer in await asyncio.gather(*(demo_office.partner.get(path) for path in paths))
    )

    assert {200, 400, 404} <= answers.keys()
    assert app.inside == 0
    assert app._concurrency._of_key == {}
