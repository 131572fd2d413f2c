"""Verification of the disclosure log's integrity: reads it row by row and reports the faults.

The chain detects rows that were changed, removed or moved; the head detects rows missing at the end. If the head was
changed too, only an earlier anchor detects that. (anchors.py)
"""

from collections.abc import AsyncIterator, Iterable
from typing import Self

import msgspec

from officepro.activity import disclosure_queries
from officepro.activity.anchors import Anchor
from officepro.foundation.database import Connection, Database


class Verified(msgspec.Struct):
    """Result of verifying the disclosure log of one practice. No faults: it is intact."""

    practicepass: str
    rows: int = 0
    last_sha256: bytes = b""
    faults: list[str] = []

    @classmethod
    async def of(cls, db: Connection, practice_id: int, practicepass: str, anchors: Iterable[Anchor]) -> Self:
        """Verify the log of one practice. The transaction must read from one snapshot."""
        found = cls(practicepass, faults=[])
        wanted: dict[int, set[str]] = {}
        for anchor in anchors:
            wanted.setdefault(anchor.number, set()).add(anchor.sha256)
        last, last_sha256 = await disclosure_queries.head(db, practice_id)
        async for row in disclosure_queries.in_order(db, practice_id):
            number = row["number"]
            if number != found.rows + 1:
                found.faults.append(_missing(found.rows + 1, number - 1))
            elif row["sha256"] != disclosure_queries.link(found.last_sha256, row):
                found.faults.append(f"row {number} was changed, or does not follow the row before it")
            if wanted.pop(number, set()) - {row["sha256"].hex()}:
                found.faults.append(f"row {number} does not match the anchor")
            found.rows, found.last_sha256 = number, row["sha256"]
        if (found.rows, found.last_sha256) != (last, last_sha256):
            found.faults.append(f"the last row is {found.rows}, expected {last} with the stored hash")
        found.faults.extend(f"row {number} of the anchor is missing" for number in wanted)
        return found


def _missing(first: int, last: int) -> str:
    if last < first:
        return f"row {last + 1} is out of sequence"
    return f"row {first} is missing" if first == last else f"rows {first} to {last} are missing"


async def verify(
    database: Database, practicepass: str | None = None, anchors: Iterable[Anchor] = ()
) -> AsyncIterator[Verified]:
    """Verify the log of one practice or of all; yield one result per practice."""
    kept: dict[str, list[Anchor]] = {}
    for anchor in anchors:
        kept.setdefault(anchor.practicepass, []).append(anchor)
    async with database.system() as db:
        practices = await disclosure_queries.practices(db, practicepass)
    for practice_id, name in practices:
        async with database.system_transaction() as db:
            await db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield await Verified.of(db, practice_id, name, kept.pop(name, ()))
    for name in kept if practicepass is None else ():
        yield Verified(name, faults=["there are anchors of this practice, but it does not exist"])
