"""Queries for /metrics: state of webhooks, worker and WAL archive. Run under the system role, every few seconds."""

from collections.abc import Sequence

import msgspec

from officepro.foundation.database import Connection
from officepro.maintenance.queries import DISPATCH_JOB, JobFigures, job_figures

NEWEST_DELIVERIES = 10_000


class ArchiverFigures(msgspec.Struct, frozen=True):
    """Last success and failure of WAL archiving (pg_stat_archiver), in seconds since the epoch; 0: never."""

    last_success_seconds: float
    last_failure_seconds: float


class DispatchFigures(msgspec.Struct, frozen=True):
    """State of webhooks and worker in the database."""

    by_state: dict[str, int]  # number of deliveries per state, among the newest NEWEST_DELIVERIES
    lag_events: int  # events that are not fanned out yet
    oldest_event_seconds: float = 0.0  # age of the oldest of them
    oldest_queued_seconds: float = 0.0  # age of the oldest queued delivery of an active, healthy subscription
    worker_seen_seconds: float = 0.0  # last heartbeat of a worker, in seconds since the epoch; 0: never
    maintenance: Sequence[JobFigures] = ()
    archiver: ArchiverFigures | None = None  # None: archive_mode is off


async def dispatch_figures(db: Connection) -> DispatchFigures:
    """Return the state of webhooks, worker, maintenance jobs and WAL archive."""
    by_state = await db.fetch(
        """
        SELECT state, count(*) FROM (SELECT state FROM webhook_delivery ORDER BY delivery_id DESC LIMIT $1) AS newest
        GROUP BY state
        """,
        NEWEST_DELIVERIES,
    )
    lag = await db.fetch(
        """
        SELECT coalesce(sum(head.last - state.last_log_id), 0)::bigint AS events,
               coalesce(extract(epoch FROM now() - min(log.occurred_at)), 0)::float8 AS age
        FROM log_head head JOIN dispatch_state state USING (practice_id)
        LEFT JOIN log ON log.practice_id = head.practice_id AND log.log_id = state.last_log_id + 1
        WHERE head.last > state.last_log_id
        """
    )
    oldest_queued: float = await db.fetchval(
        """
        SELECT coalesce(extract(epoch FROM now() - min(delivery.created_at)), 0)::float8
        FROM webhook_delivery delivery JOIN webhook_subscription subscription USING (subscription_id)
        WHERE delivery.state = 'queued' AND subscription.status = 'active' AND subscription.failing_since IS NULL
        """
    )
    jobs = {job.job: job for job in await job_figures(db)}
    dispatch = jobs.pop(DISPATCH_JOB, None)
    return DispatchFigures(
        {row["state"]: row["count"] for row in by_state},
        lag[0]["events"],
        max(0.0, lag[0]["age"]),
        max(0.0, oldest_queued),
        dispatch.last_success_seconds if dispatch else 0.0,
        list(jobs.values()),
        await _archiver(db),
    )


async def _archiver(db: Connection) -> ArchiverFigures | None:
    rows = await db.fetch(
        """
        SELECT coalesce(extract(epoch FROM last_archived_time), 0)::float8 AS success,
               coalesce(extract(epoch FROM last_failed_time), 0)::float8 AS failure
        FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'
        """
    )
    return ArchiverFigures(rows[0]["success"], rows[0]["failure"]) if rows else None
