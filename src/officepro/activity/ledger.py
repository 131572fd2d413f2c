"""The disclosure log: a response that contains a patient is sent only after its row is committed.

Handlers await their row. Group commit: rows that arrive while a write is in progress, of any practice, form the next
batch, so that commits per response decrease with load. Without session state (behind a pooler, in a distributed
database), each practice has its own write. (docs/decisions/0006)

The rule: **every response that contains a `PatientID` is a disclosure**, for any caller and purpose: records, visits
with their patient, a patient's tags, events of the feed (also where the `Data` of an EMR's event has it), and the
repeat of such a response to an Idempotency-Key. A list is one row with all of its patients; an empty one is none. Times
without a patient (slots, schedules, holds), tickets, and refusals are not.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from officepro.activity import disclosure_queries
from officepro.foundation.database import Database
from officepro.foundation.database_errors import level_of, log_fields
from officepro.foundation.errors import Unavailable

MAXIMUM_BATCH = 500

logger = logging.getLogger("officepro")


class NotOnRecord(Unavailable):
    """The response was withheld because it could not be written to the disclosure log. Try again in a moment."""

    code = "not_on_record"


class Disclosure(msgspec.Struct, frozen=True):
    """One response about patients: its recipient, route and patients."""

    practice_id: int
    api_key_id: int
    partner_id: int
    method: str
    endpoint: str
    request_id: str
    patient_ids: list[int]
    company: str = ""  # of the recipient, as of the disclosure
    key_name: str = ""
    address: str = ""  # network address of the recipient; behind trusted proxies, as they report it
    purpose: str = ""  # of the key: treatment, payment, operations or other
    kinds: str = ""  # of fields, separated by commas: see kinds.py

    @property
    def recipient(self) -> str:
        """Company, name of the key, network address, purpose and kinds, one per line, as they are hashed."""
        return f"{self.company}\n{self.key_name}\n{self.address}\n{self.purpose}\n{self.kinds}"

    def request(self) -> dict[str, Any]:
        """Return the parameters, without the patients, of the statements that select or insert patients' data and write
        the row themselves."""
        return {
            "practice_id": self.practice_id,
            "api_key_id": self.api_key_id,
            "partner_id": self.partner_id,
            "method": self.method,
            "endpoint": self.endpoint,
            "request_id": self.request_id,
            "recipient": self.recipient,
        }


class Ledger:
    """Writes disclosures in batches. One instance per worker process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self.rows = 0
        self.writes = 0
        self.write_seconds = 0.0
        self.failures = 0

    @property
    def waiting(self) -> int:
        """Number of disclosures that are not yet written."""
        return len(self._waiting)

    def note_kept(self) -> None:
        """Count a row that was written in the transaction of the request itself."""
        self.rows += 1

    def note_not_kept(self, failure: Exception, answers: int) -> None:
        """Log and count `answers` disclosures that could not be written."""
        logger.log(level_of(failure), "disclosures not kept", extra={"answers": answers, **log_fields(failure)})
        self.failures += answers

    async def record(self, disclosure: Disclosure) -> None:
        """Write the disclosure; return when its row is committed. Raises NotOnRecord."""
        waiting = _Waiting(disclosure, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_while_anybody_waits())
        await waiting.kept

    async def _write_while_anybody_waits(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:MAXIMUM_BATCH]
                del self._waiting[:MAXIMUM_BATCH]
                answers: dict[int, list[_Waiting]] = defaultdict(list)
                for one in batch:
                    answers[one.disclosure.practice_id].append(one)
                try:
                    await self._keep_all(answers)
                except Exception as failure:  # this task is not awaited, but each request of the batch awaits its row
                    self._refuse(failure, batch)
        finally:
            self._writer = None

    async def _keep_all(self, answers: "Mapping[int, list[_Waiting]]") -> None:
        if not self._database.keeps_sessions:
            await self._keep_each(answers)
        elif (failure := await self._keep(answers)) is not None:
            await self._after(failure, answers)

    async def _keep_each(self, answers: "Mapping[int, list[_Waiting]]") -> None:
        for practice_id, some in answers.items():
            if (failure := await self._keep({practice_id: some})) is not None:
                self._refuse(failure, some)

    async def _after(self, failure: Exception, answers: "Mapping[int, list[_Waiting]]") -> None:
        """Retry each practice separately after an error, so that one practice's error does not affect the others. If
        the database is unavailable, all fail."""
        if len(answers) > 1 and not isinstance(failure, Unavailable):
            await self._keep_each(answers)
        else:
            self._refuse(failure, [one for some in answers.values() for one in some])

    async def _keep(self, answers: "Mapping[int, list[_Waiting]]") -> Exception | None:
        started = time.perf_counter()
        rows = {practice_id: [one.as_row() for one in some] for practice_id, some in answers.items()}
        try:
            if self._database.keeps_sessions:
                async with self._database.unbound() as db:
                    await disclosure_queries.append_to_several(db, rows)
            else:
                for practice_id, of_practice in rows.items():
                    async with self._database.practice(practice_id, is_writing=True) as db:
                        await disclosure_queries.append(db, practice_id, of_practice)
        except Exception as failure:
            return failure
        self.rows += sum(map(len, rows.values()))
        self.writes += 1
        self.write_seconds += time.perf_counter() - started
        for some in answers.values():
            for one in some:
                one.succeed()
        return None

    def _refuse(self, failure: Exception, some: "Sequence[_Waiting]") -> None:
        self.note_not_kept(failure, len(some))
        for one in some:
            one.fail()


class _Waiting(msgspec.Struct):
    """A request that awaits its row."""

    disclosure: Disclosure
    kept: asyncio.Future[None]

    def as_row(self) -> disclosure_queries.Answer:
        """Return the columns of the row."""
        one = self.disclosure
        return (
            one.api_key_id,
            one.partner_id,
            one.method,
            one.endpoint,
            one.request_id,
            one.recipient,
            one.patient_ids,
        )

    def succeed(self) -> None:
        """Resume the request: its row is committed."""
        if not self.kept.done():  # done where the request was cancelled
            self.kept.set_result(None)

    def fail(self) -> None:
        """Resume the request with NotOnRecord."""
        if not self.kept.done():
            self.kept.set_exception(NotOnRecord())


def told_of(patient_ids: Iterable[int | None]) -> list[int]:
    """Return the distinct patient ids, sorted. None, as of a hold, is left out."""
    return sorted({patient_id for patient_id in patient_ids if patient_id is not None})
