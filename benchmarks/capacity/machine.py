"""Resource use: processor time by process tree, and bytes that PostgreSQL stores and writes to its WAL."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

_TICKS = os.sysconf("SC_CLK_TCK")

# Partitions count under the name of their table.
_TABLES = """
SELECT coalesce(parent.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))::bigint AS bytes
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' GROUP BY 1
"""


@dataclass(frozen=True)
class Spent:
    """Resources used up to a time, or between two times."""

    api: float  # processor seconds
    worker: float
    database: float
    log_bytes: int  # of WAL
    seconds: float

    def __sub__(self, before: "Spent") -> "Spent":
        return Spent(
            self.api - before.api,
            self.worker - before.worker,
            self.database - before.database,
            self.log_bytes - before.log_bytes,
            self.seconds - before.seconds,
        )


@dataclass(frozen=True)
class Machine:
    """Process trees and database of the measured installation."""

    api: int  # process ids of the trees' roots
    worker: int
    database: int
    owner_url: str

    def spent(self) -> Spent:
        """Return the resources used so far."""
        return Spent(
            _processor_seconds(self.api),
            _processor_seconds(self.worker),
            _processor_seconds(self.database),
            self._log_bytes(),
            time.perf_counter(),
        )

    def _log_bytes(self) -> int:
        with psycopg.connect(self.owner_url) as connection:
            row = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return int(row[0])

    def tables(self) -> dict[str, tuple[int, int]]:
        """Return rows, and bytes including indexes, of each table."""
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            sizes: dict[str, int] = dict(connection.execute(_TABLES).fetchall())
            found = {}
            for name, size in sizes.items():
                row = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()
                assert row is not None
                found[name] = (int(row[0]), size)
        return found


def _processor_seconds(root: int) -> float:
    """Return the processor seconds of a process and its descendants, including ended ones that were reaped."""
    return sum(_own_seconds(process) for process in _tree(root))


def _tree(root: int) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(each.name))
    waiting = [root]
    while waiting:
        process = waiting.pop()
        yield process
        waiting += children.get(process, [])


def _own_seconds(process: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0
