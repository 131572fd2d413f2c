"""Reads what callers send: strictly, and naming every fault rather than the first.

The good path costs one decode. Only when something is wrong is the request gone through again, field by field, to
list all that is wrong with it, each with its place: `body.VisitTime`, `query.startDate`, `path.id`.
"""

import difflib
import math
import re
from collections.abc import Generator, Iterator, Mapping
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from litestar import Request
from litestar._parsers import parse_query_string
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.enums import ParamType
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg
from litestar.types import Scope
from litestar.typing import FieldDefinition

from officepro.foundation.errors import Fault, Invalid, MalformedJson, UnsupportedMedia
from officepro.foundation.wire import SOME_TEXT, decode_hook

MAXIMUM_DEPTH = 32
MAXIMUM_FAULTS = 1000  # a bulk of ten thousand bad rows names the first thousand faults
MAXIMUM_VALUES = 250_000  # of a body with more, only the first fault is looked for: ten thousand products have fewer

LONGEST_NAME = 100  # characters of a name that is looked at and told back

_HALF_A_PAIR = re.compile(  # \\ud83d without \\ude00 behind it, or the other way round
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)

Shape = TypeVar("Shape")
AnyRequest = Request[Any, Any, Any]


class StrictJson(AbstractDTO[Shape], Generic[Shape]):
    """The body of every request: JSON of exactly the handler's shape."""

    _shapes: dict[str, Any] = {}  # noqa: RUF012  (by handler id; filled while the application is assembled)

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        cls._shapes[handler_id] = field_definition.annotation

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False

    def decode_builtins(self, value: dict[str, Any]) -> Any:
        raise UnsupportedMedia

    def decode_bytes(self, value: bytes) -> Any:
        connection = self.asgi_connection
        require_json(connection.scope)
        return read_body(value, self._shapes[connection.route_handler.handler_id])


def header_of(scope: Scope, name: bytes) -> str | None:
    """The first header of this name, which is in lower case; without making anything of the others."""
    for each, value in scope["headers"]:
        if each == name:
            return str(value, "latin-1")
    return None


def require_json(scope: Scope) -> None:
    content_type = header_of(scope, b"content-type")
    media_type = "application/json" if content_type is None else content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMedia


