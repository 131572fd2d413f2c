"""A handler's parameters in path, query string and headers, as Parameter objects."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar.enums import ParamType
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg

from officepro.access import once
from officepro.documentation.components import Components, Json
from officepro.foundation.documented import Documented
from officepro.foundation.input import QueryParameter, query_parameters, wire_name
from officepro.foundation.wire import encode_hook

_PLACE = re.compile(r"\{(\w+)\}")
EXAMPLE_PRACTICE = "DemoOffice"  # the practice in the examples of the source API specification


def parameters(path_format: str, handler: HTTPRouteHandler, said: Documented, components: Components) -> list[Json]:
    """Return the Parameter objects of a handler: path, query, headers."""
    return [
        *_path_parameters(path_format, handler, said, components),
        *(_query_parameter(one, said, components) for one in query_parameters(handler).values()),
        *_header_parameters(handler, components),
        *([_IDEMPOTENCY_KEY] if "once" in handler.parsed_fn_signature.parameters else []),
        _REQUEST_ID,
    ]


def _path_parameters(
    path_format: str, handler: HTTPRouteHandler, said: Documented, components: Components
) -> Iterator[Json]:
    annotations = handler.signature_model.__annotations__
    for argument in _PLACE.findall(path_format):
        name = wire_name(argument)
        schema = components.schema_of(annotations[argument]) if argument in annotations else _UNREAD_PRACTICE
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": schema.get("description") or _meaning(argument),
            "schema": _without_description(schema),
            **_example(said.path_example, name, EXAMPLE_PRACTICE if name == "PPass" else None),
        }


# Where a handler does not declare the practice, its guard compares it with the token.
_UNREAD_PRACTICE: Json = {"type": "string", "minLength": 1, "maxLength": 200}


def _meaning(argument: str) -> str:
    if argument == "practicepass":
        return "The practice (PPass)."
    return f"The {argument.removesuffix('_id').replace('_', ' ')}'s id."


def _query_parameter(parameter: QueryParameter, said: Documented, components: Components) -> Json:
    schema = _without_null(components.schema_of(parameter.annotation))
    if not parameter.required and parameter.default is not None:
        schema["default"] = msgspec.to_builtins(parameter.default, enc_hook=encode_hook)
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.description or schema.get("description") or "",
        "schema": _without_description(schema),
        **_example(said.query_example, parameter.name),
    }


def _header_parameters(handler: HTTPRouteHandler, components: Components) -> Iterator[Json]:
    for argument, field in handler.parsed_fn_signature.parameters.items():
        kwarg = field.kwarg_definition
        if isinstance(kwarg, ParameterKwarg) and kwarg.param_type == ParamType.HEADER:
            schema = _without_null(components.schema_of(handler.signature_model.__annotations__[argument]))
            yield {
                "name": kwarg.name or argument,
                "in": "header",
                "required": field.is_required,
                "description": kwarg.description or schema.get("description") or "",
                "schema": _without_description(schema),
            }


_IDEMPOTENCY_KEY: Json = {
    "name": once.HEADER,
    "in": "header",
    "required": False,
    "description": (
        "A unique value you generate (e.g. a UUID). Retrying with the same key and body within "
        f"{once.KEPT_HOURS} hours returns the original response."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": once.MAXIMUM_KEY_CHARACTERS, "pattern": "^[ -~]+$"},
}

_REQUEST_ID: Json = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": (
        "Your own id for this request, returned as X-Client-Request-Id (see Introduction). "
        "Never put personal data in it."
    ),
    "schema": {"type": "string"},
}


def _without_null(schema: Json) -> Json:
    """Return the schema without null: query strings and headers have none, so an optional parameter is omitted."""
    kept = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    match kept:
        case []:
            return rest
        case [only]:
            return {**rest, **only}
        case _:
            return {**rest, "anyOf": kept}


def _without_description(schema: Json) -> Json:
    return {key: value for key, value in schema.items() if key != "description"}


def _example(examples: Any, name: str, default: Any = None) -> Json:
    example = examples.get(name, default)
    return {} if example is None else {"example": example}
