"""The document's shared parts: each shape, error answer and header is described once and referred to by name."""

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
    "description": "What went wrong. (RFC 9457) Some codes add members of their own.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "The code's page in the error reference."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What to do, in a sentence."},
        "code": {"type": "string", "pattern": "^[a-z_]+$", "description": "Stable; decide by this."},
        "requestId": {"type": "string", "description": "The answer's X-Request-Id."},
        "errors": {
            "type": "array",
            "items": {"$ref": f"{_REFERENCE}{Fault.__name__}"},
            "description": "Every fault of the request, each with its place.",
        },
    },
}

HEADERS: dict[str, Json] = {
    "X-Request-Id": {
        "description": "This request's id, to quote to support.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-Client-Request-Id": {
        "description": "The X-Request-Id that the request came with; absent where it had none, or an invalid one.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
    },
    "Cache-Control": {
        "description": "Nothing of this may be kept.",
        "required": True,
        "schema": {"type": "string", "const": "no-store"},
    },
    "RateLimit-Limit": {
        "description": "Requests a minute that this key has; absent where there is no limit.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Remaining": {
        "description": "Requests that are left at once.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "Seconds until all of them are there again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Idempotent-Replay": {
        "description": "Given where the answer is that of an earlier request with this Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next try.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"description": "What to send.", "required": True, "schema": {"type": "string"}},
}


class TwoShapesOfOneName(Exception):
    """Two shapes would share a name in the document; rename one of them."""


class Components:
    """Collects what the operations refer to."""

    def __init__(self) -> None:
        self.schemas: dict[str, Json] = {"Problem": PROBLEM}
        self.responses: dict[str, Json] = {}
        self._owners: dict[str, type] = {}
        self.schema_of(Fault)

    def schema_of(self, kind: Any) -> Json:
        """The schema of a type as it is on the wire: in place, or a reference to where it stands."""
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
        self.responses.setdefault(name, response)
        return {"$ref": f"#/components/responses/{name}"}

    def as_json(self) -> Json:
        return {
            "schemas": dict(sorted(self.schemas.items())),
            "responses": dict(sorted(self.responses.items())),
            "headers": HEADERS,
        }

    def _names_in(self, kind: Any) -> dict[str, str]:
        """Who comes first keeps a name; a later room's shape of the same name has its room before it."""
        names = {}
        for shape in _shapes_in(msgspec.inspect.type_info(kind), set()):
            if self._owners.setdefault(shape.__name__, shape) is not shape:
                names[shape.__name__] = shape.__module__.split(".")[1].capitalize() + shape.__name__
        return names

    def _keep(self, name: str, component: Json) -> None:
        if self.schemas.setdefault(name, component) != component:
            raise TwoShapesOfOneName(name)


def header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _shapes_in(node: Any, seen: set[int]) -> Iterator[type]:
    """Every shape that a type is made of; msgspec tells types as a tree of structs."""
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
    """msgspec calls Written[Assigned] `Written_Assigned_`; readers and generated clients get `WrittenAssigned`. And a
    pattern is read by the rules of ECMA-262, where the end of a text is `$`."""
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
