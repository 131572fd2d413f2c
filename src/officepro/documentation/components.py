"""The document's shared parts: each shape, error answer and header is described once and referred to by name."""

import re
from typing import Any

import msgspec

from officepro.foundation.errors import Fault
from officepro.foundation.wire import schema_hook

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
        self.schema_of(Fault)

    def schema_of(self, kind: Any) -> Json:
        """The schema of a type as it is on the wire: in place, or a reference to where it stands."""
        (schema,), found = msgspec.json.schema_components(
            [kind], schema_hook=schema_hook, ref_template=_REFERENCE + "{name}"
        )
        for name, component in found.items():
            self._keep(_plain(name), {**_with_plain_names(component), "title": _plain(name)})
        plain: Json = _with_plain_names(schema)
        return plain

    def _keep(self, name: str, component: Json) -> None:
        if self.schemas.setdefault(name, component) != component:
            raise TwoShapesOfOneName(name)

    def response(self, name: str, response: Json) -> Json:
        self.responses.setdefault(name, response)
        return {"$ref": f"#/components/responses/{name}"}

    def as_json(self) -> Json:
        return {
            "schemas": dict(sorted(self.schemas.items())),
            "responses": dict(sorted(self.responses.items())),
            "headers": HEADERS,
        }


def header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _with_plain_names(schema: Any) -> Any:
    """msgspec calls Written[Assigned] `Written_Assigned_`; readers and generated clients get `WrittenAssigned`."""
    if isinstance(schema, list):
        return [_with_plain_names(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _REFERENCE + _plain(value.removeprefix(_REFERENCE))
        if key == "$ref" and isinstance(value, str)
        else _with_plain_names(value)
        for key, value in schema.items()
    }


def _plain(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))
