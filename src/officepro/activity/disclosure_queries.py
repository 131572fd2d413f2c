"""The disclosure ledger in the database: appended to, listed, and read again link by link."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from officepro.foundation.database import Connection, Row

CHAIN_ROWS = 5_000  # read at a time when the ledger is verified


async def append(db: Connection, practice_id: int, answers: Sequence[tuple[int, int, str, str, str, list[int]]]) -> int:
    """One row for each answer (key, partner, method, endpoint, request id, patients), in one statement and so in one
    transaction; the number of the last one."""
    keys, partners, methods, endpoints, requests, patients = zip(*answers, strict=True)
    lists = list(map(_as_text, patients))
    number: int = await db.fetchval(
        "SELECT append_disclosures($1, $2, $3, $4, $5, $6, $7)",
        practice_id,
        keys,
        partners,
        methods,
        endpoints,
        requests,
        lists,
    )
    return number


async def append_to_several(
    db: Connection, answers: Mapping[int, Sequence[tuple[int, int, str, str, str, list[int]]]]
) -> None:
    """The same for several practices, in one statement that binds itself to one after the other."""
    rows = [(practice_id, *answer) for practice_id in sorted(answers) for answer in answers[practice_id]]
    practices, keys, partners, methods, endpoints, requests, patients = zip(*rows, strict=True)
    await db.execute(
        "SELECT append_disclosures_together($1, $2, $3, $4, $5, $6, $7)",
        practices,
        keys,
        partners,
        methods,
        endpoints,
        requests,
        list(map(_as_text, patients)),
    )


def _as_text(numbers: Iterable[int]) -> str:
    """A list as PostgreSQL writes it, since several of different lengths are handed over: no array holds those."""
    return "{" + ",".join(map(str, numbers)) + "}"


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which disclosures are wanted."""

    patient_id: int | None = None
    api_key_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None  # the number of the last one of the page before


async def some(db: Connection, practice_id: int, wanted: Filter, limit: int) -> list[Row]:
    """Newest first."""
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
        SELECT read.number, read.happened_at, partner.company, read.partner_id, api_key.name, read.api_key_id,
               read.method, read.endpoint, read.request_id, read.patient_ids
        FROM (SELECT * FROM disclosure WHERE {" AND ".join(conditions)} ORDER BY number DESC LIMIT {limit:d}) AS read
        LEFT JOIN partner USING (partner_id) LEFT JOIN api_key ON api_key.api_key_id = read.api_key_id
        ORDER BY read.number DESC
        """,
        *arguments,
    )


async def practices(db: Connection, practicepass: str | None = None) -> list[Row]:
    """(practice_id, practicepass) of one practice or of all, whether or not anybody was ever read there."""
    return await db.fetch(
        """
        SELECT practice_id, practicepass FROM practice WHERE $1::text IS NULL OR practicepass = $1
        ORDER BY practice_id
        """,
        practicepass,
    )


async def head(db: Connection, practice_id: int) -> tuple[int, bytes]:
    """How many rows there must be, and the last one's hash."""
    row = await db.fetchrow("SELECT last, last_sha256 FROM disclosure_head WHERE practice_id = $1", practice_id)
    return (0, b"") if row is None else (row["last"], row["last_sha256"])


async def in_order(db: Connection, practice_id: int) -> AsyncIterator[Row]:
    """Every row by number."""
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


def link(before: bytes, row: Row) -> bytes:
    """The hash that a row must have after the one before it."""
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
    )
    return hashlib.sha256(before + "\n".join(map(str, lines)).encode()).digest()
