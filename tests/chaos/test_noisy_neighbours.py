"""Replays, aborted uploads and writes that wait for a lock in one practice: calls and events of another one continue.
(PROOF.md: One caller cannot stop another)"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from officepro.webhooks.dispatcher import dispatcher
from officepro.webhooks.replay import MAXIMUM_REPLAYED
from tests.access.test_broken_uploads import UPLOADS
from tests.chaos.instances import Connection, Instance, instances
from tests.chaos.neighbours import calls, is_unharmed
from tests.webhooks.acts import happen, sign_up, until
from tests.webhooks.receivers import receiving
from tests.world import Office

SECONDS = 10.0
UPLOADERS = 64
WRITERS = 60
REPLAYERS = 16
EVENTS = 20_000  # in the replayed log
LONGEST_DELIVERY_SECONDS = 5.0  # of an event of another practice, on a shared machine

Attack = Callable[[float], Coroutine[None, None, None]]  # runs until that time (time.monotonic())


@pytest.fixture
async def instance(demo_office: Office, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Instance]:
    """One API instance, of the module in the parameter."""
    module = getattr(request, "param", "officepro.cli")
    async with instances(demo_office.house.settings.but(workers="1"), tmp_path, 1, module) as [one]:
        yield one


@asynccontextmanager
async def attacked_by(count: int, attack: Attack, seconds: float) -> AsyncIterator[None]:
    """Run `count` concurrent attacks for a number of seconds."""
    async with asyncio.TaskGroup() as attacks:
        for _ in range(count):
            attacks.create_task(attack(time.monotonic() + seconds))
        yield


async def calm_then_beside(
    instance: Instance, victim: Office, count: int, attack: Attack, capsys: pytest.CaptureFixture[str]
) -> tuple[Counter[int], float, float]:
    """Return statuses and 99th percentile during the attack, and the 99th percentile before it."""
    path, token = f"{victim.path}/tags", await victim.token()
    await calls(instance, path, token, 1)
    _, calm = await calls(instance, path, token, 3)
    async with attacked_by(count, attack, SECONDS):
        await asyncio.sleep(0.5)
        statuses, busy = await calls(instance, path, token, SECONDS - 1)
    with capsys.disabled():
        print(f"\ncalm p99 {calm * 1000:.1f} ms; beside {busy * 1000:.1f} ms, {dict(statuses)}")  # noqa: T201
    return statuses, busy, calm


@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_broken_uploads(
    demo_office: Office, berlin_office: Office, instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    token, sent = await demo_office.token(), Counter[str]()
    kinds = itertools.cycle(UPLOADS)

    async def upload(end: float) -> None:
        while time.monotonic() < end:
            kind = next(kinds)
            head, body = UPLOADS[kind]
            request = f"POST {demo_office.path}/prospects HTTP/1.1\r\nHost: officepro.test\r\n{head}"
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", instance.port)
                writer.write(
                    f"{request}Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\r\n".encode() + body
                )
                await writer.drain()
                await asyncio.sleep(0.05)
                writer.close()
                sent[kind] += 1

    statuses, busy, calm = await calm_then_beside(instance, berlin_office, UPLOADERS, upload, capsys)

    with capsys.disabled():
        print(f"broken uploads: {dict(sent)}")  # noqa: T201
    assert min(sent[kind] for kind in UPLOADS) > 100
    assert is_unharmed(statuses, busy, calm)
    assert "internal_error" not in instance.log()


@pytest.mark.chaos
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("instance", "is_shared"),
    [("officepro.cli", True), ("tests.chaos.unshared_connections", False)],
    indirect=["instance"],
    ids=["shared", "the control: no shares"],
)
async def test_writes_that_wait_for_the_lock_of_their_practice(
    demo_office: Office,
    berlin_office: Office,
    owner: asyncpg.Connection,
    instance: Instance,
    capsys: pytest.CaptureFixture[str],
    is_shared: bool,
) -> None:
    token, written = await demo_office.token(), Counter[int]()

    async def write(end: float) -> None:
        async with Connection.opened(instance.port) as connection:
            while time.monotonic() < end:
                body = b'{"FirstName": "Ada", "LastName": "Lovelace"}'
                status, _ = await connection.ask("POST", f"{demo_office.path}/prospects", token, body)
                written[status] += 1
                await asyncio.sleep(0.2)

    async with owner.transaction():
        await owner.execute("SELECT FROM log_head WHERE practice_id = $1 FOR UPDATE", demo_office.practice_id)
        statuses, busy, calm = await calm_then_beside(instance, berlin_office, WRITERS, write, capsys)

    with capsys.disabled():
        print(f"writes: {dict(written)}")  # noqa: T201
    assert written.keys() <= {429, 503}
    assert written[503] > WRITERS  # the writes waited
    if not is_shared:
        assert statuses[503] > 0
        return
    assert is_unharmed(statuses, busy, calm)


@pytest.mark.chaos
@pytest.mark.timeout(180)
async def test_replays_of_a_long_log(
    demo_office: Office, berlin_office: Office, instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    answered, owner = Counter[int](), demo_office.house.owner
    async with receiving() as replayed, receiving() as well, dispatcher(demo_office.house.settings) as worker:
        await sign_up(demo_office, replayed)
        await sign_up(berlin_office, well)
        await happen(demo_office, 1)
        stop = asyncio.Event()
        life = asyncio.create_task(worker.live(stop, 1.0))
        await until(lambda: len(replayed.received) == 1)
        await write_log(owner, demo_office.practice_id)
        token = await demo_office.token()

        async def replay(end: float) -> None:
            async with Connection.opened(instance.port) as connection:
                while time.monotonic() < end:
                    status, _ = await connection.ask("POST", "/v1/webhooks/replay", token, b'{"fromLogId": 1}')
                    answered[status] += 1
                    await asyncio.sleep(0.05)

        slowest = 0.0

        async def receive() -> None:
            nonlocal slowest
            await asyncio.sleep(2)
            for number in range(1, 6):
                began = time.monotonic()
                await happen(berlin_office, 1)
                await until(lambda number=number: len(well.received) == number, 60)  # type: ignore[misc]
                slowest = max(slowest, time.monotonic() - began)

        receives = asyncio.create_task(receive())
        statuses, busy, calm = await calm_then_beside(instance, berlin_office, REPLAYERS, replay, capsys)
        await receives
        rows = await owner.fetchval(
            "SELECT count(*) FROM webhook_delivery WHERE practice_id = $1 AND kind = 'replay'", demo_office.practice_id
        )
        stop.set()
        await life

    with capsys.disabled():
        print(  # noqa: T201
            f"replays: {dict(answered)}; deliveries of replays made {rows}, received {len(replayed.received)}; "
            f"slowest event of the other practice {slowest:.2f} s"
        )
    assert answered.keys() <= {202, 409, 429}
    assert answered[202] >= 1
    assert answered[409] > 100
    assert rows <= answered[202] * MAXIMUM_REPLAYED
    assert is_unharmed(statuses, busy, calm)
    assert slowest <= LONGEST_DELIVERY_SECONDS


async def write_log(owner: asyncpg.Connection, practice_id: int) -> None:
    """Insert a long log of delivered events."""
    async with owner.transaction():
        last = await owner.fetchval(
            "UPDATE log_head SET last = last + $2 WHERE practice_id = $1 RETURNING last", practice_id, EVENTS
        )
        await owner.execute(
            """
            INSERT INTO log (practice_id, log_id, scope, event, entity_id, data, occurred_at)
            SELECT $1, n, 'Claims', 'claim.paid', 7, '{}', now() FROM generate_series($2::bigint, $3::bigint) AS n
            """,
            practice_id,
            last - EVENTS + 1,
            last,
        )
        await owner.execute(
            "UPDATE dispatch_state SET last_log_id = $2, last_occurred_at = now() WHERE practice_id = $1",
            practice_id,
            last,
        )
