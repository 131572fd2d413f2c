"""What a statement hands back is named, column by column.

A prepared statement that hands back whatever a table has fails once on every connection when a migration adds a column,
and takes its transaction with it: callers of a service at work would notice. (`make chaos-rolling`)
"""

import re
from pathlib import Path

import officepro

SOURCES = Path(officepro.__file__).parent
HANDED_BACK = re.compile(r"RETURNING\s+(?:\w+\.)?\*\s*(?:\"\"\"|\")")  # at the end of the statement


def test_no_statement_hands_back_all_that_a_table_has() -> None:
    found = [
        f"{path.relative_to(SOURCES)}: {match.group()!r}"
        for path in sorted(SOURCES.rglob("*.py"))
        for match in HANDED_BACK.finditer(path.read_text())
    ]
    assert found == []


def test_one_that_does_is_found() -> None:
    assert HANDED_BACK.search('"""UPDATE patient SET city = $1\n        RETURNING p.*\n        """')
    assert HANDED_BACK.search('"UPDATE patient SET city = $1 RETURNING *"')
    assert not HANDED_BACK.search('"""WITH made AS (UPDATE patient SET city = $1 RETURNING *) SELECT city FROM made"""')
