"""The OpenAPI document of an assembled application. (OpenAPI 3.1, JSON Schema 2020-12)"""

from collections.abc import Iterator

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Method

from officepro import __version__
from officepro.access.guards import IsOpen, Requires, RequiresAdmin
from officepro.documentation.components import Components, Json
from officepro.documentation.introduction import INTRODUCTION, SECURITY_SCHEMES, TAGS, TITLE
from officepro.documentation.operations import guards_of, operation
from officepro.foundation.input import template

_METHODS: tuple[Method, ...] = (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
)  # in this order; Litestar's own OPTIONS is left out


def document(app: Litestar, public_url: str = "") -> Json:
    """Return the OpenAPI document of all routes that are in the schema."""
    components = Components()
    paths: dict[str, Json] = {}
    used = set()
    for route, method, handler in handlers(app):
        if handler.resolve_include_in_schema():
            described = operation(route.path_format, handler, components)
            paths.setdefault(template(route.path_format), {})[method.lower()] = described
            used.update(described["tags"])
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": TITLE,
            "version": __version__,
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url or "/"}],
        "tags": [{"name": name, "description": meaning} for name, meaning in TAGS.items() if name in used],
        "paths": paths,
        "components": {**components.as_json(), "securitySchemes": SECURITY_SCHEMES},
    }


def route_table(app: Litestar) -> Iterator[tuple[str, str, str, str]]:
    """Method, path, handler and permission of every route, in the order of the route table."""
    for route, method, handler in handlers(app):
        name = f"{handler.fn.__module__}.{handler.fn.__name__}"
        yield method, template(route.path_format), name.removeprefix("officepro."), _permission(handler)


def _permission(handler: HTTPRouteHandler) -> str:
    match guards_of(handler):
        case [Requires(scope=None)]:
            return "access token"
        case [Requires(scope=scope)]:
            return f"access token with scope {scope}"
        case [RequiresAdmin()]:
            return "admin secret"
        case [IsOpen()]:
            return "public"
        case _:
            return "portal session"


def handlers(app: Litestar) -> Iterator[tuple[HTTPRoute, str, HTTPRouteHandler]]:
    """Yield every handler with its route and method, in the order of the route table."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method in _METHODS:
                if method in route.route_handler_map:
                    yield route, method, route.route_handler_map[method][0]
