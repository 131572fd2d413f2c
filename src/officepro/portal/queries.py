"""What the pages show that no room of its own has a query for; under the system role."""

from officepro.foundation.database import Connection, Row

MOST_CHOICES = 500  # in a list to choose from


async def practices(db: Connection) -> list[Row]:
    return await db.fetch(
        "SELECT practice_id, practicepass, name, time_zone FROM practice ORDER BY lower(practicepass) LIMIT $1",
        MOST_CHOICES,
    )


async def partners(db: Connection) -> list[Row]:
    return await db.fetch(
        "SELECT partner_id, company FROM partner ORDER BY lower(company), partner_id LIMIT $1", MOST_CHOICES
    )


async def open_requests(db: Connection) -> list[Row]:
    """The newest requests for access that nobody has decided on."""
    if await db.fetchval("SELECT to_regclass('access_request') IS NULL"):
        return []
    return await db.fetch(
        """
        SELECT access_request_id, company, practice, scopes, created_at FROM access_request
        WHERE status = 'open' ORDER BY created_at DESC LIMIT 5
        """
    )
