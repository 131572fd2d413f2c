"""CSV files that a spreadsheet opens as text. (OWASP: CSV Injection)"""

import csv
import io
import re
from collections.abc import Iterable

# What a spreadsheet takes for the beginning of a formula, also after blanks; and full-width forms of the same.
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """Return the rows as CSV. Text that a spreadsheet would run as a formula gets an apostrophe before it; numbers
    stay as they are."""
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
