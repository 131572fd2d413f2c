"""The disclosure ledger: no answer that tells of a person leaves before its row is kept.

A handler awaits its row. While one write of a practice is under way, the answers that come meanwhile wait together
and share the next one, so that the busier it is the fewer commits there are for each answer.

The rule: **an answer in whose shape a `PatientID` stands is a disclosure**, whoever asked and whatever for: records,
visits with their person, the tags somebody wears, and the repeat of such an answer to an Idempotency-Key. A list is
one row with everybody on it; an empty one is none. Times without a person (slots, schedules, holds), the thin events,
and refusals are not.
"""

import asyncio
import logging
import time
from collections.abc import Iterable

import msgspec

from officepro.activity import disclosure_queries
from officepro.foundation.database import Database
from officepro.foundation.errors import OfficeProError, Unavailable

MAXIMUM_BATCH = 500
WRITES_AT_ONCE = 4  # of different practices, in one worker: the other connections stay with those who read

logger = logging.getLogger("officepro")


class NotOnRecord(Unavailable):
    """This could not be put on record as a disclosure, so it was not told; try again in a moment."""

    code = "not_on_record"


class Disclosure(msgspec.Struct, frozen=True):
    """One answer about people: who got it, and where."""

    practice_id: int
    api_key_id: int
    partner_id: int
    method: str
    endpoint: str
    request_id: str
    patient_ids: list[int]


class Ledger:
    """One in each worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[int, list[_Waiting]] = {}  # by practice; as long as a writer of it is at work
        self._writers: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(WRITES_AT_ONCE)
        self.rows = 0
        self.writes = 0
        self.write_seconds = 0.0
        self.failures = 0

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def record(self, disclosure: Disclosure) -> None:
        """Returns when the row is kept. Raises NotOnRecord."""
        waiting = _Waiting(disclosure, asyncio.get_running_loop().create_future())
        others = self._waiting.get(disclosure.practice_id)
        if others is not None:
            others.append(waiting)
        else:
            self._waiting[disclosure.practice_id] = [waiting]
            writer = asyncio.create_task(self._write_while_anybody_waits(disclosure.practice_id))
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        await waiting.kept

    async def _write_while_anybody_waits(self, practice_id: int) -> None:
        while waiting := self._waiting[practice_id]:
            async with self._turns:
                batch = waiting[:MAXIMUM_BATCH]  # those too that came while others had their turn
                del waiting[:MAXIMUM_BATCH]
                await self._keep(practice_id, batch)
        del self._waiting[practice_id]

    async def _keep(self, practice_id: int, batch: "list[_Waiting]") -> None:
        started = time.perf_counter()
        try:
            async with self._database.practice(practice_id, is_writing=True) as db:
                await disclosure_queries.append(db, practice_id, [one.as_row() for one in batch])
        except Exception as failure:
            cause = failure.code if isinstance(failure, OfficeProError) else type(failure).__name__
            logger.warning("disclosures not kept", extra={"cause": cause, "answers": len(batch)})
            self.failures += len(batch)
            for one in batch:
                one.fail()
        else:
            self.rows += len(batch)
            self.writes += 1
            self.write_seconds += time.perf_counter() - started
            for one in batch:
                one.succeed()


class _Waiting(msgspec.Struct):
    """One request that waits for its row."""

    disclosure: Disclosure
    kept: asyncio.Future[None]

    def as_row(self) -> tuple[int, int, str, str, str, list[int]]:
        one = self.disclosure
        return one.api_key_id, one.partner_id, one.method, one.endpoint, one.request_id, one.patient_ids

    def succeed(self) -> None:
        if not self.kept.done():  # whose caller has gone does not wait any more
            self.kept.set_result(None)

    def fail(self) -> None:
        if not self.kept.done():
            self.kept.set_exception(NotOnRecord())


def told_of(patient_ids: Iterable[int | None]) -> list[int]:
    """Everybody that an answer tells of, once; a time that is only held is nobody's."""
    return sorted({patient_id for patient_id in patient_ids if patient_id is not None})
