"""Queries for tickets: list, get with comments and history, write with history."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import NotFound
from officepro.foundation.paging import MAXIMUM_TOTAL, Page

COLUMNS = "ticket_id, subject, description, status, priority, category, author, created_at, updated_at"
FIELDS_OF_A_LIST = 9
MAXIMUM_SHOWN = 1000  # newest comments, and newest changes, of a ticket


class UnknownTicket(NotFound):
    """There is no such ticket in this practice."""

    code = "unknown_ticket"


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Filter of a list of tickets."""

    statuses: Sequence[str] = ()  # empty: any
    priorities: Sequence[str] = ()
    search: str | None = None


async def some(db: Connection, practice_id: int, wanted: Filter, page: Page) -> tuple[list[Row], int]:
    """Return a page, most recently changed first, and the total number.

    Scans all tickets of the practice: there are few, and the index restricts the scan to the practice.
    """
    arguments: list[Any] = [practice_id]
    matching = " AND ".join(["practice_id = $1", *_conditions(wanted, arguments)])
    total: int = await db.fetchval(
        f"SELECT count(*) FROM (SELECT FROM ticket WHERE {matching} LIMIT {MAXIMUM_TOTAL}) AS counted", *arguments
    )
    arguments += [page.limit, page.offset]
    rows = await db.fetch(
        f"""
        SELECT {COLUMNS} FROM ticket WHERE {matching} ORDER BY updated_at DESC, ticket_id DESC
        LIMIT ${len(arguments) - 1} OFFSET ${len(arguments)}
        """,
        *arguments,
    )
    return rows, total


def _conditions(wanted: Filter, arguments: list[Any]) -> list[str]:
    conditions = []
    for column, values in (("status", wanted.statuses), ("priority", wanted.priorities)):
        if values:
            arguments.append(list(values))
            conditions.append(f"{column} = ANY (${len(arguments)}::text[])")
    if wanted.search:
        arguments.append(f"%{_as_it_is(wanted.search)}%")
        text = "concat_ws(E'\\n', ticket_id, subject, description, category)"
        conditions.append(f"{text} ILIKE ${len(arguments)}")
    return conditions


def _as_it_is(text: str) -> str:
    """Escape a text for LIKE, in which % and _ are wildcards."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def one(db: Connection, practice_id: int, ticket_id: int) -> Row:
    """Return a ticket with its version. Raises UnknownTicket."""
    return _found(
        await db.fetchrow(
            f"SELECT {COLUMNS}, version FROM ticket WHERE practice_id = $1 AND ticket_id = $2", practice_id, ticket_id
        )
    )


async def locked(db: Connection, practice_id: int, ticket_id: int) -> Row:
    """Return a ticket as `one` does, locked until the transaction ends. Raises UnknownTicket."""
    return _found(
        await db.fetchrow(
            f"""
            SELECT {COLUMNS}, version FROM ticket WHERE practice_id = $1 AND ticket_id = $2 FOR UPDATE
            """,
            practice_id,
            ticket_id,
        )
    )


def _found(row: Row | None) -> Row:
    if row is None:
        raise UnknownTicket
    return row


async def comments(db: Connection, practice_id: int, ticket_id: int) -> list[Row]:
    """Return the newest comments of a ticket, oldest first."""
    return await db.fetch(
        f"""
        SELECT * FROM (
            SELECT comment_id, comment, author, created_at FROM ticket_comment
            WHERE practice_id = $1 AND ticket_id = $2 ORDER BY comment_id DESC LIMIT {MAXIMUM_SHOWN}
        ) AS newest ORDER BY comment_id
        """,
        practice_id,
        ticket_id,
    )


async def history(db: Connection, practice_id: int, ticket_id: int) -> list[Row]:
    """Return the newest changes of a ticket, oldest first."""
    return await db.fetch(
        f"""
        SELECT version, field, was, became, changed_at FROM (
            SELECT * FROM ticket_history
            WHERE practice_id = $1 AND ticket_id = $2 ORDER BY ticket_history_id DESC LIMIT {MAXIMUM_SHOWN}
        ) AS newest ORDER BY ticket_history_id
        """,
        practice_id,
        ticket_id,
    )


async def create(db: Connection, practice_id: int, key_id: int, columns: Mapping[str, Any]) -> Row:
    """Insert a ticket."""
    row = await db.fetchrow(
        f"""
        INSERT INTO ticket (practice_id, created_by, subject, description, priority, category, author)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}, version
        """,
        practice_id,
        key_id,
        *(columns[name] for name in ("subject", "description", "priority", "category", "author")),
    )
    assert row is not None
    return row


async def update(db: Connection, practice_id: int, key_id: int, before: Row, changes: Mapping[str, str]) -> Row:
    """Update a locked ticket. `changes` is by column; each changed column becomes a history row."""
    settings = [f"{column} = ${number}" for number, column in enumerate(changes, 3)]
    row = await db.fetchrow(
        f"""
        UPDATE ticket SET {", ".join([*settings, "version = version + 1", "updated_at = now()"])}
        WHERE practice_id = $1 AND ticket_id = $2 RETURNING {COLUMNS}, version
        """,
        practice_id,
        before["ticket_id"],
        *changes.values(),
    )
    assert row is not None
    await db.execute(
        """
        INSERT INTO ticket_history (practice_id, ticket_id, version, api_key_id, field, was, became)
        SELECT $1, $2, $3, $4, field, was, became
        FROM unnest($5::text[], $6::text[], $7::text[]) AS changed (field, was, became)
        """,
        practice_id,
        row["ticket_id"],
        row["version"],
        key_id,
        [column.capitalize() for column in changes],
        [before[column] for column in changes],
        list(changes.values()),
    )
    return row


async def comment(db: Connection, practice_id: int, key_id: int, ticket_id: int, text: str, author: str) -> Row:
    """Insert a comment and increment the ticket's version; return the comment. Raises UnknownTicket."""
    moved = await db.fetchval(
        """
        UPDATE ticket SET version = version + 1, updated_at = now()
        WHERE practice_id = $1 AND ticket_id = $2 RETURNING true
        """,
        practice_id,
        ticket_id,
    )
    if moved is None:
        raise UnknownTicket
    row = await db.fetchrow(
        """
        INSERT INTO ticket_comment (practice_id, ticket_id, created_by, comment, author) VALUES ($1, $2, $3, $4, $5)
        RETURNING comment_id, comment, author, created_at
        """,
        practice_id,
        ticket_id,
        key_id,
        text,
        author,
    )
    assert row is not None
    return row
