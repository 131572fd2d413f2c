"""What workers remember of a month's free times is true as long as the practice's counter stands, its holds are the
same, and nobody else has left a trace (scheduling/queries.py: Seen). So whoever changes which times are taken moves one
of the three."""

import re

from tests.house.composed import composed
from tests.house.statements import in_source

WRITES_VISITS = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM) visit\b")
MOVES_THE_COUNTER = "UPDATE log_head SET last = last + 1"

WITHOUT_THE_COUNTER = {
    "scheduling.visit_writes._HOLD": "holds are looked at themselves",
    "scheduling.visit_writes.release_hold": "holds are looked at themselves",
    "scheduling.visit_writes.release_expired": "what was held so long was free already",
    "scheduling.visit_writes.annotate": "changes no times",
    "demo.queries.insert": "demo/load.py leaves a trace with it",
    "demo.big_queries._ADD_VISITS": "demo/big.py leaves a trace with it",
    "demo.big_queries.add_visits": "demo/big.py leaves a trace with it",
}


async def test_no_time_is_taken_or_freed_unheard() -> None:
    read, _ = in_source()
    writers = [statement for statement in [*read, *(await composed())] if WRITES_VISITS.search(statement.text)]
    unheard = {statement.where for statement in writers if MOVES_THE_COUNTER not in statement.text}

    assert {"scheduling.visit_writes._BOOK", "scheduling.visit_writes._CANCEL"} <= {
        one.where for one in writers
    } - unheard
    assert unheard == WITHOUT_THE_COUNTER.keys()
