"""Pausing and resuming a subscription. Events kept during the pause are delivered on resuming, in order."""

from officepro.foundation.database import Connection
from officepro.webhooks import queries
from officepro.webhooks.queries import Subscription


async def set_status(db: Connection, subscription_id: int, status: str) -> Subscription:
    """Set the status `paused` or `active`, which also re-enables a disabled subscription. Call within a transaction."""
    changed = await queries.set_status(db, subscription_id, status)
    if status == "active":
        for practice_id in await queries.practices_waiting(db, subscription_id):
            await queries.wake(db, practice_id)
    return changed
