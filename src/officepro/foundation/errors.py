"""Errors that callers receive, and their problem documents. (RFC 9457)

    OfficeProError            500  a fault of this service, reported without detail
    ├── Invalid               400  malformed: every validation error is listed
    ├── Unauthorized          401  not authenticated
    ├── Forbidden             403  not authorized
    ├── NotFound              404  no such record in this practice
    ├── Conflict              409  conflicts with the resource's current state
    ├── PreconditionFailed    412  If-Match
    ├── TooLarge              413
    ├── UnsupportedMedia      415
    ├── Impossible            422  well-formed, but not allowed
    ├── TooManyRequests       429  with Retry-After
    └── Unavailable           503  with Retry-After

A class's docstring is the default message to the caller; `code` is stable and names the error's page in the error
reference."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

MAXIMUM_FAULTS = 100  # listed in a response; further ones are only counted


class Fault(msgspec.Struct, frozen=True):
    """One validation error: where (`body.VisitTime`, `query.startDate`), and what is wrong."""

    location: str
    message: str


class OfficeProError(Exception):
    """Internal error. Report the request id to the operator of this server."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str | None = None, **members: Any) -> None:
        """Create the error. `members` become further members of the problem document, such as `reasons` and
        `alternatives`."""
        self.detail = detail or " ".join((self.__doc__ or "").split())
        self.members = members
        super().__init__(self.detail)

    @property
    def title(self) -> str:
        """The standard phrase of the HTTP status."""
        return HTTPStatus(self.status).phrase

    @property
    def headers(self) -> Mapping[str, str]:
        """Further headers of the response."""
        return {}


class Invalid(OfficeProError):
    """The request is not valid; see `errors`."""

    status = 400
    code = "invalid_request"

    def __init__(self, faults: Sequence[Fault], detail: str | None = None, count: int | None = None) -> None:
        """Create the error. `count` is the number of all validation errors if `faults` holds only the first ones."""
        self.faults = list(faults[:MAXIMUM_FAULTS])
        self.count = len(faults) if count is None else count
        super().__init__(detail or _counted(self.count, len(self.faults)), errors=self.faults)

    @classmethod
    def at(cls, location: str, message: str) -> "Invalid":
        """Return the error with one validation error."""
        return cls([Fault(location, message)])


def _counted(count: int, listed: int) -> str:
    errors = "1 validation error" if count == 1 else f"{count:,} validation errors"
    return f"The request has {errors}; " + ("see `errors`." if count == listed else f"the first {listed} are listed.")


class MalformedJson(Invalid):
    """The body is not valid JSON."""

    code = "malformed_json"


class Unauthorized(OfficeProError):
    """Send a valid access token: `Authorization: Bearer <token>`, from POST /v1/{PPass}/auth/token."""

    status = 401
    code = "unauthorized"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(OfficeProError):
    """This API key is not allowed to do this."""

    status = 403
    code = "forbidden"


class NotFound(OfficeProError):
    """No such record."""

    status = 404
    code = "not_found"


class MethodNotAllowed(OfficeProError):
    """This endpoint does not support this method. The Allow header lists the supported ones."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allow: str) -> None:
        self.allow = allow
        super().__init__()

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Allow": self.allow}


class Conflict(OfficeProError):
    """The resource's current state conflicts with this request."""

    status = 409
    code = "conflict"


class PreconditionFailed(OfficeProError):
    """The record was changed since you read it. Read it again and repeat your change."""

    status = 412
    code = "precondition_failed"


class TooLarge(OfficeProError):
    """The request body is too large."""

    status = 413
    code = "too_large"


class UnsupportedMedia(OfficeProError):
    """Send the body as JSON, with `Content-Type: application/json`."""

    status = 415
    code = "unsupported_media_type"


class Impossible(OfficeProError):
    """The request is well-formed but not allowed."""

    status = 422
    code = "impossible"


class TooManyRequests(OfficeProError):
    """Too many requests. Retry after the number of seconds in Retry-After."""

    status = 429
    code = "too_many_requests"

    def __init__(self, detail: str | None = None, retry_after_seconds: int = 60) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(detail)

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)}


class Unavailable(OfficeProError):
    """The service is temporarily unavailable. Retry in a moment."""

    status = 503
    code = "unavailable"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": "1"}


def problem(error: OfficeProError, documentation_url: str, request_id: str) -> dict[str, Any]:
    """Return the problem document (RFC 9457) of an error. Its `type` is the error's page in this server's error
    reference."""
    return {
        "type": f"{documentation_url}#{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "requestId": request_id,
        **error.members,
    }
