"""What a person is found by: whoever types the beginning of any word of a name finds its bearer."""

import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from officepro.prospects.tokens import (
    MAXIMUM_SEARCH_WORDS,
    MAXIMUM_TOKEN_CHARACTERS,
    MAXIMUM_TOKENS,
    folded,
    searched,
    tokens_of,
)

SEPARATORS = "-'’.·&/"
# With an @ it is read as an e-mail.
word = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="@＠﹫"), min_size=1, max_size=12)
letters = st.text(st.characters(categories=["L"]), min_size=1, max_size=12)


def is_found(tokens: list[str], search: str) -> bool:
    """As the database does it: each beginning that is asked for begins some token."""
    beginnings = searched(search)
    return bool(beginnings) and all(any(token.startswith(each) for token in tokens) for each in beginnings)


@given(words=st.lists(word, min_size=1, max_size=5), data=st.data())
@example(words=["١٢٣"], data=None)
@example(words=["℡"], data=None)
def test_the_beginning_of_any_word_of_a_name_finds_it(words: list[str], data: st.DataObject | None) -> None:
    name = " ".join(words)
    chosen = data.draw(st.sampled_from(words)) if data else words[0]
    beginning = chosen[: data.draw(st.integers(1, len(chosen)))] if data else chosen
    assume(searched(beginning))  # signs alone are nothing to be found by

    assert is_found(tokens_of([name], None, []), beginning)


@given(parts=st.lists(letters, min_size=1, max_size=4), data=st.data())
def test_so_does_the_beginning_of_any_part_of_a_compound_name(parts: list[str], data: st.DataObject) -> None:
    compound = data.draw(st.sampled_from(SEPARATORS)).join(parts)
    first = data.draw(st.integers(0, len(parts) - 1))
    rest = "-".join(parts[first:])
    beginning = rest[: data.draw(st.integers(1, len(rest)))]
    assume(searched(beginning))

    assert is_found(tokens_of([compound], None, []), beginning)


@given(words=st.lists(letters, min_size=1, max_size=MAXIMUM_SEARCH_WORDS), data=st.data())
def test_several_words_find_whoever_has_them_all_in_any_order(words: list[str], data: st.DataObject) -> None:
    tokens = tokens_of([" ".join(words)], None, [])
    shuffled = data.draw(st.permutations(words))

    assume(searched(" ".join(shuffled)))
    assert is_found(tokens, " ".join(shuffled))
    assert not is_found(tokens, " ".join([*shuffled[:3], "0nobody0"]))


@given(name=letters)
def test_case_and_accents_do_not_count(name: str) -> None:
    tokens = tokens_of([name], None, [])
    assume(searched(name))

    assert is_found(tokens, name.casefold())
    assert is_found(tokens, unicodedata.normalize("NFD", name))
    assert is_found(tokens, unicodedata.normalize("NFC", name))
    assert folded(folded(name)) == folded(name)


@given(phone=st.from_regex(r"\+?[0-9]{1,3}[ .-]?\(?[0-9]{3}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}", fullmatch=True))
def test_a_phone_is_found_as_written_by_its_digits_and_by_its_last_ones(phone: str) -> None:
    tokens = tokens_of([], None, [phone])
    digits = "".join(character for character in phone if character.isdigit())

    for search in (phone, digits, digits[:5], digits[-10:], digits[-7:], digits[-7:-2], digits[-4:]):
        assert is_found(tokens, search), search


@pytest.mark.parametrize(
    "search", ["ada.lovelace@example.com", "ADA.Love", "ada.lovelace@ex", "ada", "lovel", "adalove"]
)
def test_an_e_mail_is_found_by_its_beginning_and_by_the_words_before_the_at(search: str) -> None:
    assert is_found(tokens_of([], "Ada.Lovelace@example.com", []), search)


@pytest.mark.parametrize("search", ["example", "da", "lace", "ada bob", "ada@", "ada.lovelace@example.org"])
def test_and_by_nothing_else(search: str) -> None:
    assert not is_found(tokens_of([], "Ada.Lovelace@example.com", []), search)


@given(
    names=st.lists(st.text(max_size=200), max_size=8),
    email=st.text(max_size=254),
    phones=st.lists(st.text(), max_size=3),
)
def test_one_person_has_no_more_tokens_than_the_index_should_carry(
    names: list[str], email: str, phones: list[str]
) -> None:
    tokens = tokens_of(names, email, phones)

    assert len(tokens) <= MAXIMUM_TOKENS
    assert all(1 <= len(token) <= MAXIMUM_TOKEN_CHARACTERS for token in tokens)
    assert len(set(tokens)) == len(tokens)


@given(search=st.text(max_size=200))
def test_a_search_is_bounded_whatever_is_typed(search: str) -> None:
    beginnings = searched(search)

    assert len(beginnings) <= MAXIMUM_SEARCH_WORDS
    assert all(1 <= len(beginning) <= MAXIMUM_TOKEN_CHARACTERS for beginning in beginnings)


@pytest.mark.parametrize("search", ["", "   ", "***", "-", "()", "'", "+"])
def test_what_holds_nothing_to_be_found_by_finds_nobody(search: str) -> None:
    assert searched(search) == []
