"""Prefix search: the words of a search as prefixes, so that partially typed words match. PURE."""

import re

MAXIMUM_WORDS = 8
_WORD = re.compile(r"[^\W_]+")
_OPERATOR = re.compile(r'"|(^|\s)-|\bor\b', re.IGNORECASE)


def beginnings(search: str) -> str:
    """Return a tsquery of prefixes; empty if the search has operators ("a phrase", -without, one or other)."""
    if _OPERATOR.search(search):
        return ""
    return " & ".join(f"'{word}':*" for word in _WORD.findall(search)[:MAXIMUM_WORDS])
