"""Documentation of a route that its signature cannot express: examples, its own errors, response headers.

    @get("/{provider_id:str}", summary="…", opt=documented(path_example={"id": 1}, errors=[UnknownProvider]))

Everything else in the OpenAPI document is derived from the handler. See documentation/ for how."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler

from officepro.foundation.errors import OfficeProError

_KEY = "documented"
READS = "reads"  # in the `opt` of a POST that only reads
ETAG = {"ETag": "The record's version, for If-Match."}


class Documented(msgspec.Struct, frozen=True):
    """The documentation of one handler; see `documented`."""

    example_request: Any = msgspec.UNSET
    example_response: Any = msgspec.UNSET
    path_example: Mapping[str, Any] = {}
    query_example: Mapping[str, Any] = {}
    body_rules: Mapping[str, Any] = {}
    errors: Sequence[type[OfficeProError]] = ()
    answer_headers: Mapping[str, str] = {}
    further_answers: Mapping[int, str] = {}
    further_media: Mapping[str, str] = {}


def documented(
    *,
    example_request: Any = msgspec.UNSET,
    example_response: Any = msgspec.UNSET,
    path_example: Mapping[str, Any] | None = None,
    query_example: Mapping[str, Any] | None = None,
    body_rules: Mapping[str, Any] | None = None,
    errors: Sequence[type[OfficeProError]] = (),
    answer_headers: Mapping[str, str] | None = None,
    further_answers: Mapping[int, str] | None = None,
    further_media: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a handler's `opt`.

    Examples are JSON as sent over the wire, including names; a convention test validates them against the schemas.
    `body_rules` is JSON schema for rules that the type cannot express, such as "one of these". `errors` are those that
    the handler itself raises; errors of guard, parameters and body are derived. `answer_headers` describes further
    response headers (`ETAG`, for a single record). `further_answers` describes further statuses: a success has the same
    body, any other has none. `further_media` describes media types of the response other than JSON."""
    return {
        _KEY: Documented(
            example_request=example_request,
            example_response=example_response,
            path_example=path_example or {},
            query_example=query_example or {},
            body_rules=body_rules or {},
            errors=tuple(errors),
            answer_headers=answer_headers or {},
            further_answers=further_answers or {},
            further_media=further_media or {},
        )
    }


def documented_of(handler: HTTPRouteHandler) -> Documented:
    """Return the documentation of a handler."""
    said: Documented = handler.opt.get(_KEY, Documented())
    return said
