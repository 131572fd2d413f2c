"""Event log of a practice: append-only, in commit order, numbered without gaps.

    from officepro import events
    await events.record(db, practice_id, "patient.tagged", 1001, {"PatientID": 1001, "TagID": 7})

is the last statement of the writer's transaction. A writer with a single statement includes the same two steps in it
with `events.HEAD` and `events.logged`. `events.append` appends events reported by the EMR; `events.feed` reads the log
by number.
"""

from officepro.events.appending import Entry, append
from officepro.events.log import EVENTS, HEAD, event_id, logged, record
from officepro.events.reading import feed

__all__ = ["EVENTS", "HEAD", "Entry", "append", "event_id", "feed", "logged", "record"]
