"""Each maintenance job on its own: what fails is logged and counted, and stops nothing else."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from litestar import Litestar

from officepro.foundation.database import Database
from officepro.foundation.errors import Unavailable
from officepro.maintenance import runner
from officepro.maintenance.queries import clock_is_steady
from officepro.maintenance.runner import Job, Maintenance, Outcome
from officepro.settings import Settings
from officepro.webhooks import maintenance_jobs
from tests.activity.test_metrics import labels, scraped
from tests.world import House

RUNS = "officepro_maintenance_runs_total"
LAST = "officepro_maintenance_last_success_timestamp_seconds"


async def well(database: Database) -> None:
    pass


async def refused(database: Database) -> None:
    raise Unavailable("not now")


async def broken(database: Database) -> None:
    async with database.system() as db:
        await db.execute("SELECT drop_partitions('log', now())")


async def impossible(database: Database) -> None:
    raise ZeroDivisionError("of Ada Lovelace")


@pytest.fixture(autouse=True)
async def counted_anew(owner: asyncpg.Connection) -> AsyncIterator[None]:
    yield
    await owner.execute("DELETE FROM maintenance_job")
    await owner.execute("UPDATE maintenance_clock SET seen_at = now(), steady_since = '-infinity'")


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str, str]]:
    return [
        (record.levelname, record.getMessage(), getattr(record, "job", ""), getattr(record, "reason", ""))
        for record in caplog.records
        if record.name == "officepro.worker"
    ]


async def test_whatever_a_job_raises_is_logged_and_counted_and_the_others_go_on(
    database: Database,
    house: House,
    inner_app: Litestar,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "EVERY_SECONDS", 0.05)
    monkeypatch.setattr(runner, "RETRY_SECONDS", 0.05)
    jobs = [Job("refused", refused), Job("broken", broken), Job("impossible", impossible), Job("well", well)]
    running = asyncio.create_task(Maintenance(database, jobs).run_forever())
    figures = (
        "SELECT min(succeeded + failed) FROM maintenance_job "
        "WHERE job IN ('refused', 'broken', 'impossible', 'well') HAVING count(*) = 4"
    )
    async with asyncio.timeout(10):
        while (await house.owner.fetchval(figures) or 0) < 2:  # noqa: ASYNC110 -- the jobs run meanwhile
            await asyncio.sleep(0.02)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert set(lines(caplog)) == {
        ("ERROR", "maintenance failed", "refused", "unavailable"),
        ("ERROR", "maintenance failed", "broken", "below_retention_floor"),
        ("ERROR", "maintenance failed", "impossible", "ZeroDivisionError"),
    }
    assert "Ada" not in caplog.text.replace("ZeroDivisionError", "")
    await inner_app.state.account.read_database(database)
    told = await scraped(house)
    for job in ("refused", "broken", "impossible"):
        assert told[RUNS, labels(maintenance_job=job, outcome="failed")] >= 2
        assert told[RUNS, labels(maintenance_job=job, outcome="succeeded")] == 0
        assert told[LAST, labels(maintenance_job=job)] == 0
    assert told[RUNS, labels(maintenance_job="well", outcome="succeeded")] >= 2
    now = await house.owner.fetchval("SELECT extract(epoch FROM now())::float8")
    assert abs(told[LAST, labels(maintenance_job="well")] - now) < 60


async def test_runs_that_could_not_be_counted_are_counted_later(
    database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    maintenance = Maintenance(database, [])
    await owner.execute("ALTER TABLE maintenance_job RENAME TO away")
    assert await maintenance.run_once(Job("well", well)) == "succeeded"
    await owner.execute("ALTER TABLE away RENAME TO maintenance_job")
    await maintenance.run_once(Job("well", well))

    assert await owner.fetchval("SELECT succeeded FROM maintenance_job WHERE job = 'well'") == 2


async def test_every_job_of_a_worker_succeeds(
    database: Database, settings: Settings, owner: asyncpg.Connection
) -> None:
    maintenance = Maintenance(database, [])
    jobs = maintenance_jobs.jobs(settings)
    outcomes: dict[str, Outcome] = {job.name: await maintenance.run_once(job) for job in jobs}

    assert outcomes == dict.fromkeys(outcomes, "succeeded")
    assert {row["job"] for row in await owner.fetch("SELECT job FROM maintenance_job")} == outcomes.keys()


async def test_what_deletes_by_age_waits_until_the_clock_was_steady_for_a_day(
    database: Database, owner: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """A reading long before the next is a clock that jumped ahead; one after the next, a clock that was set back."""
    maintenance = Maintenance(database, [])
    job = Job("deleting", impossible, deletes_by_age=True)
    for jump in ("150 days", "-150 days", "3 days", "-2 hours"):
        await owner.execute(
            "UPDATE maintenance_clock SET steady_since = '-infinity', seen_at = now() - $1::text::interval", jump
        )
        assert await maintenance.run_once(job) == "skipped", jump
        assert await maintenance.run_once(job) == "skipped", jump
    assert lines(caplog)[0] == ("WARNING", "maintenance skipped", "deleting", "clock_out_of_range")

    await owner.execute("UPDATE maintenance_clock SET steady_since = now() - interval '25 hours'")
    for usual in ("70 minutes", "30 hours", "-10 minutes"):
        await owner.execute("UPDATE maintenance_clock SET seen_at = now() - $1::text::interval", usual)
        async with database.system() as db:
            assert await clock_is_steady(db), usual
