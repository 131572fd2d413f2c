"""Queries of the maintenance jobs' state: run counters and clock check. Run under the system role."""

from typing import NamedTuple

from officepro.foundation.database import Connection

# Job name under which workers count iterations of the dispatcher: their heartbeat.
DISPATCH_JOB = "webhook_dispatch"


class JobFigures(NamedTuple):
    """Run counts of a job, over all workers."""

    job: str
    succeeded: int
    failed: int
    skipped: int
    last_success_seconds: float  # since the epoch; 0: never


async def clock_is_steady(db: Connection) -> bool:
    """Read the database's clock and return whether it has been steady for 24 h.

    It is steady while each reading is at most two days after the previous one (jobs run hourly) and at most one hour
    before it (a time server may set the clock back).
    """
    is_steady: bool = await db.fetchval(
        """
        UPDATE maintenance_clock SET seen_at = now(), steady_since = CASE
            WHEN now() BETWEEN seen_at - interval '1 hour' AND seen_at + interval '2 days' THEN steady_since
            ELSE now() END
        RETURNING steady_since <= now() - interval '1 day'
        """
    )
    return is_steady


async def count_runs(db: Connection, job: str, outcome: str, runs: int) -> None:
    """Add a number of runs to a job's counter of `outcome`: succeeded, failed or skipped."""
    await db.execute(
        """
        INSERT INTO maintenance_job AS kept (job, succeeded, failed, skipped, last_success_at)
        SELECT $1, CASE $2 WHEN 'succeeded' THEN $3::bigint ELSE 0 END, CASE $2 WHEN 'failed' THEN $3 ELSE 0 END,
               CASE $2 WHEN 'skipped' THEN $3 ELSE 0 END, CASE $2 WHEN 'succeeded' THEN now() END
        ON CONFLICT (job) DO UPDATE SET
            succeeded = kept.succeeded + excluded.succeeded, failed = kept.failed + excluded.failed,
            skipped = kept.skipped + excluded.skipped,
            last_success_at = coalesce(excluded.last_success_at, kept.last_success_at)
        """,
        job,
        outcome,
        runs,
    )


async def job_figures(db: Connection) -> list[JobFigures]:
    """Return the run counts of all jobs."""
    rows = await db.fetch(
        """
        SELECT job, succeeded, failed, skipped, coalesce(extract(epoch FROM last_success_at), 0)::float8
        FROM maintenance_job ORDER BY job
        """
    )
    return [JobFigures(*row) for row in rows]
