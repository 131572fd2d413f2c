"""Re-encryption of webhook secrets with the first of OFFICEPRO_ENCRYPTION_KEYS, after which older keys can be removed.

Processes all subscriptions in batches, one transaction each. An interrupted run can be repeated: secrets that are
already encrypted with the first key are unchanged, as are expired previous secrets, which are no longer used. A secret
that is rotated meanwhile is not overwritten.
"""

import msgspec

from officepro.foundation.database import Connection, Database, Row
from officepro.webhooks.sealing import CannotOpen, Sealer

BATCH_ROWS = 500


class Reencrypted(msgspec.Struct):
    """Counts of secrets: current ones, and previous ones that are still valid."""

    reencrypted: int = 0
    already_current: int = 0
    failed: int = 0  # their encryption key is not in the settings
    failed_subscription_ids: list[int] = []


async def reencrypt(database: Database, sealer: Sealer) -> Reencrypted:
    """Re-encrypt all secrets with the first key and return the counts."""
    counts, last_id = Reencrypted(), 0
    while True:
        async with database.system_transaction() as db:
            rows = await db.fetch(
                """
                SELECT subscription_id, secret,
                       CASE WHEN previous_secret_until > now() THEN previous_secret END AS previous_secret
                FROM webhook_subscription WHERE subscription_id > $1 ORDER BY subscription_id LIMIT $2 FOR UPDATE
                """,
                last_id,
                BATCH_ROWS,
            )
            for row in rows:
                await _reencrypt(db, row, sealer, counts)
        if len(rows) < BATCH_ROWS:
            return counts
        last_id = rows[-1]["subscription_id"]


async def _reencrypt(db: Connection, row: Row, sealer: Sealer, counts: Reencrypted) -> None:
    """Re-encrypt the secrets of one subscription, which the caller has locked."""
    changed = {}
    for column in ("secret", "previous_secret"):
        encrypted = row[column]
        if encrypted is None:
            continue
        if sealer.is_current(encrypted):
            counts.already_current += 1
            continue
        try:
            changed[column] = sealer.seal(sealer.open(encrypted))
            counts.reencrypted += 1
        except CannotOpen:
            counts.failed += 1
            if row["subscription_id"] not in counts.failed_subscription_ids[-1:]:
                counts.failed_subscription_ids.append(row["subscription_id"])
    if changed:
        await db.execute(
            """
            UPDATE webhook_subscription
            SET secret = coalesce($2, secret), previous_secret = coalesce($3, previous_secret)
            WHERE subscription_id = $1
            """,
            row["subscription_id"],
            changed.get("secret"),
            changed.get("previous_secret"),
        )
