"""Pausing a subscription, and going on: what was kept meanwhile is delivered at once, in order."""

from officepro.foundation.database import Connection
from officepro.webhooks import queries
from officepro.webhooks.queries import Subscription


async def set_status(db: Connection, subscription_id: int, status: str) -> Subscription:
    """`paused` or `active`, which also brings back a disabled one. Within a transaction."""
    changed = await queries.set_status(db, subscription_id, status)
    if status == "active":
        for practice_id in await queries.practices_waiting(db, subscription_id):
            await queries.wake(db, practice_id)
    return changed
