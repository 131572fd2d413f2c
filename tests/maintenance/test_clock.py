"""The database's clock goes ahead by 150 days and comes back, while practices work and a worker delivers: no event is
lost, nothing stops, and maintenance is well afterwards. (tests/chaos/test_clock.py does it to a whole installation)"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from officepro import app as application
from officepro.activity import queries
from officepro.activity.recorder import Call
from officepro.foundation.database import Database
from officepro.maintenance import runner
from officepro.settings import Settings
from officepro.webhooks.dispatcher import Dispatcher, dispatcher
from tests.conftest import alive
from tests.maintenance.shifted_clock import ShiftedClock
from tests.webhooks.acts import happen, sign_up
from tests.webhooks.receivers import Receiver, receiving
from tests.world import House, Office, make_office

AHEAD_DAYS = 150
MAINTAINED = "SELECT count(*) FROM maintenance_job WHERE succeeded + skipped > 0"
JOBS = 10


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that met a lock is tried again at once, instead of after a minute."""
    monkeypatch.setattr(runner, "RETRY_SECONDS", 0.2)


@asynccontextmanager
async def working(settings: Settings, shifted: ShiftedClock) -> AsyncIterator[Dispatcher]:
    """A worker at work, until its first maintenance is through and its work is done."""
    await shifted.owner.execute("DELETE FROM maintenance_job")
    stop = asyncio.Event()
    async with dispatcher(settings) as worker:
        living = asyncio.create_task(worker.live(stop, 10))
        yield worker
        async with asyncio.timeout(20):
            while await shifted.owner.fetchval(MAINTAINED) < JOBS:
                assert not living.done(), living.result()
                await asyncio.sleep(0.05)
        stop.set()
        await living


async def happened(office: Office, how_many: int) -> set[int]:
    """Their numbers. 503 is right while a partition is attached into which the event goes: it is tried again."""
    entry = {"Scope": "Claims", "Event": "claim.paid", "EntityID": 7, "Data": {"ClaimID": 7}}
    numbers: set[int] = set()
    while len(numbers) < how_many:
        answer = await office.house.admin.post(f"{office.path.replace('/v1', '/v1/admin')}/log", json=[entry])
        assert answer.status_code in (201, 503), answer.text
        numbers |= {event["LogID"] for event in answer.json().get("data", ())}
    return numbers


async def until_delivered(receiver: Receiver, numbers: set[int]) -> None:
    async with asyncio.timeout(20):
        while not numbers <= set(receiver.log_ids):  # noqa: ASYNC110 -- a worker sends them
            await asyncio.sleep(0.05)


async def test_ahead_by_150_days_and_back(shifted: ShiftedClock, own_settings: Settings, receiver: Receiver) -> None:
    inner = application.create_inner_app(own_settings)
    async with (
        alive(inner),
        House.open(application.enclose(inner), shifted.owner, own_settings) as house,
    ):
        office = await make_office(house, "DemoOffice", "America/New_York")
        await sign_up(office, receiver)
        receiver.secret = ""  # one that verifies takes a signature of another time for a replay
        delivered: set[int] = set()
        for days, events in ((0, 3), (AHEAD_DAYS, 4), (0, 5)):
            await shifted.ahead(days)
            async with working(own_settings, shifted):
                numbers = await happened(office, events)
                await until_delivered(receiver, numbers)
                delivered |= numbers
            assert (await office.partner.get("/tags")).status_code == 200
        await the_months_between_come(shifted, own_settings, office, receiver, delivered)


