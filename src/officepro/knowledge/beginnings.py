"""PURE: the words of a search as beginnings, so that what is still being typed is found too."""

import re

MAXIMUM_WORDS = 8
_WORD = re.compile(r"[^\W_]+")
_OPERATOR = re.compile(r'"|(^|\s)-|\bor\b', re.IGNORECASE)


def beginnings(search: str) -> str:
    """A tsquery; empty where the search has operators of its own ("a phrase", -without, one or other)."""
    if _OPERATOR.search(search):
        return ""
    return " & ".join(f"'{word}':*" for word in _WORD.findall(search)[:MAXIMUM_WORDS])
