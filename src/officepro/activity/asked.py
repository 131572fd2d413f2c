"""What a handler asks for whose answer tells of a person: `disclosures: TheDisclosures`.

    await disclosures.record(visit.patient_id)

is awaited once, before the answer, and outside any transaction: the row needs a connection of its own.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar.di import NamedDependency, Provide
from litestar.types import Scope

from officepro.access.caller import Caller
from officepro.activity.ledger import Disclosure, Ledger, NotOnRecord, told_of
from officepro.foundation.errors import Unavailable
from officepro.foundation.input import template


class ChangeNotTold(Unavailable):
    """Your change was made, but its answer could not be put on record as a disclosure, so it was not told: repeat the
    request with the same Idempotency-Key, which gives the answer and makes nothing twice, or read the record."""

    code = "change_not_told"


class Disclosures:
    """The ledger as one request sees it."""

    def __init__(self, ledger: Ledger, scope: Scope) -> None:
        self._ledger = ledger
        self._scope: dict[str, Any] = scope  # type: ignore[assignment]
        self._kept: list[int] = []

    def of(self, *patient_ids: int | None) -> Disclosure:
        """What is to be kept, for work that keeps it itself, in its own transaction, and then says that they are
        `kept`."""
        return self._disclosure(told_of(patient_ids))

    def kept(self, disclosure: Disclosure) -> None:
        self._kept = disclosure.patient_ids
        self._ledger.note_kept()

    def not_kept(self, failure: Exception) -> NotOnRecord:
        """What to raise for a read that failed where it would have been kept."""
        self._ledger.note_not_kept(failure, 1)
        return NotOnRecord()

    async def record(self, *patient_ids: int | None) -> None:
        """Does nothing for who is `kept` already. Raises NotOnRecord, or ChangeNotTold where the answer is to a change,
        which has been committed by then."""
        if (told := told_of(patient_ids)) and told != self._kept:
            try:
                await self._ledger.record(self._disclosure(told))
            except NotOnRecord:
                if self._scope["method"] == "GET":
                    raise
                raise ChangeNotTold from None

    def _disclosure(self, told: list[int]) -> Disclosure:
        scope = self._scope
        caller: Caller = scope["caller"]
        return Disclosure(
            caller.practice_id,
            caller.key_id,
            caller.partner_id,
            scope["method"],
            template(scope["path_template"]),
            scope["request_id"],
            told,
        )


async def record_replay(ledger: Ledger, scope: Scope, body: bytes) -> None:
    """An answer that was given before is told again; the admin's are about nobody."""
    if "caller" in scope:
        await Disclosures(ledger, scope).record(*_patients_in(msgspec.json.decode(body)))


TheDisclosures = NamedDependency[Disclosures]


def _patients_in(part: Any) -> Iterator[int | None]:
    if isinstance(part, list):
        for item in part:
            yield from _patients_in(item)
    elif isinstance(part, dict):
        for name, value in part.items():
            if name == "PatientID":
                yield value
            else:
                yield from _patients_in(value)


def _disclosures(scope: Scope) -> Any:
    return Disclosures(scope["litestar_app"].state.ledger, scope)


DISCLOSURES_PROVIDED = {"disclosures": Provide(_disclosures, sync_to_thread=False)}