async def the_months_between_come(
    shifted: ShiftedClock, settings: Settings, office: Office, receiver: Receiver, delivered: set[int]
) -> None:
    """Months later, when the time has really come in which rows are dated already."""
    for days in (60, 100, 148):
        await shifted.ahead(days)
        async with working(settings, shifted):
            numbers = await happened(office, 1)
            await until_delivered(receiver, numbers)
            delivered |= numbers
    rows = await shifted.owner.fetch("SELECT log_id FROM log WHERE practice_id = $1 ORDER BY 1", office.practice_id)
    assert [row[0] for row in rows] == list(range(1, max(delivered) + 1))
    assert await shifted.owner.fetchval("SELECT count(*) FROM webhook_delivery WHERE state = 'delivered'") == len(rows)
    for table in ("log", "webhook_delivery", "request_log"):
        assert await shifted.owner.fetchval(f"SELECT count(*) FROM {table}_default") == 0, table


async def test_what_was_leased_and_retried_ahead_goes_on_at_once_when_the_clock_is_back(
    shifted: ShiftedClock, own_settings: Settings, receiver: Receiver
) -> None:
    inner = application.create_inner_app(own_settings)
    async with alive(inner), House.open(application.enclose(inner), shifted.owner, own_settings) as house:
        office = await make_office(house, "DemoOffice", "America/New_York")
        await sign_up(office, receiver)
        receiver.secret = ""
        await shifted.ahead(AHEAD_DAYS)
        receiver.statuses = [500]
        (failed, *others) = await happen(office, 3)
        async with dispatcher(own_settings) as worker:
            await worker.settle()
        await shifted.owner.execute(
            "UPDATE webhook_delivery SET state = 'sending', attempts = 0, attempted_at = NULL, status_code = NULL, "
            "duration_ms = NULL, leased_by = 1, due_at = now() + interval '1 minute' WHERE log_id = $1",
            others[-1],
        )
        receiver.received.clear()
        await shifted.ahead(0)
        async with working(own_settings, shifted):
            await until_delivered(receiver, {failed, others[-1]})
    assert {row[0] for row in await shifted.owner.fetch("SELECT state FROM webhook_delivery")} == {"delivered"}


async def test_an_event_that_waited_for_its_partition_to_be_attached_is_to_be_repeated(
    shifted: ShiftedClock, own_settings: Settings
) -> None:
    """It was on its way into the default partition, where it does not belong any more."""
    inner = application.create_inner_app(own_settings)
    async with alive(inner), House.open(application.enclose(inner), shifted.owner, own_settings) as house:
        office = await make_office(house, "DemoOffice", "America/New_York")
        await shifted.ahead(AHEAD_DAYS)
        assert (await office.partner.post("/prospects", json={"FirstName": "Ada"})).status_code == 201
        attaching = shifted.owner.transaction()
        await attaching.start()
        assert await shifted.owner.fetchval("SELECT add_partitions('log', 'month', now(), 1)") == 1
        late = asyncio.create_task(office.partner.post("/prospects", json={"FirstName": "Grace"}))
        async with asyncio.timeout(10):
            while not await shifted.owner.fetchval(WAITING):  # noqa: ASYNC110 -- the API's statement waits
                await asyncio.sleep(0.02)
        await attaching.commit()
        answer = await late
        assert (answer.status_code, answer.json()["code"]) == (503, "unsettled")
        assert (await office.partner.post("/prospects", json={"FirstName": "Grace"})).status_code == 201


async def test_no_call_is_dated_later_than_the_database_s_clock_says(
    database: Database, owner: asyncpg.Connection
) -> None:
    """The process's own clock is ahead: its calls stay in the partition of the day."""
    future = datetime.now(UTC) + timedelta(days=AHEAD_DAYS)
    past = datetime.now(UTC) - timedelta(minutes=5)
    calls = [
        Call(moment, "GET", "/", 200, 1, None, None, None, "", f"dated {moment:%Y}{number}")
        for number, moment in enumerate((future, past))
    ]
    async with database.system() as db:
        await queries.write(db, calls)
    dated = [
        row[0]
        for row in await owner.fetch(
            "SELECT happened_at FROM request_log WHERE request_id LIKE 'dated %' ORDER BY happened_at"
        )
    ]
    assert dated[0] == past
    assert past < dated[1] <= datetime.now(UTC)


WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'log_default'::regclass)"
