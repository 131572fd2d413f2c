"""Blank characters are the same for this service as for readers of the OpenAPI document in other languages."""

import re

import pytest

from officepro.foundation.wire import E_MAIL, SOME_TEXT, WEB_ADDRESS

# ECMA-262, WhiteSpace and LineTerminator, and what Python's `\s` has besides.
BLANKS = "\t\n\v\f\r \xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\ufeff" + "\x1c\x1d\x1e\x1f\x85"


@pytest.mark.parametrize("blank", BLANKS)
def test_a_blank_is_a_blank_by_all_accounts(blank: str) -> None:
    assert not re.search(SOME_TEXT, blank * 3)
    assert re.search(SOME_TEXT, f"{blank}x{blank}")
    assert not re.search(E_MAIL, f"ada{blank}l@example.com")
    assert not re.fullmatch(WEB_ADDRESS, f"https://example.com/{blank}x")
    assert not re.fullmatch(WEB_ADDRESS, f"https://{blank}x")


def test_what_is_visible_is_taken() -> None:
    assert re.search(E_MAIL, "ada@example.com")
    assert re.fullmatch(WEB_ADDRESS, "https://exämple.com/ü?x=1#y")
