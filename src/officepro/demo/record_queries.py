"""The demo's records into the database, and whether they are there."""

from collections.abc import Mapping, Sequence
from typing import Any

from officepro.foundation.database import Connection
from officepro.foundation.wire import encode


async def has_vendors(db: Connection, vendor_codes: Sequence[str]) -> bool:
    """Whether any of them has a partner already."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM vendor WHERE vendor_code = ANY ($1::text[]))", list(vendor_codes)
    )
    return found


async def add_articles(db: Connection, articles: Sequence[tuple[str, str, str, str, str]]) -> None:
    """Title, text, category, type and tags of each, numbered from 1."""
    await db.executemany(
        """
        INSERT INTO article (article_id, title, article, category, type, tags) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING
        """,
        [(number, *article) for number, article in enumerate(articles, 1)],
    )


async def has_asked(db: Connection, email: str) -> bool:
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM access_request WHERE lower(email) = lower($1))", email)
    return found


async def has_tickets(db: Connection, practice_id: int) -> bool:
    """Whoever asks at the same time waits for our commit."""
    await db.execute("SELECT last FROM log_head WHERE practice_id = $1 FOR UPDATE", practice_id)
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM ticket WHERE practice_id = $1)", practice_id)
    return found


async def add_history(db: Connection, practice_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    await db.execute(
        """
        INSERT INTO ticket_history (practice_id, ticket_id, version, field, was, became, changed_at)
        SELECT $1, ticket_id, version, field, was, became, changed_at
        FROM json_populate_recordset(NULL::ticket_history, $2::text::json)
        """,
        practice_id,
        encode(rows).decode(),
    )
