"""What can go wrong for a caller, and how it is told.

    OfficeProError            500  a fault of ours, told without detail
    ├── Invalid               400  malformed: every fault is named
    ├── Unauthorized          401  who are you
    ├── Forbidden             403  you may not
    ├── NotFound              404  no such record in this practice
    ├── Conflict              409  not as things stand
    ├── PreconditionFailed    412  If-Match
    ├── TooLarge              413
    ├── UnsupportedMedia      415
    ├── Impossible            422  well-formed, but it cannot be
    ├── TooManyRequests       429  with Retry-After
    └── Unavailable           503  with Retry-After

A class's docstring is the sentence that the caller reads when none is given; `code` is stable and is the name of its
page in the error reference. (RFC 9457)
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

MAXIMUM_FAULTS = 100  # listed in an answer; the others are counted


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong with the input: where (`body.VisitTime`, `query.startDate`), and what would be right."""

    location: str
    message: str


class OfficeProError(Exception):
    """Something went wrong on our side; the request id lets us find it."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str | None = None, **members: Any) -> None:
        """`members` become further members of the problem document, such as `reasons` and `alternatives`."""
        self.detail = detail or " ".join((self.__doc__ or "").split())
        self.members = members
        super().__init__(self.detail)

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase

    @property
    def headers(self) -> Mapping[str, str]:
        return {}


class Invalid(OfficeProError):
    """The request is not valid; see `errors`."""

    status = 400
    code = "invalid_request"

    def __init__(self, faults: Sequence[Fault], detail: str | None = None, count: int | None = None) -> None:
        """`count` is the number of all errors where `faults` holds the first ones only."""
        self.faults = list(faults[:MAXIMUM_FAULTS])
        self.count = len(faults) if count is None else count
        super().__init__(detail or _counted(self.count, len(self.faults)), errors=self.faults)

    @classmethod
    def at(cls, location: str, message: str) -> "Invalid":
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
    """This key may not do that."""

    status = 403
    code = "forbidden"


class NotFound(OfficeProError):
    """There is no such record."""

    status = 404
    code = "not_found"


class MethodNotAllowed(OfficeProError):
    """This address does not take that method; the Allow header lists those it takes."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allow: str) -> None:
        self.allow = allow
        super().__init__()

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Allow": self.allow}


class Conflict(OfficeProError):
    """That is not possible as things stand."""

    status = 409
    code = "conflict"


class PreconditionFailed(OfficeProError):
    """The record was changed since you read it; read it again and repeat your change."""

    status = 412
    code = "precondition_failed"


class TooLarge(OfficeProError):
    """The body is too large."""

    status = 413
    code = "too_large"


class UnsupportedMedia(OfficeProError):
    """Send the body as JSON, with `Content-Type: application/json`."""

    status = 415
    code = "unsupported_media_type"


class Impossible(OfficeProError):
    """The request is well-formed but cannot be carried out."""

    status = 422
    code = "impossible"


class TooManyRequests(OfficeProError):
    """Too many requests; wait as long as Retry-After says."""

    status = 429
    code = "too_many_requests"

    def __init__(self, detail: str | None = None, retry_after_seconds: int = 60) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(detail)

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)}


class Unavailable(OfficeProError):
    """The service cannot answer just now; try again in a moment."""

    status = 503
    code = "unavailable"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": "1"}


def problem(error: OfficeProError, documentation_url: str, request_id: str) -> dict[str, Any]:
    """The problem document (RFC 9457) of an error; `type` is its page in our own error reference."""
    return {
        "type": f"{documentation_url}#{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "requestId": request_id,
        **error.members,
    }
