"""Runner of the maintenance jobs: one task per job; failures are logged and counted.

A failed job is retried after a minute, affects neither other jobs nor the worker, and is counted in /metrics as
officepro_maintenance_runs_total{outcome="failed"}. Jobs that delete by age are skipped until the database's clock has
been steady for 24 h, so that a clock that jumps ahead temporarily does not expire all data.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, NamedTuple

from officepro.foundation.database import Database
from officepro.foundation.database_errors import level_of, log_fields, sqlstate_of
from officepro.foundation.errors import OfficeProError
from officepro.maintenance import queries

EVERY_SECONDS = 3600.0
RETRY_SECONDS = 60.0  # after a failure, such as a lock that a dump holds
JITTER = 0.1  # a pause is lengthened by up to this fraction, so that workers do not run a job simultaneously
JOBS_AT_ONCE = 2  # leaves database connections for deliveries

Outcome = Literal["succeeded", "failed", "skipped"]
# SQLSTATEs raised by the functions of migration 0019.
REASONS = {"OP001": "clock_out_of_range", "OP002": "below_retention_floor"}

logger = logging.getLogger("officepro.worker")
_random = random.SystemRandom()


class Job(NamedTuple):
    """A maintenance job. `deletes_by_age` jobs need a steady clock."""

    name: str
    run: Callable[[Database], Awaitable[None]]
    deletes_by_age: bool = False


class Maintenance:
    """The jobs of one worker."""

    def __init__(self, database: Database, jobs: Sequence[Job]) -> None:
        self._database = database
        self._jobs = jobs
        self._at_once = asyncio.Semaphore(JOBS_AT_ONCE)
        self._uncounted: Counter[tuple[str, Outcome]] = Counter()  # runs not yet written to the database

    async def run_forever(self) -> None:
        """Run every job hourly, until cancelled."""
        await asyncio.gather(*(self._repeat(job) for job in self._jobs))

    async def _repeat(self, job: Job) -> None:
        while True:
            outcome = await self.run_once(job)
            pause = RETRY_SECONDS if outcome == "failed" else EVERY_SECONDS
            await asyncio.sleep(pause * (1 + JITTER * _random.random()))

    async def run_once(self, job: Job) -> Outcome:
        """Run a job once, count the run, and return its outcome. Errors are logged; raises only CancelledError."""
        async with self._at_once:
            outcome = await self._outcome_of(job)
            self._uncounted[job.name, outcome] += 1
            try:
                await self._count()
            except Exception as error:
                logger.log(level_of(error), "maintenance not counted", extra=_fields(job, error))
        return outcome

    async def _outcome_of(self, job: Job) -> Outcome:
        try:
            if job.deletes_by_age and not await self._clock_is_steady():
                reason = {"job": job.name, "reason": "clock_out_of_range", "group": f"maintenance {job.name}"}
                logger.warning("maintenance skipped", extra=reason)
                return "skipped"
            await job.run(self._database)
        except Exception as error:
            level = logging.DEBUG if level_of(error) == logging.DEBUG else logging.ERROR  # DEBUG: database unavailable
            logger.log(level, "maintenance failed", extra=_fields(job, error))
            return "failed"
        return "succeeded"

    async def _clock_is_steady(self) -> bool:
        async with self._database.system() as db:
            return await queries.clock_is_steady(db)

    async def _count(self) -> None:
        uncounted, self._uncounted = self._uncounted, Counter()
        try:
            async with self._database.system_transaction() as db:
                for (job, outcome), runs in sorted(uncounted.items()):
                    await queries.count_runs(db, job, outcome, runs)
        except BaseException:
            self._uncounted += uncounted
            raise


def _fields(job: Job, error: Exception) -> dict[str, Any]:
    """Return the log fields of a failure, logged once a minute per job. No message texts, which may quote data."""
    away = log_fields(error).get("group")
    sqlstate = sqlstate_of(error) or ""
    kind = error.code if isinstance(error, OfficeProError) else type(error).__name__
    return {
        "job": job.name,
        "reason": REASONS.get(sqlstate, kind),
        "sqlstate": sqlstate,
        "group": away or f"maintenance {job.name}",
        "lines_per_window": 1,
    }
