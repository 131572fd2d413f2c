"""What the maintenance jobs keep about themselves, in the database; under the system role."""

from typing import NamedTuple

from officepro.foundation.database import Connection

# The name under which workers count the rounds of their dispatcher, which is how a worker shows that it works.
DISPATCH_JOB = "webhook_dispatch"


class JobFigures(NamedTuple):
    """What became of a job's runs, over all workers."""

    job: str
    succeeded: int
    failed: int
    skipped: int
    last_success_seconds: float  # since the epoch; 0: never


async def clock_is_steady(db: Connection) -> bool:
    """Whether for a day every reading of the database's clock has followed the one before it: by no more than two days,
    for jobs run hourly, and by no less than an hour backwards, which a time server may correct."""
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
    rows = await db.fetch(
        """
        SELECT job, succeeded, failed, skipped, coalesce(extract(epoch FROM last_success_at), 0)::float8
        FROM maintenance_job ORDER BY job
        """
    )
    return [JobFigures(*row) for row in rows]
