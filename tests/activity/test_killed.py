"""A server killed with SIGKILL under load: every answer about a person that left is on record, and of the request log
no more is lost than the last quarter of a second."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from officepro.activity.verification import verify
from officepro.foundation.database import Database
from tests.activity.conftest import calls_of, ledger_of
from tests.world import Office

LOAD_SECONDS = 1.5
LOST_SECONDS = 0.25
CLIENTS = 16


@asynccontextmanager
async def serving(office: Office, folder: Path) -> AsyncIterator[tuple[str, int]]:
    """A server of its own, on the same database: its address, and the process group to kill."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    others = {name: text for name, text in os.environ.items() if not name.startswith("OFFICEPRO_")}
    settings = office.house.settings.but(port=str(port), workers="2", data_dir=str(folder))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "officepro.cli", "serve"),
        env=others | dict(settings.given),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient() as visitor, asyncio.timeout(30):
            while True:
                with suppress(httpx.TransportError):
                    if (await visitor.get(f"{base}/readyz")).status_code == 200:
                        break
                await asyncio.sleep(0.05)
        yield base, process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def read_until_the_end(base: str, office: Office, token: str, answered: dict[str, float]) -> None:
    """By request id, when each answer was here."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=base + office.path, headers=headers) as caller:
        with suppress(httpx.TransportError):
            while True:
                answer = await caller.get("/prospects?search=ada")
                assert answer.status_code == 200, answer.text
                answered[answer.headers["x-request-id"]] = time.time()


async def under_way(answered: dict[str, float]) -> None:
    """Returns when the load has run for a while and has been answered, however slow the machine is just now."""
    async with asyncio.timeout(60):
        await asyncio.sleep(LOAD_SECONDS)
        while len(answered) <= 100:  # noqa: ASYNC110 -- the load counts its own answers
            await asyncio.sleep(0.05)


async def test_killed_under_load(demo_office: Office, database: Database, tmp_path: Path) -> None:
    answered: dict[str, float] = {}
    token = await demo_office.token()
    async with serving(demo_office, tmp_path) as (base, group):
        load = [asyncio.create_task(read_until_the_end(base, demo_office, token, answered)) for _ in range(CLIENTS)]
        await under_way(answered)
        killed_at = time.time()
        os.killpg(group, signal.SIGKILL)
        await asyncio.gather(*load)

    owner = demo_office.house.owner
    on_record = {row["request_id"] for row in await ledger_of(owner, demo_office)}
    logged = {call["request_id"] for call in await calls_of(owner, demo_office)}
    assert len(answered) > 100
    assert answered.keys() - on_record == set()
    assert {one for one, at in answered.items() if at < killed_at - LOST_SECONDS} - logged == set()
    [found] = [one async for one in verify(database, demo_office.practicepass)]
    assert found.faults == []
