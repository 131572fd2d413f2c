"""Faults under load: killed workers; a crashed, frozen, full or locked database. (PROOF.md)

In all cases no acknowledged write is lost or duplicated, no write is stored partially, `/readyz` is correct, and the
service recovers without intervention.
"""

import asyncio
import math
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from tests.chaos.drill import KILL_EVERY_SECONDS, Drill, drill, standing
from tests.chaos.instances import Instance
from tests.chaos.writers import Truth, Writers, truth

CLIENTS = 24
WARM_SECONDS = 2.0
RECOVERY_SECONDS = 30.0
GRACE_SECONDS = 1.5  # for which /readyz may report the previous disk space


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Drill]:
    """A separate installation for each test."""
    with drill(tmp_path / "drill") as running:
        yield running


@asynccontextmanager
async def fire(server: Drill, folder: Path) -> AsyncIterator[tuple[Instance, Writers, int]]:
    """Run an instance under load. Yields it with the id of the practice that is written to."""
    async with standing(server, folder, practices=1) as (instance, [office], tokens), asyncio.timeout(500):
        writers = Writers([instance], office.practicepass, tokens[office.practicepass])
        async with writers.writing(CLIENTS):
            await asyncio.sleep(WARM_SECONDS)
            yield instance, writers, office.practice_id


def report(capsys: pytest.CaptureFixture[str], fault: str, found: Truth, writers: Writers, more: str) -> None:
    """Print the result. No first attempt may have got 500."""
    with capsys.disabled():
        answers = ", ".join(f"{count} × {told}" for told, count in sorted(writers.first_answers.items()))
        print(f"\n{fault}: {found}; first answers {answers}; {more}")  # noqa: T201 -- result of the drill
    assert writers.first_answers["500"] == 0
    assert writers.without_retry_after == 0


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_api_workers_killed(server: Drill, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kills, pauses = 5, []
    async with fire(server, tmp_path / "api") as (instance, writers, practice_id):
        for number in range(kills):
            victims = instance.workers()
            os.kill(victims[number % len(victims)], signal.SIGKILL)
            pauses.append(await writers.acknowledged_again(RECOVERY_SECONDS))
            await asyncio.sleep(KILL_EVERY_SECONDS)
        assert len(instance.workers()) == 2, instance.log()
        assert await instance.is_ready()

    found = await truth(server.owner_url, practice_id, writers.acknowledged)
    report(capsys, f"{kills} API workers killed", found, writers, f"longest pause {max(pauses):.1f} s")
    assert writers.first_answers["cut off"] > 0  # the fault had an effect
    assert found.faults == (0, 0, 0, 0, 0)


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_durable", [True, False], ids=["as it is", "the control: commits that are not waited for"])
async def test_the_database_crashes_and_comes_back(
    server: Drill, tmp_path: Path, capsys: pytest.CaptureFixture[str], is_durable: bool
) -> None:
    if not is_durable:
        await server.wait_for_no_commit()
    crashes, pauses = 3, []
    async with fire(server, tmp_path / "api") as (instance, writers, practice_id):
        for _ in range(crashes):
            await asyncio.to_thread(server.crash_database)
            pauses.append(await writers.acknowledged_again(RECOVERY_SECONDS))
            await asyncio.sleep(2)
        assert await instance.is_ready()

    found = await truth(server.owner_url, practice_id, writers.acknowledged)
    report(capsys, f"{crashes} crashes of PostgreSQL", found, writers, f"longest pause {max(pauses):.1f} s")
    assert writers.first_answers["503"] > 0
    if is_durable:
        assert found.faults == (0, 0, 0, 0, 0)
    else:
        assert found.lost > 0


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_the_database_freezes_and_thaws(
    server: Drill, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with fire(server, tmp_path / "api") as (instance, writers, practice_id):
        frozen_at = time.monotonic()
        with frozen(server):
            await asyncio.sleep(8)
        thawed_at = time.monotonic()
        pause = await writers.acknowledged_again(RECOVERY_SECONDS)
        await asyncio.sleep(2)
        assert await instance.is_ready()

    told = writers.was_ready(frozen_at + 0.5, thawed_at - 3.0)  # requests that were answered before the thaw
    found = await truth(server.owner_url, practice_id, writers.acknowledged)
    report(capsys, "PostgreSQL frozen for 8 s", found, writers, f"back after {pause:.1f} s; ready meanwhile: {told}")
    assert told
    assert not any(told)
    assert writers.first_answers["503"] > 0
    assert found.faults == (0, 0, 0, 0, 0)


@contextmanager
def frozen(server: Drill) -> Iterator[None]:
    """Suspend every process of the server."""
    lines = (server.server.directory / "postmaster.pid").read_text().splitlines()
    family = {int(lines[0]), *children_of(int(lines[0]))}
    for process in family:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in family:
            os.kill(process, signal.SIGCONT)


def children_of(process: int) -> list[int]:
    """Return the ids of a process's children."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_every_connection_waits_for_a_lock(
    server: Drill, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pools are exhausted, but the database works, so the service is ready."""
    async with fire(server, tmp_path / "api") as (instance, writers, practice_id):
        owner = await asyncpg.connect(server.owner_url)
        began = time.monotonic()
        async with owner.transaction():
            await owner.execute("LOCK TABLE patient")
            await asyncio.sleep(6)
        ended = time.monotonic()
        await owner.close()
        pause = await writers.acknowledged_again(RECOVERY_SECONDS)
        assert await instance.is_ready()

    found = await truth(server.owner_url, practice_id, writers.acknowledged)
    report(capsys, "the table locked for 6 s", found, writers, f"back after {pause:.1f} s")
    assert all(writers.was_ready(began, ended))
    assert writers.first_answers["503"] > 0
    assert found.faults == (0, 0, 0, 0, 0)


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_the_disk_is_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_disk(tmp_path / "disk", megabytes=700) as folder, drill(folder) as server:
        async with fire(server, tmp_path / "api") as (_, writers, practice_id):
            filler = folder / "filler"
            began = len(writers.acknowledged)
            filling_at = time.monotonic()
            fill(filler)
            full_at = time.monotonic()
            await asyncio.sleep(20)
            roomy_at = time.monotonic()
            during = len(writers.acknowledged) - began
            filler.unlink()
            await asyncio.to_thread(revived, server)
            pause = await writers.acknowledged_again(60)
            back_at = time.monotonic()
            await asyncio.sleep(4)

        found = await truth(server.owner_url, practice_id, writers.acknowledged)
        meanwhile = writers.was_ready(full_at + GRACE_SECONDS, roomy_at)
        afterwards = writers.was_ready(back_at + GRACE_SECONDS, math.inf)
        more = (
            f"{during} acknowledged meanwhile, ready {sum(meanwhile)} of {len(meanwhile)} times; back in {pause:.1f} s "
            f"and ready {sum(afterwards)} of {len(afterwards)} times"
        )
        report(capsys, "a full disk for 20 s", found, writers, more)
    assert meanwhile
    assert not any(meanwhile)
    assert afterwards
    assert all(afterwards)
    assert all(writers.was_ready(0, filling_at))
    assert writers.first_answers["503"] > 0
    assert found.faults == (0, 0, 0, 0, 0)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a small tmpfs. Requires root."""
    folder.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Fill the disk with a file."""
    with open(path, "wb", buffering=0) as file:
        for size in (2**20, 2**12):  # small blocks last: other processes write too
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)


def revived(server: Drill) -> None:
    """Restart a PostgreSQL that stopped because the disk was full, as systemd would."""
    if not server.server.is_running():
        server.server.launch()
