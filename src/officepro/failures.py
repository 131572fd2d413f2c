"""Exception handlers: map every exception to the problem document of the response. (RFC 9457)"""

import logging
from typing import Any

from litestar import Request, Response
from litestar.enums import MediaType
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.handlers import HTTPRouteHandler

from officepro.access.bodies import ClientDisconnected
from officepro.access.once import Replay
from officepro.foundation.database_errors import cause_of, kind_of, log_fields
from officepro.foundation.errors import (
    Invalid,
    MethodNotAllowed,
    NotFound,
    OfficeProError,
    TooLarge,
    problem,
)
from officepro.foundation.etags import etag
from officepro.foundation.input import parameter_faults, template
from officepro.foundation.logs import frames_of
from officepro.foundation.wire import encode

logger = logging.getLogger("officepro")
DOCUMENTATION_URL = "/docs/errors"
CLIENT_CLOSED_REQUEST = 499  # nginx's convention

AnyRequest = Request[Any, Any, Any]


class UnknownAddress(NotFound):
    """No such endpoint. See /docs for the API reference."""

    code = "unknown_address"


def answer_problem(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Return the response to any exception of any route."""
    if isinstance(error, ClientDisconnected):
        return _answer_nobody(request)
    told = explained(request, error)
    request.scope["error_code"] = told.code  # type: ignore[typeddict-unknown-key]
    if told.status >= 500:
        log_failure(request, told, error)
    request_id = request.scope.get("request_id", "")
    return Response(
        encode(problem(told, DOCUMENTATION_URL, str(request_id))),
        status_code=told.status,
        media_type=MediaType.JSON,
        headers={**told.headers, "content-type": "application/problem+json"},
    )


def _answer_nobody(request: AnyRequest) -> Response[bytes]:
    """Return the response to a request whose client disconnected. This is not a failure of the service; the request log
    and the metrics record the status."""
    request.scope["error_code"] = "client_closed_request"  # type: ignore[typeddict-unknown-key]
    logger.debug("client_closed_request", extra={"requestId": request.scope.get("request_id")})
    return Response(b"", status_code=CLIENT_CLOSED_REQUEST)


def answer_replay(request: AnyRequest, replay: Replay) -> Response[bytes]:
    """Return the stored response of a repeated POST."""
    return Response(
        replay.body,
        status_code=replay.status,
        media_type=MediaType.JSON,
        headers={"idempotent-replay": "true"} | ({} if replay.version is None else etag(replay.version)),
    )


def explained(request: AnyRequest, error: Exception) -> OfficeProError:
    """Return the error to respond with, for any exception."""
    match error:
        case Invalid(faults=[]):
            return _with_every_fault(request, error)
        case ValidationException():
            return _with_every_fault(request, Invalid([]))
        case OfficeProError():
            return error
        case MethodNotAllowedException():
            return MethodNotAllowed(allow=", ".join(methods_of(request)))
        case NotFoundException():
            return UnknownAddress()
        case HTTPException(status_code=413):
            return TooLarge(f"The request body exceeds the limit of this endpoint ({_limit(request)} bytes).")
        case HTTPException() if error.status_code < 500:
            return Invalid([], f"The request could not be read: {error.detail}")
        case _:
            return OfficeProError()


def _with_every_fault(request: AnyRequest, error: Invalid) -> Invalid:
    """Add the validation errors of the parameters, for a handler that Litestar dispatches; calling.py does so for all
    others."""
    handler = request.scope.get("route_handler")
    faults = parameter_faults(request, handler) if isinstance(handler, HTTPRouteHandler) else []
    return Invalid(faults) if faults else error


def methods_of(request: AnyRequest) -> list[str]:
    """Return the methods that the request's path supports."""
    path = request.scope["path"].rstrip("/") or "/"
    matching = [route for route in request.app.routes if _matches(route.path_components, path)]
    nearest = max(matching, key=lambda route: [isinstance(part, str) for part in route.path_components], default=None)
    if nearest is None:
        return []
    return sorted(
        [*nearest.methods, "HEAD"] if "GET" in nearest.methods else nearest.methods
    )  # the edge middleware handles HEAD


def _matches(components: list[Any], path: str) -> bool:
    parts = [part for part in path.split("/") if part]
    return len(parts) == len(components) and all(
        not isinstance(component, str) or component == part for component, part in zip(components, parts, strict=True)
    )


def _limit(request: AnyRequest) -> int:
    handler = request.scope["route_handler"]
    limit = handler.resolve_request_max_body_size() if isinstance(handler, HTTPRouteHandler) else None
    return limit or 0


def log_failure(request: AnyRequest, told: OfficeProError, error: Exception) -> None:
    """Log the request and the failure's kind, never its text, which may quote data of the request."""
    method, route = request.scope["method"], request.scope.get("path_template") or "(unknown)"
    of_request = {"requestId": request.scope.get("request_id"), "method": method, "route": template(route)}
    if told.status == 503:
        fields = {"group": (told.code, kind_of(error), method, route), **log_fields(error)}
        if missing := told.members.get("missing"):  # of /readyz, which is polled
            fields |= {"missing": missing, "group": str(missing), "lines_per_window": 1}
        logger.warning("request_unavailable", extra={**of_request, "code": told.code, **fields})
        return
    cause = cause_of(error)
    where = frames_of(cause.__traceback__)
    of_cause = {"kind": type(cause).__name__, "where": where, "group": (type(cause), *where[-1:])}
    logger.error("internal_error", extra={**of_request, **of_cause})
