"""Queries of the disclosure log: append, list, and read in order for verification."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from officepro.foundation.database import Connection, Row

CHAIN_ROWS = 5_000  # read at a time during verification

# Columns of one response: key, partner, method, endpoint, request id, recipient (one part per line), patients.
Answer = tuple[int, int, str, str, str, str, list[int]]


async def append(db: Connection, practice_id: int, answers: Sequence[Answer]) -> int:
    """Insert one row for each response, in one statement and so in one transaction. Return the last row's number."""
    *columns, recipients, patients = zip(*answers, strict=True)
    columns += zip(*(recipient.split("\n") for recipient in recipients), strict=True)
    number: int = await db.fetchval(
        "SELECT append_disclosures($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        practice_id,
        *columns,
        list(map(_as_text, patients)),
    )
    return number


async def append_to_several(db: Connection, answers: Mapping[int, Sequence[Answer]]) -> None:
    """Insert the rows of several practices in one statement, which sets each practice in order of id."""
    rows = [(practice_id, *answer) for practice_id in sorted(answers) for answer in answers[practice_id]]
    *columns, patients = zip(*rows, strict=True)
    await db.execute(
        "SELECT append_disclosures_together($1, $2, $3, $4, $5, $6, $7, $8)",
        *columns,
        list(map(_as_text, patients)),
    )


def _as_text(numbers: Iterable[int]) -> str:
    """Return a list as a PostgreSQL array literal. Lists of different lengths cannot be one array of arrays."""
    return "{" + ",".join(map(str, numbers)) + "}"


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions of a list of disclosures; None means any."""

    patient_id: int | None = None
    api_key_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None  # number of the last row of the previous page


async def some(db: Connection, practice_id: int, wanted: Filter, limit: int) -> list[Row]:
    """Return the matching rows, newest first. Company and key name are as of the disclosure. Rows written before
    revision 0020 have no recipient: they show the present names, and NULL for address, purpose and kinds."""
    arguments: list[Any] = [practice_id]
    conditions = ["practice_id = $1"]
    for value, condition in (
        (wanted.patient_id, "patient_ids @> ARRAY[${}::bigint]"),
        (wanted.api_key_id, "api_key_id = ${}"),
        (wanted.since, "happened_at >= ${}"),
        (wanted.until, "happened_at < ${}"),
        (wanted.before, "number < ${}"),
    ):
        if value is not None:
            arguments.append(value)
            conditions.append(condition.format(len(arguments)))
    return await db.fetch(
        f"""
        SELECT read.number, read.happened_at, coalesce(read.company, partner.company) AS company, read.partner_id,
               coalesce(read.key_name, api_key.name) AS name, read.api_key_id, read.address, read.purpose,
               string_to_array(read.kinds, ',') AS kinds, read.method, read.endpoint, read.request_id, read.patient_ids
        FROM (SELECT * FROM disclosure WHERE {" AND ".join(conditions)} ORDER BY number DESC LIMIT {limit:d}) AS read
        LEFT JOIN partner USING (partner_id) LEFT JOIN api_key ON api_key.api_key_id = read.api_key_id
        ORDER BY read.number DESC
        """,
        *arguments,
    )


async def practices(db: Connection, practicepass: str | None = None) -> list[Row]:
    """Return (practice_id, practicepass) of one practice or of all, also of those without a disclosure."""
    return await db.fetch(
        """
        SELECT practice_id, practicepass FROM practice WHERE $1::text IS NULL OR practicepass = $1
        ORDER BY practice_id
        """,
        practicepass,
    )


async def head(db: Connection, practice_id: int) -> tuple[int, bytes]:
    """Return the expected number of rows and the last row's hash; (0, b"") where there is none."""
    row = await db.fetchrow("SELECT last, last_sha256 FROM disclosure_head WHERE practice_id = $1", practice_id)
    return (0, b"") if row is None else (row["last"], row["last_sha256"])


async def heads(db: Connection) -> list[tuple[str, int, bytes]]:
    """Return practicepass, number and hash of the last row of every practice that has one, in one snapshot."""
    rows = await db.fetch(
        """
        SELECT practicepass, last, last_sha256 FROM disclosure_head JOIN practice USING (practice_id)
        WHERE last > 0 ORDER BY practice_id
        """
    )
    return [(row["practicepass"], row["last"], row["last_sha256"]) for row in rows]


async def time_of_database(db: Connection) -> datetime:
    """Return the database's current time."""
    now: datetime = await db.fetchval("SELECT now()")
    return now


async def in_order(db: Connection, practice_id: int) -> AsyncIterator[Row]:
    """Yield every row of a practice, ordered by number."""
    number = -(2**63)
    while True:
        rows = await db.fetch(
            f"SELECT * FROM disclosure WHERE practice_id = $1 AND number > $2 ORDER BY number LIMIT {CHAIN_ROWS}",
            practice_id,
            number,
        )
        for row in rows:
            yield row
        if len(rows) < CHAIN_ROWS:
            return
        number = rows[-1]["number"]


RECIPIENT = ("company", "key_name", "address", "purpose", "kinds")  # all of them NULL in rows older than revision 0020


def link(before: bytes, row: Mapping[str, Any] | Row) -> bytes:
    """Return the hash that a row must have after the row before it, as the SQL function disclosure_sha256 computes it.
    If any of the recipient's columns is set, all of them are hashed."""
    recipient = [row[column] for column in RECIPIENT]
    lines = (
        row["practice_id"],
        row["number"],
        row["happened_at"].strftime("%Y-%m-%dT%H:%M:%S.%f"),
        row["api_key_id"],
        row["partner_id"],
        row["method"],
        row["endpoint"],
        row["request_id"],
        ",".join(map(str, row["patient_ids"])),
        *(recipient if any(part is not None for part in recipient) else ()),
    )
    return hashlib.sha256(before + "\n".join(map(str, lines)).encode()).digest()
