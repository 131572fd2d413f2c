"""PURE: sort order of a table in the URL: `sort=calls` ascending, `sort=-calls` descending."""

from collections.abc import Iterable
from urllib.parse import urlencode

import msgspec


class Heading(msgspec.Struct, frozen=True):
    """Header cell of a sortable column."""

    text: str
    address: str  # URL that sorts by this column, or reverses the order
    direction: str  # ascending, descending or none: value of `aria-sort`


def headings(address: str, columns: Iterable[tuple[str, str, bool]], chosen: str) -> dict[str, Heading]:
    """Return the header cells. `columns` are (name, text, whether descending is first); `chosen` is the current
    order."""
    found = {}
    for name, text, greatest_first in columns:
        first, then = (f"-{name}", name) if greatest_first else (name, f"-{name}")
        direction = {name: "ascending", f"-{name}": "descending"}.get(chosen, "none")
        found[name] = Heading(text, f"{address}?{urlencode({'sort': then if chosen == first else first})}", direction)
    return found
