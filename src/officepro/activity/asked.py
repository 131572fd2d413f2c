"""Handler dependency that records disclosures: `disclosures: TheDisclosures`.

    await disclosures.record(visit.patient_id)

Await it once, before the response, and outside any transaction: the row needs its own connection.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar.di import NamedDependency, Provide
from litestar.types import Scope

from officepro.access.caller import Caller
from officepro.access.gate import Gate
from officepro.access.queries import KeyState
from officepro.activity.kinds import kinds_of
from officepro.activity.ledger import Disclosure, Ledger, NotOnRecord, told_of
from officepro.foundation.documented import READS
from officepro.foundation.errors import Unavailable
from officepro.foundation.input import template
from officepro.foundation.wire import MAXIMUM_ID


class ChangeNotTold(Unavailable):
    """Your change was saved, but the response was withheld because it could not be written to the disclosure log. Retry
    with the same Idempotency-Key to get it; nothing is done twice."""

    code = "change_not_told"


class Disclosures:
    """Records the disclosures of one request in the disclosure log, and counts them against the key's budget."""

    def __init__(self, ledger: Ledger, gate: Gate, scope: Scope) -> None:
        self._ledger = ledger
        self._gate = gate
        self._scope: dict[str, Any] = scope  # type: ignore[assignment]
        self._kept: list[int] = []

    def of(self, *patient_ids: int | None) -> Disclosure:
        """Return the disclosure for a handler that writes the row in its own transaction. The handler reports it with
        `kept` after the commit."""
        return self._disclosure(told_of(patient_ids))

    def kept(self, disclosure: Disclosure) -> None:
        """Note that the handler has written this disclosure itself."""
        self._kept = disclosure.patient_ids
        self._ledger.note_kept()

    def not_kept(self, failure: Exception) -> NotOnRecord:
        """Return the error to raise for a read whose disclosure could not be written."""
        self._ledger.note_not_kept(failure, 1)
        return NotOnRecord()

    async def record(self, *patient_ids: int | None) -> None:
        """Write the disclosure of these patients, unless `kept` has reported it already. None is ignored.

        Raises NotOnRecord; ChangeNotTold for a response to a change, which is committed by then; PatientBudgetExceeded
        for a read.

        The key's patient budget counts what is recorded here, and nothing else. A response that is withheld for the
        budget has its row: the disclosure log may list more than was sent, never less.
        """
        if not (told := told_of(patient_ids)):
            return
        if told != self._kept:
            try:
                await self._ledger.record(self._disclosure(told))
            except NotOnRecord:
                if self._is_read:
                    raise
                raise ChangeNotTold from None
        self._gate.count_patients(self._scope["caller"], len(told), is_forced=not self._is_read)

    @property
    def _is_read(self) -> bool:
        """Whether the request changes nothing, so that its response may be refused."""
        return self._scope["method"] == "GET" or READS in self._scope["route_handler"].opt

    def _disclosure(self, told: list[int]) -> Disclosure:
        scope = self._scope
        caller: Caller = scope["caller"]
        key: KeyState = scope["key"]
        method, endpoint = scope["method"], template(scope["path_template"])
        return Disclosure(
            caller.practice_id,
            caller.key_id,
            caller.partner_id,
            method,
            endpoint,
            scope["request_id"],
            told,
            company=key.company,
            key_name=key.name,
            address=scope["address"],
            purpose=key.purpose,
            kinds=kinds_of(method, endpoint),
        )


async def record_replay(ledger: Ledger, scope: Scope, body: bytes) -> None:
    """Record the disclosure of a stored response that is sent again. Responses to the admin are none."""
    if "caller" in scope:
        await Disclosures(ledger, scope["litestar_app"].state.gate, scope).record(
            *patients_in(msgspec.json.decode(body))
        )


MAXIMUM_ID_DIGITS = len(str(MAXIMUM_ID)) - 1

TheDisclosures = NamedDependency[Disclosures]


def patients_in(part: Any) -> Iterator[int]:
    """Yield every PatientID in a JSON value, at any depth. In the `Data` of an EMR's event it may also be a list or
    digits."""
    if isinstance(part, list):
        for item in part:
            yield from patients_in(item)
    elif isinstance(part, dict):
        for name, value in part.items():
            if name == "PatientID":
                yield from _ids(value)
            else:
                yield from patients_in(value)


def _ids(value: Any) -> Iterator[int]:
    if isinstance(value, list):
        for item in value:
            yield from _ids(item)
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MAXIMUM_ID_DIGITS:
        yield int(value)
    elif isinstance(value, int) and 0 < value <= MAXIMUM_ID:
        yield value


def _disclosures(scope: Scope) -> Any:
    """Provide `Disclosures`. Raises PatientBudgetExceeded before any work if the key's budget is used up."""
    state = scope["litestar_app"].state
    state.gate.count_patients(scope["caller"], 0)  # type: ignore[typeddict-item]
    return Disclosures(state.ledger, state.gate, scope)


DISCLOSURES_PROVIDED = {"disclosures": Provide(_disclosures, sync_to_thread=False)}
