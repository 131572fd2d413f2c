"""The worker's daily anchors, and what the verification finds by them that the database alone cannot show."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from officepro.activity import disclosure_queries
from officepro.activity.anchors import AnchorJob, AnchorNotStored, anchors_in
from officepro.activity.ledger import Ledger
from officepro.foundation.database import Connection, Database
from officepro.foundation.logs import JsonLines
from officepro.settings import Key, Settings
from officepro.webhooks.maintenance_jobs import jobs
from tests.activity.test_ledger import disclosure
from tests.activity.test_tampering import _cut_tail_and_head, ten_reads, verify
from tests.cli.command import officepro
from tests.world import House, Office

__all__ = ["ten_reads"]


def lines_of(text: str, office: Office) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line.get("practicepass") == office.practicepass]


def text_of(file: Path) -> str:
    return file.read_text()


def write(file: Path, text: str) -> None:
    file.write_text(text)


def mode_of(file: Path) -> str:
    return oct(file.stat().st_mode & 0o777)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "anchors"


@pytest.fixture
async def anchored(ten_reads: Office, database: Database, settings: Settings, kept: Path) -> Office:
    await AnchorJob(settings.but(anchor_file=str(kept))).run(database)
    return ten_reads


def test_it_is_a_maintenance_job_of_the_worker(settings: Settings) -> None:
    assert "disclosure_anchors" in [job.name for job in jobs(settings)]


async def test_a_cut_tail_is_found_by_the_worker_s_anchor_and_only_so(
    anchored: Office, owner: asyncpg.Connection, kept: Path
) -> None:
    untouched = await verify(anchored, "--anchors", str(kept))
    assert untouched == (0, f"{anchored.practicepass}: 10 rows, OK\n")

    await _cut_tail_and_head(owner, anchored)

    assert (await verify(anchored))[0] == 0  # what the database holds is consistent
    exit_code, out = await verify(anchored, "--anchors", str(kept))
    assert exit_code == 1
    assert "row 10 of the anchor is missing" in out


async def test_without_anchors_the_verification_says_what_it_cannot_see(house: House, anchored: Office) -> None:
    told = await officepro(house, "disclosure", "verify", "--practice", anchored.practicepass)
    assert "removed from the end together with the head cannot be detected" in told.err


async def test_the_lines_of_the_process_log_will_do(
    ten_reads: Office,
    database: Database,
    settings: Settings,
    owner: asyncpg.Connection,
    kept: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "officepro.worker"):
        await AnchorJob(settings).run(database)
    log = [JsonLines().format(record) for record in caplog.records if record.getMessage() == "disclosure anchor"]
    write(kept, "\n".join(log))
    assert [line["number"] for line in lines_of(text_of(kept), ten_reads)] == [10]

    await _cut_tail_and_head(owner, ten_reads)

    assert "row 10 of the anchor is missing" in (await verify(ten_reads, "--anchors", str(kept)))[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"number": 7}, "has a wrong signature"),
        ({"sha256": "00" * 32}, "has a wrong signature"),
        ({"at": "2026-01-01T00:00:00.000Z"}, "has a wrong signature"),
        ({"practicepass": "Another"}, "has a wrong signature"),
        ({"hmac": ""}, "has a wrong signature"),
        ({"kid": "gone"}, "is signed with the key gone, which is not among OFFICEPRO_ENCRYPTION_KEYS"),
        ({"number": "seven"}, "is not an anchor"),
    ],
)
async def test_an_anchor_that_was_changed_is_refused(
    house: House, anchored: Office, kept: Path, change: dict[str, Any], told: str
) -> None:
    [line] = lines_of(text_of(kept), anchored)
    write(kept, json.dumps(line | change))

    answer = await officepro(house, "disclosure", "verify", "--anchors", str(kept))

    assert answer.exit_code == 1
    assert told in answer.err


async def test_an_anchor_of_a_former_key_holds_while_that_key_is_kept(
    anchored: Office, settings: Settings, kept: Path
) -> None:
    new = Key("new", b"x" * 32)
    assert anchors_in(text_of(kept), [new, *settings.encryption_keys])


async def test_each_place_is_written_once_a_day(
    ten_reads: Office, database: Database, settings: Settings, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = AnchorJob(settings.but(anchor_file=str(kept)))
    for _ in range(3):
        await job.run(database)
    assert len(lines_of(text_of(kept), ten_reads)) == 1

    today = disclosure_queries.time_of_database

    async def tomorrow(db: Connection) -> Any:
        return await today(db) + timedelta(days=1)

    monkeypatch.setattr(disclosure_queries, "time_of_database", tomorrow)
    await job.run(database)

    first, second = lines_of(text_of(kept), ten_reads)
    assert (first["number"], first["sha256"]) == (second["number"], second["sha256"])
    assert first["at"] < second["at"]
    assert mode_of(kept) == "0o640"


@pytest.fixture
async def collector() -> AsyncIterator[tuple[str, list[str], list[int]]]:
    """An address that collects anchors: its URL, the bodies that came, and the statuses to answer with before 204."""
    bodies: list[str] = []
    statuses: list[int] = []

    async def take(request: web.Request) -> web.Response:
        bodies.append(await request.text())
        return web.Response(status=statuses.pop(0) if statuses else 204)

    app = web.Application()
    app.router.add_post("/anchors", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/anchors", bodies, statuses
    await runner.cleanup()


async def test_an_address_that_fails_is_tried_again_and_the_file_has_one_line(
    ten_reads: Office,
    database: Database,
    settings: Settings,
    kept: Path,
    collector: tuple[str, list[str], list[int]],
) -> None:
    url, bodies, statuses = collector
    statuses.append(503)
    job = AnchorJob(settings.but(anchor_file=str(kept), anchor_url=url))

    with pytest.raises(AnchorNotStored):
        await job.run(database)
    await job.run(database)
    await job.run(database)

    assert len(lines_of(text_of(kept), ten_reads)) == 1
    assert len(bodies) == 2
    assert [line["number"] for line in lines_of(bodies[1], ten_reads)] == [10]


async def test_a_file_that_cannot_be_written_does_not_keep_the_address_from_getting_them(
    ten_reads: Office,
    database: Database,
    settings: Settings,
    tmp_path: Path,
    collector: tuple[str, list[str], list[int]],
) -> None:
    url, bodies, _ = collector
    job = AnchorJob(settings.but(anchor_file=str(tmp_path), anchor_url=url))

    with pytest.raises(AnchorNotStored):
        await job.run(database)

    assert len(lines_of(bodies[0], ten_reads)) == 1


async def test_many_practices_go_in_several_requests(
    settings: Settings, collector: tuple[str, list[str], list[int]], monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    async def many(db: Connection) -> list[tuple[str, int, bytes]]:
        return [(f"Practice{number}".ljust(64, "x"), 10**12, b"\1" * 32) for number in range(450)]

    monkeypatch.setattr(disclosure_queries, "heads", many)
    url, bodies, _ = collector
    await AnchorJob(settings.but(anchor_url=url)).run(database)

    assert sum(body.count("\n") for body in bodies) == 450
    assert len(bodies) > 1


async def test_workers_that_append_at_once_mix_no_lines(
    ten_reads: Office, database: Database, settings: Settings, kept: Path
) -> None:
    all_of_them = [AnchorJob(settings.but(anchor_file=str(kept))) for _ in range(4)]
    await asyncio.gather(*(job.run(database) for job in all_of_them))

    assert len(lines_of(text_of(kept), ten_reads)) == 4


async def test_rows_that_were_written_anew_after_the_cut_are_found(
    anchored: Office, owner: asyncpg.Connection, database: Database, kept: Path
) -> None:
    await _cut_tail_and_head(owner, anchored)
    for number in range(7, 12):
        await Ledger(database).record(disclosure(anchored, number, [5]))

    assert (await verify(anchored))[0] == 0
    assert "row 10 does not match the anchor" in (await verify(anchored, "--anchors", str(kept)))[1]
