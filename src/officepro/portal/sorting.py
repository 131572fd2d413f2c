"""PURE: the order of a table, as it stands in the address: `sort=calls`, or `sort=-calls` for the greatest first."""

from collections.abc import Iterable
from urllib.parse import urlencode

import msgspec


class Heading(msgspec.Struct, frozen=True):
    """The head of a column that a table can be sorted by."""

    text: str
    address: str  # of the page sorted by it; by it the other way round, when it is already
    direction: str  # ascending, descending, none: as `aria-sort` says it


def headings(address: str, columns: Iterable[tuple[str, str, bool]], chosen: str) -> dict[str, Heading]:
    """`columns` are (name, text, whether the greatest comes first); `chosen` is what was asked for."""
    found = {}
    for name, text, greatest_first in columns:
        first, then = (f"-{name}", name) if greatest_first else (name, f"-{name}")
        direction = {name: "ascending", f"-{name}": "descending"}.get(chosen, "none")
        found[name] = Heading(text, f"{address}?{urlencode({'sort': then if chosen == first else first})}", direction)
    return found
