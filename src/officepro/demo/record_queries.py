"""Queries for the demo's records: inserts, and checks for existing records."""

from collections.abc import Mapping, Sequence
from typing import Any

from officepro.foundation.database import Connection
from officepro.foundation.wire import encode


async def has_vendors(db: Connection, vendor_codes: Sequence[str]) -> bool:
    """True if any of the vendors has an owner."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM vendor WHERE vendor_code = ANY ($1::text[]))", list(vendor_codes)
    )
    return found


async def add_articles(db: Connection, articles: Sequence[tuple[str, str, str, str, str]]) -> None:
    """Insert title, text, category, type and tags of each article, numbered from 1."""
    await db.executemany(
        """
        INSERT INTO article (article_id, title, article, category, type, tags) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING
        """,
        [(number, *article) for number, article in enumerate(articles, 1)],
    )


async def has_asked(db: Connection, email: str) -> bool:
    """True if an access request with this e-mail exists."""
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM access_request WHERE lower(email) = lower($1))", email)
    return found


async def has_tickets(db: Connection, practice_id: int) -> bool:
    """True if the practice has tickets. Locks the practice's log_head row, so that concurrent callers wait for the
    commit."""
    await db.execute("SELECT last FROM log_head WHERE practice_id = $1 FOR UPDATE", practice_id)
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM ticket WHERE practice_id = $1)", practice_id)
    return found


async def add_history(db: Connection, practice_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert history rows of tickets."""
    await db.execute(
        """
        INSERT INTO ticket_history (practice_id, ticket_id, version, field, was, became, changed_at)
        SELECT $1, ticket_id, version, field, was, became, changed_at
        FROM json_populate_recordset(NULL::ticket_history, $2::text::json)
        """,
        practice_id,
        encode(rows).decode(),
    )
