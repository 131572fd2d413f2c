"""The request log is written here: in batches, off the request's path.

A request costs its own thread of work one append to a list. Every tenth of a second what has come together is written
by one statement, rows and hourly figures alike; a killed worker loses no more than that.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from officepro.access.caller import Caller
from officepro.activity import queries
from officepro.door import Done
from officepro.foundation.database import Database
from officepro.foundation.errors import OfficeProError
from officepro.foundation.input import wire_name

FLUSH_SECONDS = 0.1
MAXIMUM_WAITING = 50_000  # while the database is away; older ones are given up, and counted
MAXIMUM_BATCH = 5_000
BUCKETS_PER_OCTAVE = 4
LONGEST_BUCKET = BUCKETS_PER_OCTAVE * 27  # 2^27 microseconds are two minutes

logger = logging.getLogger("officepro")


class Call(msgspec.Struct, frozen=True):
    """One request as the log keeps it."""

    happened_at: float  # seconds since the epoch
    method: str
    endpoint: str
    status: int
    duration_microseconds: int
    partner_id: int
    api_key_id: int
    practice_id: int
    address: str
    request_id: str


class Recorder:
    """Collects what was done and writes it down; one in each worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Call] = deque(maxlen=MAXIMUM_WAITING)
        self.given_up = 0

    def note(self, done: Done) -> None:
        """Called by the door when an answer has left."""
        scope: dict[str, Any] = done.scope  # type: ignore[assignment]
        if not scope["path"].startswith("/v1/"):
            return
        if len(self._waiting) == MAXIMUM_WAITING:
            self.given_up += 1
        caller: Caller | None = scope.get("caller")
        self._waiting.append(
            Call(
                time.time(),
                scope["method"],
                template(scope.get("path_template") or "(unknown)"),
                done.status,
                int(done.duration_seconds * 1_000_000),
                caller.partner_id if caller else 0,
                caller.key_id if caller else 0,
                caller.practice_id if caller else 0,
                scope["address"],
                scope["request_id"],
            )
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """What cannot be written stays and is tried again."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAXIMUM_BATCH))]
            try:
                async with self._database.system() as db:
                    await queries.write(db, _rows(batch), _hours(batch))
            except OfficeProError as error:
                logger.warning("request log not written", extra={"cause": error.code, "calls": len(batch)})
                self._waiting.extendleft(reversed(batch))
                return


@lru_cache(maxsize=1024)
def template(path: str) -> str:
    """`/v1/{practicepass}/prospects/{patient_id:str}` as the documentation writes it: `/v1/{PPass}/prospects/{id}`."""
    return "/".join(
        "{" + wire_name(part.strip("{}").partition(":")[0]) + "}" if part.startswith("{") else part
        for part in path.split("/")
    )


def bucket_of(microseconds: int) -> int:
    """Four buckets an octave: bucket n begins at 2^(n/4) microseconds."""
    return min(int(math.log2(max(microseconds, 1)) * BUCKETS_PER_OCTAVE), LONGEST_BUCKET)


def _rows(batch: Iterable[Call]) -> list[tuple[Any, ...]]:
    return [
        (
            datetime.fromtimestamp(call.happened_at, UTC),
            call.method,
            call.endpoint,
            call.status,
            call.duration_microseconds,
            call.partner_id or None,
            call.api_key_id or None,
            call.practice_id or None,
            call.address,
            call.request_id,
        )
        for call in batch
    ]


def _hours(batch: Iterable[Call]) -> list[dict[str, Any]]:
    """The batch added up by hour, practice, partner, key and endpoint."""
    hours: dict[tuple[Any, ...], dict[str, Any]] = {}
    for call in batch:
        hour = int(call.happened_at // 3600) * 3600
        key = (hour, call.practice_id, call.partner_id, call.api_key_id, call.method, call.endpoint)
        sums = hours.get(key)
        if sums is None:
            sums = hours[key] = {
                "hour": datetime.fromtimestamp(hour, UTC).isoformat(),
                "practice_id": call.practice_id,
                "partner_id": call.partner_id,
                "api_key_id": call.api_key_id,
                "method": call.method,
                "endpoint": call.endpoint,
                "calls": 0,
                "caller_errors": 0,
                "own_errors": 0,
                "duration_microseconds": 0,
                "durations": [0] * (LONGEST_BUCKET + 1),
            }
        sums["calls"] += 1
        sums["caller_errors"] += 400 <= call.status < 500
        sums["own_errors"] += call.status >= 500
        sums["duration_microseconds"] += call.duration_microseconds
        sums["durations"][bucket_of(call.duration_microseconds)] += 1
    return list(hours.values())
