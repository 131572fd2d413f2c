"""Parsing of request parameters (path, query string, headers): strict, and listing every validation error.

The body is parsed by json_body.py."""

import re
from collections.abc import Generator, Iterator, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Request
from litestar._parsers import parse_query_string
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.enums import ParamType
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg
from litestar.types import Scope
from litestar.typing import FieldDefinition

from officepro.foundation.errors import Fault, Invalid, UnsupportedMedia
from officepro.foundation.fault_messages import did_you_mean, fault_of_value, shown
from officepro.foundation.json_body import read_body

Shape = TypeVar("Shape")
AnyRequest = Request[Any, Any, Any]


class StrictJson(AbstractDTO[Shape], Generic[Shape]):
    """Parses every request body as JSON of exactly the handler's type."""

    _shapes: dict[str, Any] = {}  # noqa: RUF012 -- by handler id; filled while the application is assembled

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        """Store a handler's type."""
        cls._shapes[handler_id] = field_definition.annotation

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        """Return no fields: msgspec does not need them."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        """Return False: msgspec handles nested types."""
        return False

    def decode_builtins(self, value: dict[str, Any]) -> Any:
        """Raises UnsupportedMedia: forms are not accepted."""
        raise UnsupportedMedia

    def decode_bytes(self, value: bytes) -> Any:
        """Parse the body. Raises UnsupportedMedia, MalformedJson, Invalid."""
        connection = self.asgi_connection
        require_json(connection.scope)
        return read_body(value, self._shapes[connection.route_handler.handler_id])


def header_of(scope: Scope, name: bytes) -> str | None:
    """Return the first header of this name (in lower case), without parsing the others; None if there is none."""
    for each, value in scope["headers"]:
        if each == name:
            return str(value, "latin-1")
    return None


def require_json(scope: Scope) -> None:
    """Raises UnsupportedMedia if the Content-Type is not JSON. A missing one is accepted."""
    content_type = header_of(scope, b"content-type")
    media_type = "application/json" if content_type is None else content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMedia


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
    """Return the query parameters that a handler declares, by their names on the wire."""
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
    """Return the values by name; a list for a repeatable parameter. Raises Invalid without errors; `parameter_faults`
    lists them."""
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
    """Return whether it is the word `null` for a parameter that is not text, which msgspec would treat as missing."""
    return value.lower() == "null" and not parameter.takes_text


def parameter_faults(request: AnyRequest, handler: HTTPRouteHandler) -> list[Fault]:
    """Return every validation error of path, query and headers."""
    return [*_path_faults(request, handler), *_query_faults(request, handler), *_header_faults(request, handler)]


def _path_faults(request: AnyRequest, handler: HTTPRouteHandler) -> Iterator[Fault]:
    annotations = handler.signature_model.__annotations__
    for argument, value in request.path_params.items():
        if argument in annotations:
            yield from _fault_in(value, annotations[argument], f"path.{wire_name(argument)}")


def _query_faults(request: AnyRequest, handler: HTTPRouteHandler) -> Iterator[Fault]:
    known = query_parameters(handler)
    given = request.query_params.dict()
    for name, values in given.items():
        if name not in known:
            yield Fault(f"query.{shown(name)}", "is not a parameter of this request" + did_you_mean(name, known))
        elif len(values) > 1 and not known[name].repeatable:
            yield Fault(f"query.{name}", "is given more than once")
    for name, parameter in known.items():
        if name in given:
            value: Any = given[name] if parameter.repeatable else given[name][-1]
            if any(_is_null(one, parameter) for one in given[name]):
                yield Fault(f"query.{name}", "must not be empty; omit it instead")
                continue
            yield from _fault_in(value, parameter.annotation, f"query.{name}")
        elif parameter.required:
            yield Fault(f"query.{name}", "is required")


def _header_faults(request: AnyRequest, handler: HTTPRouteHandler) -> Iterator[Fault]:
    annotations = handler.signature_model.__annotations__
    for argument, field in handler.parsed_fn_signature.parameters.items():
        kwarg = field.kwarg_definition
        if isinstance(kwarg, ParameterKwarg) and kwarg.param_type == ParamType.HEADER:
            name = kwarg.name or argument
            if (value := request.headers.get(name)) is not None:
                yield from _fault_in(value, annotations[argument], f"header.{name}")
            elif field.is_required:
                yield Fault(f"header.{name}", "is required")


def _fault_in(value: object, shape: Any, location: str) -> Iterator[Fault]:
    if (fault := fault_of_value(value, shape, location, strict=False)) is not None:
        yield fault


def wire_name(argument: str) -> str:
    """Return the name of a path parameter in documentation and messages, as in the source API specification."""
    own_names = {
        "tag_id": "tagId",
        "time_off_id": "timeOffId",
        "extra_hours_id": "extraHoursId",
    }  # in paths with another id
    return {"practicepass": "PPass", "vendor_code": "vendorCode", **own_names}.get(argument, "id")


_IN_PATH = re.compile(r"\{(\w+)\}")


@lru_cache(maxsize=1024)
def template(path_format: str) -> str:
    """Return the path with the parameter names of the source API specification:
    `/v1/{practicepass}/prospects/{patient_id}` becomes `/v1/{PPass}/prospects/{id}`."""
    return _IN_PATH.sub(lambda place: "{" + wire_name(place.group(1)) + "}", path_format)
