"""What a route says of itself that its signature cannot: examples, the errors of its trade, headers of its answer.

    @get("/{provider_id:str}", summary="…", opt=documented(path_example={"id": 1}, errors=[UnknownProvider]))

Everything else in the OpenAPI document is derived from the handler. See documentation/ for how.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler

from officepro.foundation.errors import OfficeProError

_KEY = "documented"
READS = "reads"  # in the `opt` of a POST that changes nothing
ETAG = {"ETag": "The record's version, for If-Match."}


class Documented(msgspec.Struct, frozen=True):
    """See `documented`."""

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
    """A handler's `opt`.

    Examples are JSON as it goes over the wire, names included; a house test holds them against the schemas.
    `body_rules` is JSON schema for what the shape cannot say, such as "one of these". `errors` are those that the
    handler itself raises: what guard, parameters and body entail is known. `answer_headers` says what each further
    header of the answer means (`ETAG`, for a single record); `further_answers`, what each further status means: a
    success has the same body, any other has none. `further_media`: in what else than JSON the answer is to be had.
    """
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
    said: Documented = handler.opt.get(_KEY, Documented())
    return said
