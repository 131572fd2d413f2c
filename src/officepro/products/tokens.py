"""Search tokens of a product and of a search text: prefixes of the words of its name and codes. PURE."""

import re
import unicodedata

MAXIMUM_TOKENS = 40  # per product
MAXIMUM_TOKEN_CHARACTERS = 60
MAXIMUM_SEARCH_WORDS = 8

_WORD = re.compile(r"[^\W_]+")


def tokens_of(*texts: str) -> list[str]:
    """Return the search tokens, sorted, without duplicates, letters and digits only; `AB-12/5` becomes `ab`, `12`,
    `5` and `ab125`."""
    found: set[str] = set()
    for text in texts:
        for chunk in _folded(text).split():
            words = _WORD.findall(chunk)
            found.update(words)
            found.add("".join(words))
    return sorted(token[:MAXIMUM_TOKEN_CHARACTERS] for token in found if token)[:MAXIMUM_TOKENS]


def searched(text: str) -> list[str]:
    """Return the prefixes that a product must all match; empty if the text contains nothing searchable."""
    chunks = _folded(text).split()[:MAXIMUM_SEARCH_WORDS]
    wanted = {"".join(_WORD.findall(chunk))[:MAXIMUM_TOKEN_CHARACTERS] for chunk in chunks}
    return sorted(wanted - {""})


def _folded(text: str) -> str:
    """Return the text in lower case without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
