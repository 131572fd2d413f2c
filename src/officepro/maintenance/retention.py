"""Deletion of rows by age, in tables without partitions."""

from officepro.foundation.database import NO_PRACTICE, Connection, Database

PORTAL_SESSION_HOURS = 24  # sessions last at most 8 h; the portal also deletes expired ones at sign-in
IDEMPOTENCY_HOURS = 24
FIGURES_DAYS = 1096  # three years of the dashboard's daily figures


async def purge_idempotency(database: Database) -> None:
    """Delete expired idempotency keys, per practice under its row-level security, because stored responses may contain
    patient data."""
    async with database.system() as db:
        practices = await db.fetch("SELECT practice_id FROM practice")
        await _purge(db, NO_PRACTICE)
    for row in practices:
        async with database.practice(row["practice_id"]) as db:
            await _purge(db, row["practice_id"])


async def _purge(db: Connection, practice_id: int) -> None:
    await db.execute(
        "DELETE FROM idempotency WHERE practice_id = $1 AND created_at < now() - make_interval(hours => $2)",
        practice_id,
        IDEMPOTENCY_HOURS,
    )


async def purge_portal_sessions(database: Database) -> None:
    """Delete old portal sessions, and those with a start in the future: they began while the clock was ahead and would
    last too long."""
    async with database.system() as db:
        await db.execute(
            """
            DELETE FROM portal_session
            WHERE created_at NOT BETWEEN now() - make_interval(hours => $1) AND now() + interval '1 minute'
            """,
            PORTAL_SESSION_HOURS,
        )


async def purge_figures(database: Database) -> None:
    """Delete old daily figures of the dashboard. They are kept longer than the request log from which they are
    aggregated."""
    async with database.system() as db:
        await db.execute("DELETE FROM request_day WHERE day < current_date - $1::integer", FIGURES_DAYS)
        await db.execute("DELETE FROM request_day_duration WHERE day < current_date - $1::integer", FIGURES_DAYS)
