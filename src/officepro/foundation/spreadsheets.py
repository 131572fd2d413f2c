"""CSV files without formulas. (OWASP: CSV Injection)"""

import csv
import io
import re
from collections.abc import Iterable

# Characters that begin a formula in a spreadsheet, also after blanks; and their full-width forms.
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """Return the rows as CSV. Text that a spreadsheet would execute as a formula is prefixed by an apostrophe; numbers
    are unchanged."""
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
