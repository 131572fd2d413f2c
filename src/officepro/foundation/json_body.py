"""Parsing of JSON bodies into the handler's type: strict, and listing every validation error rather than the first.

A valid body costs one decode. Only an invalid one is checked field by field, to list each error with its place:
`body.VisitTime`. A body of many rows (`SaveProducts`) is decoded row by row, so that the work can pause between two
rows (time_slices.py) and only the invalid rows are checked."""

import math
import re
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import UNSET, Raw

from officepro.foundation.errors import MAXIMUM_FAULTS, Fault, Invalid, MalformedJson
from officepro.foundation.fault_messages import MAXIMUM_DEPTH, did_you_mean, fault_of_value, fault_told, shown
from officepro.foundation.time_slices import Steps, TimeSlices, run_at_once
from officepro.foundation.wire import decode_hook

SMALL_BYTES = 32 * 1024  # decoded at once, in at most a millisecond
MAXIMUM_VALUES = 20_000  # of a body or row with more, only the first error is reported
MAXIMUM_ROWS = 10_000  # of any list of records; most types set a lower limit
MAXIMUM_COUNTED_ITEMS = 250_000  # of a list that is too long; items of a longer one are not counted

_PAIRS_SEARCHED_BYTES = 64 * 1024
_HALF_A_PAIR = re.compile(  # \\ud83d without \\ude00 behind it, or the other way round
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


class Faults:
    """The first MAXIMUM_FAULTS validation errors of a request, and the number of all."""

    def __init__(self) -> None:
        self.first: list[Fault] = []
        self.count = 0

    @property
    def is_full(self) -> bool:
        """Whether a further error would only be counted, so that its message is not needed."""
        return len(self.first) >= MAXIMUM_FAULTS

    def add(self, *faults: Fault) -> None:
        """Add validation errors."""
        self.count += len(faults)
        self.first += faults[: MAXIMUM_FAULTS - len(self.first)]

    def count_another(self) -> None:
        """Count a validation error without its message."""
        self.count += 1

    def refusal(self) -> Invalid:
        """Return the error with all of them."""
        return Invalid(self.first, count=self.count)


def decode_small_body(raw: bytes, shape: Any) -> Any:
    """Return the decoded value; UNSET for a body that is invalid, or too large to be decoded at once."""
    if len(raw) > SMALL_BYTES:
        return UNSET
    try:
        return _decoder(shape).decode(raw)
    except (RecursionError, ValueError):  # msgspec's own errors are ValueErrors
        return UNSET


async def read_body_in_slices(raw: bytes, shape: Any, slices: TimeSlices) -> Any:
    """Parse the body like `read_body`, without blocking the event loop."""
    return await slices.run(_reading(raw, shape))


def read_body(raw: bytes, shape: Any) -> Any:
    """Return the decoded value. Raises MalformedJson, or Invalid with every validation error."""
    return run_at_once(_reading(raw, shape))


def prepare(shape: Any) -> None:
    """Create the decoders of a type, so that the first request does not wait for them."""
    _decoder(shape)
    _bulk_of(shape)


def _reading(raw: bytes, shape: Any) -> Steps[Any]:
    faults = Faults()
    bulk = _bulk_of(shape) if len(raw) > SMALL_BYTES else None
    if bulk is not None:
        found = yield from _rows(raw, shape, bulk, faults)
    else:
        found = yield from _whole(raw, shape, faults)
    if faults.count:
        raise faults.refusal()
    return found


def _whole(raw: bytes, shape: Any, faults: Faults) -> Steps[Any]:
    """Decode the body in one step; the value is None if there are validation errors."""
    try:
        return _decoder(shape).decode(raw)
    except (RecursionError, ValueError):
        yield
    if not raw:
        faults.add(Fault("body", "is required: send a JSON document"))
    else:
        yield from _find_faults(raw, shape, _fractions(shape), "body", faults, MAXIMUM_DEPTH)
    return None


# ---- A body of many rows


class _Bulk(msgspec.Struct, frozen=True):
    """A type that is a list of records, by itself or as its only field."""

    field: msgspec.structs.FieldInfo | None  # None: the body is the list
    item: Any
    maximum: int
    envelope: "msgspec.json.Decoder[Any]"  # of the whole body; each row stays undecoded
    counting: "msgspec.json.Decoder[Any]"  # the same, however many rows there are

    @property
    def location(self) -> str:
        return "body" if self.field is None else f"body.{self.field.encode_name}"

    def decoded(self, decoder: "msgspec.json.Decoder[Any]", raw: bytes) -> Any:
        value = decoder.decode(raw)
        return value if self.field is None else value.rows


@lru_cache(maxsize=512)
def _bulk_of(shape: Any) -> _Bulk | None:
    if get_origin(shape) in (Annotated, list):
        field, rows = None, shape
    elif isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        fields = msgspec.structs.fields(shape)
        if len(fields) != 1 or get_origin(fields[0].type) is not Annotated:
            return None
        (field,), rows = fields, fields[0].type
    else:
        return None
    item = _list_item_of(rows)
    if item is None or _struct_of(item) is None:
        return None
    maximum = int(min(_maximum_items(rows), MAXIMUM_ROWS))
    # An array type of this size bounds the memory for any body: further rows are skipped.
    places = [(f"row{number}", Raw, UNSET) for number in range(maximum + 1)]
    first_rows = msgspec.defstruct("FirstRows", places, array_like=True)
    return _Bulk(field, item, maximum, _envelope(field, first_rows), _envelope(field, list[Raw]))


def _envelope(field: msgspec.structs.FieldInfo | None, rows: Any) -> "msgspec.json.Decoder[Any]":
    if field is None:
        return msgspec.json.Decoder(rows)
    name = {"rows": field.encode_name}
    return msgspec.json.Decoder(
        msgspec.defstruct("Envelope", [("rows", rows)], rename=name, forbid_unknown_fields=True)
    )


def _rows(raw: bytes, shape: Any, bulk: _Bulk, faults: Faults) -> Steps[Any]:
    """Decode row by row; the value is None if there are validation errors. Raises MalformedJson."""
    try:
        sent = [row for row in msgspec.structs.astuple(bulk.decoded(bulk.envelope, raw)) if row is not UNSET]
    except (msgspec.ValidationError, RecursionError):  # of the body around the rows
        faults.add(_first_fault(raw, shape))
        return None
    except ValueError as error:
        raise _malformed(raw, error) from None
    yield
    if not sent:
        return (yield from _whole(raw, shape, faults))
    if len(sent) > bulk.maximum:
        number = f", not {_number_of_rows(raw, bulk)}" if raw.count(b",") <= MAXIMUM_COUNTED_ITEMS else ""
        faults.add(Fault(bulk.location, f"must have at most {bulk.maximum} items{number}"))
        return None
    rows, fractions = [], _fractions(shape)
    decode = _decoder(bulk.item, fractions).decode
    levels = MAXIMUM_DEPTH - (1 if bulk.field is None else 2)
    for index, row in enumerate(sent):
        try:
            rows.append(decode(row))
        except (RecursionError, ValueError):
            yield from _find_faults(bytes(row), bulk.item, fractions, f"{bulk.location}[{index}]", faults, levels)
        yield
    if faults.count:
        return None
    return rows if bulk.field is None else shape(**{bulk.field.name: rows})


def _number_of_rows(raw: bytes, bulk: _Bulk) -> int:
    return len(bulk.decoded(bulk.counting, raw))


# ---- Validation errors


@lru_cache(maxsize=512)
def _decoder(shape: Any, fractions: Any = UNSET) -> "msgspec.json.Decoder[Any]":
    float_hook = _fractions(shape) if fractions is UNSET else fractions
    return msgspec.json.Decoder(shape, dec_hook=decode_hook, float_hook=float_hook)


@lru_cache(maxsize=512)
def _plain_decoder(fractions: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(float_hook=fractions)


def _fractions(shape: Any) -> Any:
    """Return the type for numbers with a fraction; None for float."""
    return getattr(shape, "fractions", None)


def _find_faults(raw: bytes, shape: Any, fractions: Any, location: str, faults: Faults, levels: int) -> Steps[None]:
    """Add every validation error of a body, or of a row of one, that could not be decoded. Raises MalformedJson."""
    if _holds_too_many_values(raw):
        faults.add(_first_fault(raw, shape, fractions, location))
        return
    try:
        value = _plain_decoder(fractions).decode(raw)
    except RecursionError:
        faults.add(_too_deep(location))
        return
    except ValueError as error:
        raise _malformed(raw, error, location) from None
    if is_too_deep(value, levels):
        faults.add(_too_deep(location))
        return
    before = faults.count
    yield from _faults_of(value, shape, location, faults)
    if faults.count == before:  # the decoder refused it, so it is invalid although no check found an error
        faults.add(_first_fault(raw, shape, fractions, location))


def _too_deep(location: str) -> Fault:
    return Fault(location, f"is nested deeper than {MAXIMUM_DEPTH} levels")


def _holds_too_many_values(raw: bytes) -> bool:
    """Return an upper bound's check: commas and brackets inside texts are counted too. Untyped values take sixty times
    the memory of the bytes that they are parsed from, and each is checked."""
    return len(raw) > MAXIMUM_VALUES and sum(map(raw.count, (b",", b"[", b"{"))) > MAXIMUM_VALUES


def _first_fault(raw: bytes, shape: Any, fractions: Any = UNSET, location: str = "body") -> Fault:
    try:
        _decoder(shape, fractions).decode(raw)
    except msgspec.ValidationError as error:
        return fault_told(str(error), shape, location, strict=True)
    except (RecursionError, ValueError):
        pass
    return Fault(location, "is not valid JSON, or is nested too deeply")


def _malformed(raw: bytes, error: ValueError, location: str = "body") -> MalformedJson:
    if isinstance(error, UnicodeDecodeError):
        return MalformedJson([Fault(location, "is not valid UTF-8")])
    if _HALF_A_PAIR.search(raw, 0, _PAIRS_SEARCHED_BYTES):
        reason = "half of a surrogate pair is not a character"
    else:
        reason = _AT.sub("", str(error)).removeprefix("JSON is malformed: ")
    return MalformedJson([Fault(location, f"is not valid JSON: {reason}")])


_AT = re.compile(r" - at `[^`]*`$")


def is_too_deep(value: object, levels: int = MAXIMUM_DEPTH) -> bool:
    """Return whether a value is nested deeper than `levels`."""
    if not isinstance(value, (dict, list)):
        return False
    return levels == 0 or any(
        is_too_deep(item, levels - 1) for item in (value.values() if isinstance(value, dict) else value)
    )


def _faults_of(value: object, shape: Any, location: str, faults: Faults) -> Steps[None]:
    """Add every validation error of `value`, descending into records and lists of records so that one invalid field
    hides no other."""
    is_one_of_lists = (
        isinstance(value, list) and _list_item_of(shape) is not None
    )  # for types that accept one item or a list
    if (msgspec_struct := _struct_of(shape)) and not is_one_of_lists:
        if not isinstance(value, dict):
            faults.add(Fault(location, "must be an object"))
            return
        yield from _faults_of_record(value, msgspec_struct, location, faults)
        return
    if (item_shape := _list_item_of(shape)) is not None and isinstance(value, list):
        if len(value) > (maximum := _maximum_items(shape)):  # its items are not checked
            faults.add(Fault(location, f"must have at most {maximum} items, not {len(value)}"))
            return
        before = faults.count
        for index, item in enumerate(value):
            yield from _faults_of(item, item_shape, f"{location}[{index}]", faults)
        if faults.count != before:
            return
    _check(value, shape, location, faults)
    yield


def _faults_of_record(
    value: dict[str, Any], struct: type[msgspec.Struct], location: str, faults: Faults
) -> Steps[None]:
    fields = _fields_of(struct)
    for name in value:
        if name not in fields and struct.__struct_config__.forbid_unknown_fields:
            if faults.is_full:
                faults.count_another()
            else:
                message = "is not a field of this request" + did_you_mean(name, fields)
                faults.add(Fault(f"{location}.{shown(name)}", message))
                yield
    before = faults.count
    for name, field in fields.items():
        if name in value:
            yield from _faults_of(value[name], field.type, f"{location}.{name}", faults)
        elif field.required:
            faults.add(Fault(f"{location}.{name}", "is required"))
    if faults.count == before:  # rules that span fields, in the type's own __post_init__
        known = {name: item for name, item in value.items() if name in fields}
        _check(known, struct, location, faults)


def _check(value: object, shape: Any, location: str, faults: Faults) -> None:
    if (fault := fault_of_value(value, shape, location, strict=True)) is not None:
        faults.add(fault)


@lru_cache(maxsize=512)
def _fields_of(struct: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(struct)}


@lru_cache(maxsize=1024)
def _struct_of(shape: Any) -> type[msgspec.Struct] | None:
    candidates = [shape, *get_args(shape)] if get_origin(shape) is not list else [shape]
    structs = [one for one in candidates if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    return structs[0] if len(structs) == 1 else None


@lru_cache(maxsize=1024)
def _list_item_of(shape: Any) -> Any:
    for one in (shape, *get_args(shape)):
        bare = get_args(one)[0] if get_origin(one) is Annotated else one
        if get_origin(bare) is list:
            return get_args(bare)[0]
    return None


def _maximum_items(shape: Any) -> float:
    limits = (getattr(one, "max_length", None) for one in getattr(shape, "__metadata__", ()))
    return min((limit for limit in limits if limit is not None), default=math.inf)
