"""Search tokens of a person and of a search text. PURE. (API.md: prospects, `search`)

A person is found by the beginning of any word of the names or e-mail, and of the digits of any phone (whole, without a
country prefix, the last seven, the last four). Both sides are folded: case and accents are ignored.
"""

import re
import unicodedata
from collections.abc import Iterable

MAXIMUM_TOKENS = 64  # of one person
MAXIMUM_TOKEN_CHARACTERS = 100
MAXIMUM_SEARCH_WORDS = 8
PHONE_ENDINGS = (10, 7, 4)

_WORD = re.compile(r"[^\W_]+")
_PHONE_LIKE = re.compile(r"[0-9\s()+./#-]+")
_NOT_DIGIT = re.compile(r"\D+", re.ASCII)


def tokens_of(names: Iterable[str | None], email: str | None, phones: Iterable[str | None]) -> list[str]:
    """Return the search tokens, sorted, without duplicates, bounded in number and length."""
    found: set[str] = set()
    for name in names:
        for chunk in folded(name or "").split():
            found.update(_words(chunk))
    if email:
        address = folded(email)
        found.add(address)
        found.update(_words(address.partition("@")[0]))
    for phone in phones:
        found.update(_phone_tokens(phone or ""))
    return sorted(token[:MAXIMUM_TOKEN_CHARACTERS] for token in found if token)[:MAXIMUM_TOKENS]


def searched(text: str) -> list[str]:
    """Return the beginnings that a person must all match; empty if the text contains nothing searchable."""
    text = folded(text).strip()
    if _PHONE_LIKE.fullmatch(text):
        digits = _digits(text)
        return [digits] if digits else []
    chunks = text.split()[:MAXIMUM_SEARCH_WORDS]
    wanted = [chunk if "@" in chunk else "".join(_WORD.findall(chunk)) for chunk in chunks]
    return sorted(
        {token[:MAXIMUM_TOKEN_CHARACTERS] for token in wanted if token}, key=lambda token: (-len(token), token)
    )


def folded(text: str) -> str:
    """Return the text in lower case without accents: `Müller` and `MULLER` are equal; `ß` becomes `ss`."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()


def _words(chunk: str) -> set[str]:
    """Return the tokens of a chunk: `o'neil-smith` matches by the beginnings of `oneilsmith`, `neilsmith`, `smith`."""
    words = _WORD.findall(chunk)
    return {"".join(words[first:]) for first in range(len(words))}


def _phone_tokens(phone: str) -> set[str]:
    digits = _digits(phone)
    return {digits, *(digits[-length:] for length in PHONE_ENDINGS if len(digits) >= length)}


def _digits(text: str) -> str:
    return _NOT_DIGIT.sub("", text)
