"""Appending to the log.

Each practice has a counter row. Moving it locks it until the commit, so numbers are given in commit order, without
gaps, and a rollback leaves no hole: a reader that polls `log_id > last` misses nothing. (ARCHITECTURE.md: The log)
"""

from typing import Any

import msgspec

from officepro.foundation.database import Connection
from officepro.foundation.wire import encode_hook

# Each event of ours, and the scope that it belongs to: a webhook's, or Tickets, which can only be pulled.
EVENTS = {
    "patient.created": "Patients",
    "patient.updated": "Patients",
    "patient.tagged": "Patients",
    "patient.untagged": "Patients",
    "visit.booked": "Encounters",
    "visit.rescheduled": "Encounters",
    "visit.cancelled": "Encounters",
    "ticket.created": "Tickets",
    "ticket.updated": "Tickets",
    "ticket.commented": "Tickets",
}

_encoder = msgspec.json.Encoder(enc_hook=encode_hook)


# The two steps as common table expressions, for a writer that does its work in one statement; `$1` is the practice.
# Where the work itself reads from `head`, the practice's counter is locked first and its writers take turns.
HEAD = "head AS (UPDATE log_head SET last = last + 1 WHERE practice_id = $1 RETURNING last)"


def logged(event: str, source: str, entity_id: str, data: str) -> str:
    """Appends one event for the one row of `source`; `entity_id` and `data` (jsonb) are SQL over it."""
    return f"""
        logged AS (
            INSERT INTO log (practice_id, log_id, scope, event, entity_id, data)
            SELECT $1, head.last, '{EVENTS[event]}', '{event}', {entity_id}, {data} FROM head, {source}
            RETURNING log_id
        )"""


_RECORD = f"""
    WITH {HEAD}
    INSERT INTO log (practice_id, log_id, scope, event, entity_id, data)
    SELECT $1, head.last, $2, $3, $4, $5::text::jsonb FROM head RETURNING log_id
"""


async def record(db: Connection, practice_id: int, event: str, entity_id: int, data: dict[str, Any]) -> int:
    """Append one event as the last statement before the commit; answers its number.

    `data` is thin: ids and the kind of change, never clinical content.
    """
    text = _encoder.encode(data).decode()
    log_id: int = await db.fetchval(_RECORD, practice_id, EVENTS[event], event, entity_id, text)
    return log_id


def event_id(practice_id: int, log_id: int) -> str:
    """The name by which a receiver knows an event again, however often and by whatever way it comes."""
    return f"evt_{practice_id}_{log_id}"
