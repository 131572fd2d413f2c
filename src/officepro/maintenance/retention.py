"""Rows that are deleted by age, where there are no partitions to drop."""

from officepro.foundation.database import NO_PRACTICE, Connection, Database

PORTAL_SESSION_HOURS = 24  # a session ends after at most 8; the portal itself deletes when somebody signs in
IDEMPOTENCY_HOURS = 24
FIGURES_DAYS = 1096  # three years of the dashboard's daily figures


async def purge_idempotency(database: Database) -> None:
    """Practice by practice under its own row-level security, because stored responses may hold data of patients."""
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
    """Those of the future too, which began while the clock was ahead and would not end for as long."""
    async with database.system() as db:
        await db.execute(
            """
            DELETE FROM portal_session
            WHERE created_at NOT BETWEEN now() - make_interval(hours => $1) AND now() + interval '1 minute'
            """,
            PORTAL_SESSION_HOURS,
        )


async def purge_figures(database: Database) -> None:
    """The dashboard's daily figures, which outlive the request log that they were summed from."""
    async with database.system() as db:
        await db.execute("DELETE FROM request_day WHERE day < current_date - $1::integer", FIGURES_DAYS)
        await db.execute("DELETE FROM request_day_duration WHERE day < current_date - $1::integer", FIGURES_DAYS)
