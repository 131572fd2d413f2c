"""From what msgspec says of a value to a sentence for the caller, in the words of the API reference.

msgspec names its own types and patterns; a caller reads what would be right instead.
"""

import difflib
import re
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from officepro.foundation.errors import Fault
from officepro.foundation.wire import SOME_TEXT, decode_hook

MAXIMUM_DEPTH = 32
LONGEST_NAME = 100  # characters of a name that is looked at and repeated in a message


def fault_of_value(value: object, shape: Any, location: str, *, strict: bool) -> Fault | None:
    """Return what is wrong with one value, or None. `strict` is False for parameters, which are all text."""
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
    """A record of one such value: what msgspec knows of a record it keeps, of a bare type it works it out anew."""
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
    (re.compile(r"^Object missing required field `(.*)`$"), r"lacks the field \1"),
    (re.compile(r"^Object contains unknown field `(.*)`$"), r"has a field that this request does not know: \1"),
)


def fault_told(message: str, shape: Any, location: str, *, strict: bool) -> Fault:
    if place := _PLACE.search(message):
        message = message[: place.start()]
        inner = place.group(1) or ""
        location += inner if inner.startswith("[") or not inner else f".{inner}"
    return Fault(location, _in_plain_words(message, shape, strict=strict).replace("\x00", "␀"))


def _in_plain_words(message: str, shape: Any, *, strict: bool) -> str:
    """What msgspec says, without its types and patterns: those are ours, not the caller's."""
    for pattern, words in _PLAIN_WORDS:
        if pattern.match(message):
            return pattern.sub(words, message)
    if misfit := _MISFIT.match(message):
        wanted = " or ".join(_KINDS[kind] for kind in misfit.group(1).split(" | ") if kind in _KINDS)
        # In an address everything is text; only JSON has kinds that a caller could have mistaken.
        got = f", not {_KINDS.get(misfit.group(2), misfit.group(2))}" if strict else ""
        return f"must be {wanted or 'something else'}{got}"
    if message.startswith("Invalid enum value") and (allowed := [str(value) for value in _literals_of(shape)]):
        return f"must be one of {', '.join(allowed)}"
    if message.startswith("Expected `str` matching regex"):
        if any(meta.pattern == SOME_TEXT for meta in _constraints_of(shape)):
            return "must not be blank, and must not contain the NUL character"
        examples = [example for meta in _constraints_of(shape) for example in meta.examples or ()]
        return "does not have the right form" + (f"; an example of it is {examples[0]}" if examples else "")
    return "is not what is asked for here" if message.startswith("Expected") else message


def _literals_of(shape: Any) -> list[Any]:
    if get_origin(shape) is Literal:
        return list(get_args(shape))
    return [value for part in _parts_of(shape) for value in _literals_of(part)]


def _constraints_of(shape: Any) -> list[msgspec.Meta]:
    found = [part for part in get_args(shape) if isinstance(part, msgspec.Meta)]
    return found + [meta for part in _parts_of(shape) for meta in _constraints_of(part)]


def _parts_of(shape: Any) -> tuple[Any, ...]:
    """What a union or an annotated type is made of; of anything else, nothing."""
    return get_args(shape) if get_origin(shape) in (Annotated, Union, UnionType) else ()


def shown(name: str) -> str:
    """A made-up name as it is repeated: it may be as long as a body."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def did_you_mean(name: str, known: Any) -> str:
    if len(name) > LONGEST_NAME:
        return ""
    close = difflib.get_close_matches(name, list(known), n=1) or [one for one in known if one.lower() == name.lower()]
    return f"; did you mean {close[0]}?" if close else ""
