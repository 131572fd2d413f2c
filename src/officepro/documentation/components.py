"""Shared components of the document: each schema, error response and header is described once and referenced by
name."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_origin

import msgspec
import msgspec.inspect

from officepro.foundation.errors import Fault
from officepro.foundation.wire import END, schema_hook

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/"

PROBLEM: Json = {
    "title": "Problem",
    "description": "Problem details (RFC 9457). Some codes add further members.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "URL of the code in the error reference."},
        "title": {"type": "string", "description": "The HTTP status phrase."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong and what to do next."},
        "code": {"type": "string", "pattern": "^[a-z_]+$", "description": "Stable, machine-readable error code."},
        "requestId": {"type": "string", "description": "The response's X-Request-Id."},
        "errors": {
            "type": "array",
            "items": {"$ref": f"{_REFERENCE}{Fault.__name__}"},
            "description": "All validation errors.",
        },
    },
}

HEADERS: dict[str, Json] = {
    "X-Request-Id": {
        "description": "The id of this request; quote it to support.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-Client-Request-Id": {
        "description": "The X-Request-Id of the request; absent if it was missing or invalid.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
    },
    "Cache-Control": {
        "description": "Responses must not be cached.",
        "required": True,
        "schema": {"type": "string", "const": "no-store"},
    },
    "RateLimit-Limit": {
        "description": "Requests per minute of this key; absent if there is no limit.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Remaining": {
        "description": "Requests remaining right now.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "Seconds until the full limit is available again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Idempotent-Replay": {
        "description": "Present if this is the stored response of an earlier request with this Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Retry-After": {
        "description": "Seconds to wait before retrying.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "The required authentication scheme.",
        "required": True,
        "schema": {"type": "string"},
    },
}


class TwoShapesOfOneName(Exception):
    """Two schemas would share a name in the document; rename one of them."""


class Components:
    """Collects the schemas and error responses that operations refer to."""

    def __init__(self) -> None:
        self.schemas: dict[str, Json] = {"Problem": PROBLEM}
        self.responses: dict[str, Json] = {}
        self._owners: dict[str, type] = {}
        self.schema_of(Fault)

    def schema_of(self, kind: Any) -> Json:
        """Return the JSON Schema of a type on the wire: inline, or a reference to a component. Raises
        TwoShapesOfOneName."""
        (schema,), found = msgspec.json.schema_components(
            [kind], schema_hook=schema_hook, ref_template=_REFERENCE + "{name}"
        )
        names = self._names_in(kind)
        for name, component in found.items():
            title = _plain(name, names)
            self._keep(title, {**_for_readers(component, names), "title": title})
        plain: Json = _for_readers(schema, names)
        return plain

    def response(self, name: str, response: Json) -> Json:
        """Add a shared response, unless it is there already, and return a reference to it."""
        self.responses.setdefault(name, response)
        return {"$ref": f"#/components/responses/{name}"}

    def as_json(self) -> Json:
        """Return the `components` object, sorted by name."""
        return {
            "schemas": dict(sorted(self.schemas.items())),
            "responses": dict(sorted(self.responses.items())),
            "headers": HEADERS,
        }

    def _names_in(self, kind: Any) -> dict[str, str]:
        """Return the schema names that differ from the class name: the first class has the plain name; a later class of
        the same name gets its package as prefix."""
        names = {}
        for shape in _shapes_in(msgspec.inspect.type_info(kind), set()):
            if self._owners.setdefault(shape.__name__, shape) is not shape:
                names[shape.__name__] = shape.__module__.split(".")[1].capitalize() + shape.__name__
        return names

    def _keep(self, name: str, component: Json) -> None:
        if self.schemas.setdefault(name, component) != component:
            raise TwoShapesOfOneName(name)


def header(name: str) -> Json:
    """Return a reference to a shared header."""
    return {"$ref": f"#/components/headers/{name}"}


def _shapes_in(node: Any, seen: set[int]) -> Iterator[type]:
    """Yield every struct class in a type's tree of msgspec type descriptions."""
    if isinstance(node, tuple):
        for item in node:
            yield from _shapes_in(item, seen)
    elif isinstance(node, (msgspec.inspect.Type, msgspec.inspect.Field)) and id(node) not in seen:
        seen.add(id(node))
        if isinstance(node, msgspec.inspect.StructType):
            yield get_origin(node.cls) or node.cls
        for name in node.__struct_fields__:
            yield from _shapes_in(getattr(node, name), seen)


def _for_readers(schema: Any, names: Mapping[str, str]) -> Any:
    """Replace msgspec's generic names, such as `Written_Assigned_`, by `WrittenAssigned`, and the end of text in
    patterns by `$`, as ECMA-262 has it."""
    if isinstance(schema, list):
        return [_for_readers(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    told = {key: _for_readers(value, names) for key, value in schema.items()}
    if isinstance(reference := schema.get("$ref"), str):
        told["$ref"] = _REFERENCE + _plain(reference.removeprefix(_REFERENCE), names)
    if isinstance(pattern := schema.get("pattern"), str):
        told["pattern"] = pattern.replace(END, "$")
    return told


def _plain(name: str, names: Mapping[str, str]) -> str:
    without_modules = re.sub(r"(?:[a-z]+\.)+", "", name)
    parts = [names.get(part, part) for part in re.split(r"[^A-Za-z0-9]+", without_modules)]
    return "".join(part[:1].upper() + part[1:] for part in parts)
