"""List of the worker's maintenance jobs."""

from functools import partial

from officepro.activity.anchors import AnchorJob
from officepro.foundation.database import Connection, Database
from officepro.maintenance import partitions, retention
from officepro.maintenance.partitions import DELIVERIES, LOG, REQUESTS
from officepro.maintenance.runner import Job
from officepro.settings import Settings
from officepro.webhooks.lanes import LEASE_SECONDS
from officepro.webhooks.queries import IS_LOCKED
from officepro.webhooks.retries import DELAYS, JITTER

LOG_RETENTION_DAYS = 400  # longer than deliveries, so that a partner can still pull and replay events
LONGEST_WAIT_SECONDS = (1 + 2 * JITTER) * max(DELAYS).total_seconds()  # upper bound of any retry's delay


def jobs(settings: Settings) -> tuple[Job, ...]:
    """Return the jobs with the retention periods of the settings. The log is kept at least as long as deliveries."""
    deliveries, requests = settings.delivery_retention_days, settings.request_log_retention_days
    log = max(LOG_RETENTION_DAYS, deliveries)
    return (
        Job("partitions_log", partial(partitions.add, partitioned=LOG)),
        Job("partitions_webhook_delivery", partial(partitions.add, partitioned=DELIVERIES)),
        Job("partitions_request_log", partial(partitions.add, partitioned=REQUESTS)),
        Job("due_times", correct_due_times),
        Job("portal_sessions", retention.purge_portal_sessions),
        Job(
            "retention_webhook_delivery",
            partial(partitions.drop_deliveries, retention_days=deliveries),
            deletes_by_age=True,
        ),
        Job("retention_log", partial(partitions.drop, partitioned=LOG, retention_days=log), deletes_by_age=True),
        Job(
            "retention_request_log",
            partial(partitions.drop, partitioned=REQUESTS, retention_days=requests),
            deletes_by_age=True,
        ),
        Job("request_figures", retention.purge_figures, deletes_by_age=True),
        Job("disclosure_anchors", AnchorJob(settings).run),
        Job("idempotency_keys", retention.purge_idempotency, deletes_by_age=True),
    )


async def correct_due_times(database: Database) -> None:
    """Make deliveries due now whose due time is later than any retry or lease can be. Such times were written while
    the database's clock was ahead and would block their queues until then."""
    async with database.system() as db:
        practices = await practices_with_wrong_due_times(db)
    for practice_id in practices:
        async with database.system_transaction() as db:
            await _correct(db, practice_id)


async def practices_with_wrong_due_times(db: Connection) -> list[int]:
    """Return the practices with a due time that is too far in the future."""
    rows = await db.fetch(
        f"""
        SELECT practice_id FROM webhook_delivery WHERE due_at IS NOT NULL AND {_IS_WRONG}
        UNION SELECT practice_id FROM dispatch_state WHERE next_due_at > now() + make_interval(secs => $1)
        ORDER BY 1
        """,
        LONGEST_WAIT_SECONDS,
    )
    return [row["practice_id"] for row in rows]


_IS_WRONG = f"""
    due_at > now() + CASE state WHEN 'sending' THEN interval '{2 * LEASE_SECONDS} seconds'
                                ELSE make_interval(secs => $1) END
"""


async def _correct(db: Connection, practice_id: int) -> None:
    """Correct one practice. Locked deliveries are skipped: the transaction that locked them sets their due time."""
    await db.execute(
        f"""
        WITH locked AS MATERIALIZED (
            SELECT delivery_id, created_at FROM webhook_delivery
            WHERE practice_id = $2 AND due_at IS NOT NULL AND {_IS_WRONG} FOR UPDATE SKIP LOCKED
        )
        UPDATE webhook_delivery SET due_at = now()
        WHERE practice_id = $2 AND {IS_LOCKED}
        """,
        LONGEST_WAIT_SECONDS,
        practice_id,
    )
    await db.execute("UPDATE dispatch_state SET next_due_at = now() WHERE practice_id = $1", practice_id)
