"""Responses of an operation: its success, and every error that it can return, with the codes."""

from collections import defaultdict
from collections.abc import Iterator
from enum import Enum
from http import HTTPStatus
from typing import Any, get_args, get_origin

import msgspec
from litestar import Response
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler

from officepro.access.bodies import TooSlow
from officepro.access.concurrency import TooManyConcurrentRequests
from officepro.access.gate import (
    AnotherPractice,
    InvalidAdminSecret,
    MissingScope,
    PatientBudgetExceeded,
    RateLimited,
    TooManyFailures,
)
from officepro.access.guards import Guard, Requires, RequiresAdmin
from officepro.access.once import KeyReused, StillRunning
from officepro.access.tokens import InvalidToken
from officepro.activity.asked import ChangeNotTold
from officepro.activity.ledger import NotOnRecord
from officepro.documentation.components import Components, Json, header
from officepro.documentation.errors import meaning_of
from officepro.foundation.database import DatabaseUnavailable, OutcomeUnknown, Overloaded
from officepro.foundation.documented import ETAG, Documented
from officepro.foundation.errors import (
    Invalid,
    MalformedJson,
    OfficeProError,
    TooLarge,
    Unauthorized,
    UnsupportedMedia,
)
from officepro.foundation.etags import StaleVersion

PROBLEM_JSON = "application/problem+json"
_ASKS_THE_DATABASE = frozenset({"database", "gate", "once"})
_RATE_LIMIT = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def answers(path: str, handler: HTTPRouteHandler, guard: Guard, said: Documented, components: Components) -> Json:
    """Return the responses of an operation by status."""
    success = _success(path, handler, guard, said, components)
    found = {str(handler.status_code): success}
    for status, meaning in said.further_answers.items():
        found[str(status)] = {**(success if status < 300 else {"headers": success["headers"]}), "description": meaning}
    by_status: dict[int, set[type[OfficeProError]]] = defaultdict(set)
    for error in {*said.errors, *_errors_of_guard(path, guard), *_errors_of_request(handler)}:
        by_status[error.status].add(error)
    for status, errors in sorted(by_status.items()):
        found[str(status)] = _failure(path, status, errors, components)
    return found


def _success(path: str, handler: HTTPRouteHandler, guard: Guard, said: Documented, components: Components) -> Json:
    answer: Json = {
        "description": HTTPStatus(handler.status_code).phrase,
        "headers": _headers(path, handler, guard, said),
    }
    kind = returned(handler)
    if kind is not None:
        content: Json = {"schema": components.schema_of(kind)}
        if said.example_response is not msgspec.UNSET:
            content["example"] = said.example_response
        answer["content"] = {_media_type(handler): content}
        for media_type, meaning in said.further_media.items():
            answer["content"][media_type] = {"schema": {"type": "string", "description": meaning}}
    return answer


def returned(handler: HTTPRouteHandler) -> Any:
    """Return the type of the response body; None where there is no body."""
    kind = handler.parsed_fn_signature.return_type.annotation
    if get_origin(kind) is Response:
        (kind,) = get_args(kind)
    return None if kind is type(None) else kind


def _media_type(handler: HTTPRouteHandler) -> str:
    """Return the media type: JSON unless the route sets another. A handler that returns a Response may leave it
    empty."""
    told = handler.media_type
    return (told.value if isinstance(told, Enum) else told) or MediaType.JSON.value


def _headers(path: str, handler: HTTPRouteHandler, guard: Guard, said: Documented) -> Json:
    asked = handler.parsed_fn_signature.parameters
    names = [
        "X-Request-Id",
        "X-Client-Request-Id",
        *(["Cache-Control"] if path.startswith("/v1/") else []),
        *(_RATE_LIMIT if isinstance(guard, Requires) else []),
        *(["Idempotent-Replay"] if "once" in asked else []),
    ]
    meanings = {**(ETAG if "if_match" in asked else {}), **said.answer_headers}
    own = {name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in meanings.items()}
    return {**{name: header(name) for name in names}, **own}


def _errors_of_guard(path: str, guard: Guard) -> Iterator[type[OfficeProError]]:
    if isinstance(guard, Requires):
        yield from (
            Unauthorized,
            InvalidToken,
            RateLimited,
            TooManyConcurrentRequests,
            TooManyFailures,
            DatabaseUnavailable,
        )
        if "{PPass}" in path:
            yield AnotherPractice
        if guard.scope is not None:
            yield MissingScope
    elif isinstance(guard, RequiresAdmin):
        yield from (InvalidAdminSecret, TooManyFailures)


def _errors_of_request(handler: HTTPRouteHandler) -> Iterator[type[OfficeProError]]:
    yield Invalid  # every route rejects undeclared query parameters
    yield Overloaded
    if handler.parsed_data_field is not None:
        yield from (MalformedJson, TooLarge, TooSlow, UnsupportedMedia)
    asked = handler.parsed_fn_signature.parameters.keys()
    if _ASKS_THE_DATABASE & asked:
        yield DatabaseUnavailable
        if "GET" not in handler.http_methods:
            yield OutcomeUnknown
    if "disclosures" in asked:
        yield NotOnRecord if handler.http_methods == {"GET"} else ChangeNotTold
        yield PatientBudgetExceeded
    if "once" in asked:
        yield from (StillRunning, KeyReused)
    if "if_match" in asked:
        yield StaleVersion


def _failure(path: str, status: int, errors: set[type[OfficeProError]], components: Components) -> Json:
    """Return a reference to the shared response of this status and these codes, which its name consists of."""
    meanings = sorted({error.code: meaning_of(error) for error in sorted(errors, key=_name)}.values(), key=_code)
    codes = [meaning.code for meaning in meanings]
    names = ["X-Request-Id", "X-Client-Request-Id", *(["Cache-Control"] if path.startswith("/v1/") else [])]
    names += {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}.get(status, [])
    lines = [f"- `{meaning.code}`: {meaning.meaning}" for meaning in meanings]
    further = {name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in ETAG.items()}
    told = {"properties": {"status": {"const": status}, "code": {"enum": codes}}}
    return components.response(
        "-".join([str(status), *codes] + ([] if path.startswith("/v1/") else ["service"])),
        {
            "description": "\n".join([f"{HTTPStatus(status).phrase}", "", *lines]),
            "headers": {name: header(name) for name in names} | (further if status == StaleVersion.status else {}),
            "content": {PROBLEM_JSON: {"schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, told]}}},
        },
    )


def _name(error: type[OfficeProError]) -> str:
    return error.__qualname__


def _code(meaning: Any) -> str:
    return str(meaning.code)
