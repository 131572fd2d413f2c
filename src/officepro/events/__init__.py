"""The log of a practice: what happened, in commit order, numbered without gaps.

    from officepro import events
    await events.record(db, practice_id, "patient.tagged", 1001, {"PatientID": 1001, "TagID": 7})

is the last statement of the writer's own transaction; a writer that does its work in one statement takes the same
two steps into it with `events.HEAD` and `events.logged`. `events.append` is for what the EMR itself reports;
`events.feed` reads the log by number.
"""

from officepro.events.appending import Entry, append
from officepro.events.log import EVENTS, HEAD, event_id, logged, record
from officepro.events.reading import feed

__all__ = ["EVENTS", "HEAD", "Entry", "append", "event_id", "feed", "logged", "record"]
