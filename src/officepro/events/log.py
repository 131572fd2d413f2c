"""Appending to the event log.

Each practice has a counter row. Updating it locks it until the commit, so numbers are assigned in commit order without
gaps, also after a rollback: a reader that polls `log_id > last` misses no event. (ARCHITECTURE.md: The log)
"""

from typing import Any

import msgspec

from officepro.foundation.database import Connection
from officepro.foundation.wire import encode_hook

# Events of this service and their scopes. Tickets is available by polling only, not for webhooks.
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
# If the write itself reads from `head`, the counter is locked first and writers of the practice are serialized.
HEAD = "head AS (UPDATE log_head SET last = last + 1 WHERE practice_id = $1 RETURNING last)"


def logged(event: str, source: str, entity_id: str, data: str) -> str:
    """Return SQL that appends one event for the single row of `source`; `entity_id`, `data` (jsonb): SQL over it."""
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
    """Append an event and return its number. Call last before the commit: locks the practice's counter.

    `data` has IDs and the kind of change only, never clinical content.
    """
    text = _encoder.encode(data).decode()
    log_id: int = await db.fetchval(_RECORD, practice_id, EVENTS[event], event, entity_id, text)
    return log_id


def event_id(practice_id: int, log_id: int) -> str:
    """Return the unique ID of an event, the same in every delivery, replay and feed; receivers deduplicate by it."""
    return f"evt_{practice_id}_{log_id}"