@lru_cache(maxsize=512)
def _decoder(shape: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(shape, dec_hook=decode_hook, float_hook=_fractions(shape))


@lru_cache(maxsize=512)
def _plain_decoder(fractions: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(float_hook=fractions)


def _fractions(shape: Any) -> Any:
    """What a shape wants a number with a fraction read as; None for a float."""
    return getattr(shape, "fractions", None)


class FaultsOfBody(Invalid):
    """The body is not valid; what else is wrong with the request has not been looked at."""


def read_body(raw: bytes, shape: Any) -> Any:
    """Raises MalformedJson, or Invalid with every fault."""
    try:
        return _decoder(shape).decode(raw)
    except (msgspec.ValidationError, RecursionError, ValueError):
        raise FaultsOfBody(body_faults(raw, shape)) from None


def body_faults(raw: bytes, shape: Any) -> list[Fault]:
    if not raw:
        return [Fault("body", "is required: send a JSON document")]
    if _holds_too_many_values(raw):
        return list(_first_fault(raw, shape))
    try:
        value = _plain_decoder(_fractions(shape)).decode(raw)
    except RecursionError:
        return [Fault("body", f"is nested deeper than {MAXIMUM_DEPTH} levels")]
    except UnicodeDecodeError:
        raise MalformedJson([Fault("body", "is not valid UTF-8")]) from None
    except msgspec.DecodeError as error:
        raise MalformedJson([Fault("body", f"is not valid JSON: {_reason(raw, str(error))}")]) from None
    if is_too_deep(value):
        return [Fault("body", f"is nested deeper than {MAXIMUM_DEPTH} levels")]
    faults = []
    for fault in _faults_of(value, shape, "body"):
        faults.append(fault)
        if len(faults) == MAXIMUM_FAULTS:
            break
    return faults


def _holds_too_many_values(raw: bytes) -> bool:
    """At the most: commas and brackets inside texts are counted too. Values of no shape take sixty times the room of
    the bytes that they are read from, and each is gone through."""
    return len(raw) > MAXIMUM_VALUES and sum(map(raw.count, (b",", b"[", b"{"))) > MAXIMUM_VALUES


def _first_fault(raw: bytes, shape: Any) -> Iterator[Fault]:
    try:
        _decoder(shape).decode(raw)
    except msgspec.ValidationError as error:
        yield _fault(str(error), shape, "body", strict=True)
    except (RecursionError, ValueError):
        yield Fault("body", "is not valid JSON, or is nested too deeply")


def _reason(raw: bytes, message: str) -> str:
    if _HALF_A_PAIR.search(raw):
        return "half of a surrogate pair stands for no character"
    return _PLACE.sub("", message).removeprefix("JSON is malformed: ")


def is_too_deep(value: object, levels: int = MAXIMUM_DEPTH) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    return levels == 0 or any(
        is_too_deep(item, levels - 1) for item in (value.values() if isinstance(value, dict) else value)
    )


def _faults_of(value: object, shape: Any, location: str) -> Iterator[Fault]:
    """Every fault of `value`, walking into records and lists of records so that one bad field hides no other."""
    is_one_of_lists = isinstance(value, list) and _list_item_of(shape) is not None  # where one or a list may be sent
    if (msgspec_struct := _struct_of(shape)) and not is_one_of_lists:
        if not isinstance(value, dict):
            yield Fault(location, "must be an object")
            return
        yield from _faults_of_record(value, msgspec_struct, location)
        return
    if (item_shape := _list_item_of(shape)) is not None and isinstance(value, list):
        if len(value) > (maximum := _maximum_items(shape)):  # which is enough to know; its items are not gone through
            yield Fault(location, f"must have at most {maximum} items, not {len(value)}")
            return
        before = 0
        for index, item in enumerate(value):
            for fault in _faults_of(item, item_shape, f"{location}[{index}]"):
                before += 1
                yield fault
        if before:
            return
    yield from _fault_of_value(value, shape, location, strict=True)


def _faults_of_record(value: dict[str, Any], struct: type[msgspec.Struct], location: str) -> Iterator[Fault]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name in value:
        if name not in fields and struct.__struct_config__.forbid_unknown_fields:
            yield Fault(f"{location}.{_shown(name)}", "is not a field of this request" + _did_you_mean(name, fields))
    before = 0
    for name, field in fields.items():
        if name in value:
            for fault in _faults_of(value[name], field.type, f"{location}.{name}"):
                before += 1
                yield fault
        elif field.required:
            before += 1
            yield Fault(f"{location}.{name}", "is required")
    if not before:  # rules that span fields, from the shape's own __post_init__
        known = {name: item for name, item in value.items() if name in fields}
        yield from _fault_of_value(known, struct, location, strict=True)


def _struct_of(shape: Any) -> type[msgspec.Struct] | None:
    candidates = [shape, *get_args(shape)] if get_origin(shape) is not list else [shape]
    structs = [one for one in candidates if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    return structs[0] if len(structs) == 1 else None


def _list_item_of(shape: Any) -> Any:
    for one in (shape, *get_args(shape)):
        bare = get_args(one)[0] if get_origin(one) is Annotated else one
        if get_origin(bare) is list:
            return get_args(bare)[0]
    return None


def _maximum_items(shape: Any) -> float:
    limits = (getattr(one, "max_length", None) for one in getattr(shape, "__metadata__", ()))
    return min((limit for limit in limits if limit is not None), default=math.inf)


def _fault_of_value(value: object, shape: Any, location: str, *, strict: bool) -> Iterator[Fault]:
    try:
        msgspec.convert(value, shape, strict=strict, dec_hook=decode_hook, str_keys=True)
    except msgspec.ValidationError as error:
        yield _fault(str(error), shape, location, strict=strict)
    except RecursionError:
        yield Fault(location, f"is nested deeper than {MAXIMUM_DEPTH} levels")


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


def _fault(message: str, shape: Any, location: str, *, strict: bool) -> Fault:
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


def _shown(name: str) -> str:
    """A made-up name as it is told back: it may be as long as a body."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def _did_you_mean(name: str, known: Any) -> str:
    if len(name) > LONGEST_NAME:
        return ""
    close = difflib.get_close_matches(name, list(known), n=1) or [one for one in known if one.lower() == name.lower()]
    return f"; did you mean {close[0]}?" if close else ""


class QueryParameter(msgspec.Struct, frozen=True):
    """One query parameter of a handler."""

    name: str  # on the wire
    argument: str  # in the handler
    annotation: Any  # what msgspec converts to, constraints included
    required: bool
    repeatable: bool
    takes_text: bool
    default: Any
    description: str | None


@lru_cache(maxsize=1024)
def query_parameters(handler: HTTPRouteHandler) -> dict[str, QueryParameter]:
    """The query parameters that a handler declares, by their names on the wire."""
    model = handler.signature_model
    skipped = {"data", "request", "body", "state", "scope", "headers", *handler.resolve_dependencies()}
    found = {}
    for argument, field in handler.parsed_fn_signature.parameters.items():
        if argument in skipped:
            continue
        kwarg = field.kwarg_definition
        if isinstance(kwarg, ParameterKwarg) and kwarg.param_type != ParamType.QUERY:
            continue
        name = (isinstance(kwarg, ParameterKwarg) and kwarg.name) or argument
        found[name] = QueryParameter(
            name=name,
            argument=argument,
            annotation=model.__annotations__[argument],
            required=field.is_required,
            repeatable=field.is_non_string_sequence or any(one.is_non_string_sequence for one in field.inner_types),
            takes_text=field.annotation is str or any(one.annotation is str for one in field.inner_types),
            default=field.default,
            description=kwarg.description if isinstance(kwarg, ParameterKwarg) else None,
        )
    return found


def query_values(query_string: bytes, known: Mapping[str, QueryParameter]) -> dict[str, Any]:
    """Its values by name; a repeatable parameter's as a list. Raises Invalid without its faults."""
    values: dict[str, Any] = {}
    for name, value in parse_query_string(query_string):
        parameter = known.get(name)
        if parameter is None or _is_null(value, parameter):
            raise Invalid([])
        if parameter.repeatable:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise Invalid([])
        else:
            values[name] = value
    return values


def _is_null(value: str, parameter: QueryParameter) -> bool:
    """The word `null` for a parameter that is no text, which msgspec would take for one that was not given."""
    return value.lower() == "null" and not parameter.takes_text


def all_faults(request: AnyRequest, handler: HTTPRouteHandler, raw_body: bytes | None) -> list[Fault]:
    """Every fault of path, query, headers and body."""
    faults = list(_path_faults(request, handler))
    faults += _query_faults(request, handler)
    faults += _header_faults(request, handler)
    if raw_body is not None and handler.parsed_data_field is not None:
        try:
            faults += body_faults(raw_body, handler.parsed_data_field.annotation)
        except MalformedJson as malformed:
            faults += malformed.faults
    return faults


def _path_faults(request: AnyRequest, handler: HTTPRouteHandler) -> Iterator[Fault]:
    annotations = handler.signature_model.__annotations__
    for argument, value in request.path_params.items():
        if argument in annotations:
            yield from _fault_of_value(value, annotations[argument], f"path.{wire_name(argument)}", strict=False)


def _query_faults(request: AnyRequest, handler: HTTPRouteHandler) -> Iterator[Fault]:
    known = query_parameters(handler)
    given = request.query_params.dict()
    for name, values in given.items():
        if name not in known:
            yield Fault(f"query.{_shown(name)}", "is not a parameter of this request" + _did_you_mean(name, known))
        elif len(values) > 1 and not known[name].repeatable:
            yield Fault(f"query.{name}", "is given more than once")
    for name, parameter in known.items():
        if name in given:
            value: Any = given[name] if parameter.repeatable else given[name][-1]
            if any(_is_null(one, parameter) for one in given[name]):
                yield Fault(f"query.{name}", "must have a value; leave it out to ask for none")
                continue
            yield from _fault_of_value(value, parameter.annotation, f"query.{name}", strict=False)
        elif parameter.required:
            yield Fault(f"query.{name}", "is required")


def _header_faults(request: AnyRequest, handler: HTTPRouteHandler) -> Iterator[Fault]:
    annotations = handler.signature_model.__annotations__
    for argument, field in handler.parsed_fn_signature.parameters.items():
        kwarg = field.kwarg_definition
        if isinstance(kwarg, ParameterKwarg) and kwarg.param_type == ParamType.HEADER:
            name = kwarg.name or argument
            if (value := request.headers.get(name)) is not None:
                yield from _fault_of_value(value, annotations[argument], f"header.{name}", strict=False)
            elif field.is_required:
                yield Fault(f"header.{name}", "is required")


def wire_name(argument: str) -> str:
    """How a path parameter is called in the documentation and in faults: as in the seeds."""
    own_names = {"tag_id": "tagId", "time_off_id": "timeOffId", "extra_hours_id": "extraHoursId"}  # beside another id
    return {"practicepass": "PPass", "vendor_code": "vendorCode", **own_names}.get(argument, "id")


_IN_PATH = re.compile(r"\{(\w+)\}")


@lru_cache(maxsize=1024)
def template(path_format: str) -> str:
    """The path in the seeds' words: `/v1/{practicepass}/prospects/{patient_id}` is `/v1/{PPass}/prospects/{id}`."""
    return _IN_PATH.sub(lambda place: "{" + wire_name(place.group(1)) + "}", path_format)
