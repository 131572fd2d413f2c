"""One operation of the document, from one route handler."""

import inspect

import msgspec
from litestar.handlers import HTTPRouteHandler

from officepro.access.guards import Guard, IsOpen, Requires, RequiresAdmin
from officepro.documentation.answers import answers
from officepro.documentation.components import Components, Json
from officepro.documentation.parameters import parameters
from officepro.foundation.documented import Documented, documented_of
from officepro.foundation.input import template

MEBIBYTE = 1024 * 1024


def operation(path_format: str, handler: HTTPRouteHandler, components: Components) -> Json:
    """Return the Operation object of a route handler."""
    said, guard, path = documented_of(handler), guard_of(handler), template(path_format)
    described: Json = {
        "operationId": _operation_id(handler, guard),
        "summary": handler.summary or "",
        "description": _description(handler, guard),
        "tags": sorted(handler.resolve_tags()),
        "security": _security(guard),
    }
    if isinstance(guard, Requires) and guard.scope is not None:
        described["x-required-scope"] = guard.scope
    if found := parameters(path_format, handler, said, components):
        described["parameters"] = found
    if handler.parsed_data_field is not None:
        described["requestBody"] = _body(handler, said, components)
    described["responses"] = answers(path, handler, guard, said, components)
    return described


def guard_of(handler: HTTPRouteHandler) -> Guard:
    """Return the one guard that decides on access. A convention test ensures that every handler has exactly one."""
    guards = guards_of(handler)
    assert len(guards) == 1, f"{handler} has {len(guards)} guards instead of one"
    return guards[0]


def guards_of(handler: HTTPRouteHandler) -> list[Guard]:
    """Return the access guards of a handler."""
    return [guard for guard in handler.resolve_guards() if isinstance(guard, (Requires, RequiresAdmin, IsOpen))]


def _description(handler: HTTPRouteHandler, guard: Guard) -> str:
    return "\n\n".join(part for part in (inspect.getdoc(handler.fn) or "", _asked(guard)) if part)


def _asked(guard: Guard) -> str:
    match guard:
        case Requires(scope=None):
            return "Requires an access token; no scope is needed."
        case Requires(scope=scope):
            return f"Requires {scope} scope."
        case RequiresAdmin():
            return "Requires X-Admin-Secret."
        case IsOpen(why=why):
            return f"Requires no token: {why}."


def _security(guard: Guard) -> list[dict[str, list[str]]]:
    match guard:
        case Requires(scope=scope):
            return [{"bearerAuth": [scope] if scope else []}]
        case RequiresAdmin():
            return [{"adminSecret": []}]
        case IsOpen():
            return []


def _body(handler: HTTPRouteHandler, said: Documented, components: Components) -> Json:
    field = handler.parsed_data_field
    assert field is not None
    limit = handler.resolve_request_max_body_size() or 0
    size = f"{limit / MEBIBYTE:g} MiB" if limit >= MEBIBYTE else f"{limit / 1024:g} KiB"
    schema = components.schema_of(field.annotation)
    content: Json = {"schema": {"allOf": [schema, dict(said.body_rules)]} if said.body_rules else schema}
    if said.example_request is not msgspec.UNSET:
        content["example"] = said.example_request
    return {
        "required": field.is_required,
        "description": f"JSON, at most {size}.",
        "x-maximum-bytes": limit,
        "content": {"application/json": content},
    }


def _operation_id(handler: HTTPRouteHandler, guard: Guard) -> str:
    """Return the operationId. It is stable, because generated clients name their methods by it; admin operations are
    prefixed, because `list_providers` exists twice."""
    words = handler.fn.__name__.split("_")
    if isinstance(guard, RequiresAdmin):
        words.insert(0, "admin")
    return words[0] + "".join(word.capitalize() for word in words[1:])
