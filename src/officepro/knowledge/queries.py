"""Queries for articles: full-text search, create, and change with the former revision stored."""

from typing import Any

import msgspec

from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import NotFound
from officepro.foundation.etags import StaleVersion
from officepro.foundation.paging import MAXIMUM_TOTAL, Page

FIELDS = ("title", "article", "category", "type", "tags", "active")
MARK = "**"  # articles are Markdown, and so are their highlights
_HIGHLIGHTS = f'StartSel={MARK}, StopSel={MARK}, MaxFragments=3, MinWords=8, MaxWords=24, FragmentDelimiter=" … "'


class UnknownArticle(NotFound):
    """There is no such article; GET /v1/kb lists them."""

    code = "unknown_article"


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Filter of a list or search of articles."""

    search: str | None = None  # websearch_to_tsquery syntax
    beginnings: str = ""  # the same search as a tsquery of prefixes
    category: str | None = None
    type: str | None = None
    include_inactive: bool = False
    highlights: bool = False


_COLUMNS = "article_id, title, article, category, type, tags, active, updated_at"


async def some(db: Connection, wanted: Filter, page: Page) -> tuple[list[Row], int]:
    """Return a page and the total number: a search by relevance, a list by title."""
    arguments: list[Any] = []
    conditions = _conditions(wanted, arguments)
    matching = f"FROM article {_query(wanted, arguments)} WHERE {' AND '.join(conditions) or 'true'}"
    total: int = await db.fetchval(
        f"SELECT count(*) FROM (SELECT {matching} LIMIT {MAXIMUM_TOTAL}) AS counted", *arguments
    )
    order = "lower(title), article_id" if wanted.search is None else "ts_rank_cd(document, query) DESC, article_id"
    highlights = f"ts_headline('english', article, query, '{_HIGHLIGHTS}')" if wanted.highlights else "NULL"
    arguments += [page.limit, page.offset]
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS}, {highlights} AS highlights {matching} ORDER BY {order}
        LIMIT ${len(arguments) - 1} OFFSET ${len(arguments)}
        """,
        *arguments,
    )
    return rows, total


def _conditions(wanted: Filter, arguments: list[Any]) -> list[str]:
    conditions = [] if wanted.include_inactive else ["active"]
    for column, value in (("category", wanted.category), ("type", wanted.type)):
        if value is not None:
            arguments.append(value)
            conditions.append(f"lower({column}) = lower(${len(arguments)})")
    if wanted.search is not None:
        conditions.append("document @@ query")
    return conditions


def _query(wanted: Filter, arguments: list[Any]) -> str:
    if wanted.search is None:
        return ""
    arguments += [wanted.search, wanted.beginnings]
    whole, begun = f"${len(arguments) - 1}", f"${len(arguments)}"
    return f", (SELECT websearch_to_tsquery('english', {whole}) || to_tsquery('english', {begun}) AS query) AS asked"


async def one(db: Connection, article_id: int) -> Row:
    """Return an article with its version. Raises UnknownArticle."""
    row = await db.fetchrow(f"SELECT {_COLUMNS}, version FROM article WHERE article_id = $1", article_id)
    if row is None:
        raise UnknownArticle
    return row


async def create(db: Connection, columns: dict[str, Any]) -> Row:
    """Insert an article."""
    row = await db.fetchrow(
        f"""
        INSERT INTO article (title, article, category, type, tags, active) VALUES ($1, $2, $3, $4, $5, $6)
        RETURNING {_COLUMNS}, version
        """,
        *(columns[field] for field in FIELDS),
    )
    assert row is not None
    return row


async def change(
    db: Connection, article_id: int, columns: dict[str, Any], version: int | None, key_id: int | None
) -> Row:
    """Store the current revision and update the given columns. Call in a transaction: it locks the article.

    Raises UnknownArticle, StaleVersion.
    """
    current = await db.fetchval("SELECT version FROM article WHERE article_id = $1 FOR UPDATE", article_id)
    if current is None:
        raise UnknownArticle
    if version not in (None, current):
        raise StaleVersion(current)
    if not columns:
        return await one(db, article_id)
    await db.execute(
        f"""
        INSERT INTO article_revision (article_id, version, {", ".join(FIELDS)}, updated_by, updated_at)
        SELECT article_id, version, {", ".join(FIELDS)}, updated_by, updated_at FROM article WHERE article_id = $1
        """,
        article_id,
    )
    changes = [f"{name} = ${number}" for number, name in enumerate(columns, 3)]
    row = await db.fetchrow(
        f"""
        UPDATE article SET {", ".join(changes)}, version = version + 1, updated_by = $2, updated_at = now()
        WHERE article_id = $1 RETURNING {_COLUMNS}, version
        """,
        article_id,
        key_id,
        *columns.values(),
    )
    assert row is not None
    return row


async def revisions(db: Connection, article_id: int, page: Page) -> tuple[list[Row], int]:
    """Return a page of the former revisions of an article, newest first. Raises UnknownArticle."""
    total = await db.fetchval(
        """
        SELECT (SELECT count(*) FROM article_revision revision WHERE revision.article_id = article.article_id)
        FROM article WHERE article_id = $1
        """,
        article_id,
    )
    if total is None:
        raise UnknownArticle
    rows = await db.fetch(
        f"""
        SELECT version, {", ".join(FIELDS)}, updated_at FROM article_revision WHERE article_id = $1
        ORDER BY version DESC LIMIT $2 OFFSET $3
        """,
        article_id,
        page.limit,
        page.offset,
    )
    return rows, min(total, MAXIMUM_TOTAL)
