"""Validation messages: convert msgspec's errors to messages in the words of the API reference.

msgspec's messages name its own types and patterns; callers receive what is expected instead."""

import difflib
import re
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from officepro.foundation.errors import Fault
from officepro.foundation.wire import SOME_TEXT, decode_hook

MAXIMUM_DEPTH = 32
LONGEST_NAME = 100  # characters of a name that is compared and quoted in a message


def fault_of_value(value: object, shape: Any, location: str, *, strict: bool) -> Fault | None:
    """Return the validation error of one value, or None. `strict` is False for parameters, which are all text."""
    try:
        msgspec.convert({_FIELD: value}, _holder_of(shape), strict=strict, dec_hook=decode_hook, str_keys=True)
    except msgspec.ValidationError as error:
        return fault_told(_HELD.sub("$", str(error)), shape, location, strict=strict)
    except RecursionError:
        return Fault(location, f"is nested deeper than {MAXIMUM_DEPTH} levels")
    return None


_FIELD = "value"
_HELD = re.compile(rf"\$\.{_FIELD}(?=[^`]*`$)")


@lru_cache(maxsize=2048)
def _holder_of(shape: Any) -> type[msgspec.Struct]:
    """Return a record type with one such field: msgspec caches what it derives of a record type, but not of a bare
    type."""
    return msgspec.defstruct("Holder", [(_FIELD, shape)])


_PLACE = re.compile(r" - at `\$(?:\.?(.*?))`$")
_MISFIT = re.compile(r"^Expected `([^`]+)`, got `([^`]+)`$")
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "array": "a list",
    "object": "an object",
}
_PLAIN_WORDS = (
    (re.compile(r"^Expected `int` >= (-?\d+)$"), r"must be a whole number of at least \1"),
    (re.compile(r"^Expected `int` <= (-?\d+)$"), r"must be a whole number of at most \1"),
    (re.compile(r"^Expected `\w+` >= (\S+)$"), r"must be at least \1"),
    (re.compile(r"^Expected `\w+` <= (\S+)$"), r"must be at most \1"),
    (re.compile(r"^(?:Integer value|Number) out of range$"), "is too large a number"),
    (re.compile(r"^Expected `str` of length <= (\d+)$"), r"must be at most \1 characters long"),
    (re.compile(r"^Expected `str` of length >= 1$"), r"must not be empty"),
    (re.compile(r"^Expected `str` of length >= (\d+)$"), r"must be at least \1 characters long"),
    (re.compile(r"^Expected `\w+` of length <= (\d+)$"), r"must have at most \1 items"),
    (re.compile(r"^Expected `\w+` of length >= (\d+)$"), r"must have at least \1 items"),
    (re.compile(r"^Expected `str` matching regex '\^\[\^\\\\?x00\]\*\$'$"), "must not contain the NUL character"),
    (re.compile(r"^Object missing required field `(.*)`$"), r"lacks the required field \1"),
    (re.compile(r"^Object contains unknown field `(.*)`$"), r"has an unknown field: \1"),
)


def fault_told(message: str, shape: Any, location: str, *, strict: bool) -> Fault:
    """Return the validation error for a message of msgspec."""
    if place := _PLACE.search(message):
        message = message[: place.start()]
        inner = place.group(1) or ""
        location += inner if inner.startswith("[") or not inner else f".{inner}"
    return Fault(location, _in_plain_words(message, shape, strict=strict).replace("\x00", "␀"))


def _in_plain_words(message: str, shape: Any, *, strict: bool) -> str:
    """Return msgspec's message without its types and patterns, which are internal."""
    for pattern, words in _PLAIN_WORDS:
        if pattern.match(message):
            return pattern.sub(words, message)
    if misfit := _MISFIT.match(message):
        wanted = " or ".join(_KINDS[kind] for kind in misfit.group(1).split(" | ") if kind in _KINDS)
        # In a URL everything is text; only JSON has types that a caller could confuse.
        got = f", not {_KINDS.get(misfit.group(2), misfit.group(2))}" if strict else ""
        return f"must be {wanted or 'something else'}{got}"
    if message.startswith("Invalid enum value") and (allowed := [str(value) for value in _literals_of(shape)]):
        return f"must be one of {', '.join(allowed)}"
    if message.startswith("Expected `str` matching regex"):
        if any(meta.pattern == SOME_TEXT for meta in _constraints_of(shape)):
            return "must not be blank, and must not contain the NUL character"
        examples = [example for meta in _constraints_of(shape) for example in meta.examples or ()]
        return "has the wrong format" + (f"; example: {examples[0]}" if examples else "")
    return "has the wrong type" if message.startswith("Expected") else message


def _literals_of(shape: Any) -> list[Any]:
    if get_origin(shape) is Literal:
        return list(get_args(shape))
    return [value for part in _parts_of(shape) for value in _literals_of(part)]


def _constraints_of(shape: Any) -> list[msgspec.Meta]:
    found = [part for part in get_args(shape) if isinstance(part, msgspec.Meta)]
    return found + [meta for part in _parts_of(shape) for meta in _constraints_of(part)]


def _parts_of(shape: Any) -> tuple[Any, ...]:
    """Return the members of a union or an annotated type; of anything else, none."""
    return get_args(shape) if get_origin(shape) in (Annotated, Union, UnionType) else ()


def shown(name: str) -> str:
    """Return an unknown name as quoted in a message, truncated: it may be as long as a body."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def did_you_mean(name: str, known: Any) -> str:
    """Return a hint at the most similar known name, or empty text."""
    if len(name) > LONGEST_NAME:
        return ""
    close = difflib.get_close_matches(name, list(known), n=1) or [one for one in known if one.lower() == name.lower()]
    return f"; did you mean {close[0]}?" if close else ""
