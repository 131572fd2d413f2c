"""How the webhooks are doing, cheaply enough to be asked every few seconds; under the system role."""

from collections.abc import Sequence

import msgspec

from officepro.foundation.database import Connection
from officepro.maintenance.queries import JobFigures, job_figures

NEWEST_DELIVERIES = 10_000


class DispatchFigures(msgspec.Struct, frozen=True):
    """The newest deliveries by state, how many events wait to be made into deliveries, and the worker's maintenance."""

    by_state: dict[str, int]
    lag_events: int
    maintenance: Sequence[JobFigures] = ()


async def dispatch_figures(db: Connection) -> DispatchFigures:
    rows = await db.fetch(
        """
        SELECT state, count(*) FROM (SELECT state FROM webhook_delivery ORDER BY delivery_id DESC LIMIT $1) AS newest
        GROUP BY state
        """,
        NEWEST_DELIVERIES,
    )
    lag: int = await db.fetchval(
        """
        SELECT coalesce(sum(head.last - state.last_log_id), 0)::bigint
        FROM log_head head JOIN dispatch_state state USING (practice_id) WHERE head.last > state.last_log_id
        """
    )
    return DispatchFigures({row[0]: row[1] for row in rows}, lag, await job_figures(db))
