"""Edge middleware: wraps the application, so every request passes it first and every response last.

It assigns the request id, determines the client's address, sheds load (503 at the limits of requests in flight), and
adds the headers that every response has. Plain ASGI, because it runs for every request."""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from officepro.access import concurrency
from officepro.access.bodies import Bodies
from officepro.access.client_address import ClientAddresses, Network
from officepro.access.concurrency import ConcurrencyLimiter, TooManyConcurrentRequests, has_recent
from officepro.access.limits import Standing
from officepro.activity.recorder import Done
from officepro.failures import UnknownAddress
from officepro.foundation.errors import OfficeProError, problem
from officepro.foundation.wire import encode

MAXIMUM_IN_FLIGHT = concurrency.MAXIMUM_IN_FLIGHT
MAXIMUM_FRESH = concurrency.MAXIMUM_FRESH
_CLIENT_REQUEST_ID = re.compile(rb"[!-~]{1,128}")  # printable ASCII without spaces
# Paths that a proxy in front of this server may interpret differently: empty and dot segments, a trailing slash,
# characters that are percent-encoded without need, and encoded slashes. (RFC 3986, 6.2.2)
_NOT_CANONICAL = re.compile(
    rb"^(?!/)|//|/[.]{1,2}(?:/|$)|./$|\\|%(?:2[DEFdef]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[CFcf]|7[Ee])"
)
_PAGE_WITH_SLASH = re.compile(rb"/(?:portal|docs)(?:/[a-z-]+)*/")  # as typed by people: redirected to the page
_UNCOUNTED_PATHS = frozenset({"/healthz", "/readyz"})
METRICS_SECONDS = 1.0  # one scrape per interval is always accepted; others count like any request


class TooManyInside(OfficeProError):
    """The service is overloaded. Retry in a moment."""

    status = 503
    code = "overloaded"


class Door:
    """The edge middleware around an application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        trusted_proxies: Sequence[Network] = (),
        is_always_https: bool = False,
        documentation_url: str = "/docs/errors",
        when_done: Callable[[Done], None] | None = None,
    ) -> None:
        self._app = app
        self._addresses = ClientAddresses(trusted_proxies)
        self._is_always_https = is_always_https
        self._documentation_url = documentation_url
        self._when_done = when_done
        self._bodies = Bodies()
        self._entered: dict[int, float] = {}  # start of each request in flight, oldest first
        self._concurrency = ConcurrencyLimiter(self._entered, self._bodies)
        self._number = 0
        self._scraped_at = -METRICS_SECONDS
        self._goodbye: list[
            tuple[bytes, bytes]
        ] = []  # before a stop, clients are to open a new connection, which another worker accepts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(12)
        scope["request_id"] = request_id  # type: ignore[typeddict-unknown-key]
        scope["client_request_id"] = _client_request_id(scope["headers"])  # type: ignore[typeddict-unknown-key]
        scope["address"] = self._addresses.of(scope)  # type: ignore[typeddict-unknown-key]
        if self._is_always_https or self._addresses.is_https(scope):
            scope["scheme"] = "https"
        if (refusal := self._refusal(scope)) is not None:
            await self._turn_away(scope, refusal, request_id, send)
            self._tell(Done(scope, refusal.status, 0.0, was_turned_away=not isinstance(refusal, UnknownAddress)))
            return
        scope["concurrency"] = self._concurrency  # type: ignore[typeddict-unknown-key]
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope["method"], send = "GET", _without_body(send)
        started = time.perf_counter()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_headers(scope, request_id), *self._goodbye]
            await send(message)

        self._number = number = self._number + 1
        self._entered[number] = started
        try:
            in_time = receive if scope["method"] == "GET" else self._bodies.awaited(receive)
            await self._app(scope, in_time, send_with_headers)
        finally:
            del self._entered[number]
            self._concurrency.leave(scope)
            if is_head:
                scope["method"] = "HEAD"
            self._tell(Done(scope, status, time.perf_counter() - started))

    @property
    def inside(self) -> int:
        """Number of requests in flight."""
        return len(self._entered)

    def _refusal(self, scope: Scope) -> OfficeProError | None:
        """Return the error by which the request is refused before it is dispatched, or None."""
        if not _is_canonical(scope.get("raw_path") or scope["path"].encode()):
            return UnknownAddress()
        if scope["path"] in _UNCOUNTED_PATHS or (scope["path"] == "/metrics" and self._is_scrape_due()):
            return None
        if self._is_full():
            return TooManyInside()
        return TooManyConcurrentRequests() if self._concurrency.refuses(scope) else None

    def _is_scrape_due(self) -> bool:
        now = time.monotonic()
        is_due = now - self._scraped_at >= METRICS_SECONDS
        if is_due:
            self._scraped_at = now
        return is_due

    def _is_full(self) -> bool:
        """Return whether the worker has reached its limit of requests in flight, or of recent ones."""
        if len(self._entered) >= MAXIMUM_IN_FLIGHT:
            return not self._bodies.make_room()
        return has_recent(self._entered, MAXIMUM_FRESH + self._bodies.number)

    def send_elsewhere(self) -> None:
        """Close connections after the next response, so that clients open new ones to another worker."""
        self._goodbye = [(b"connection", b"close")]

    def close(self) -> None:
        """Prepare to stop: close connections after the next response, and make /readyz fail so that balancers send no
        requests."""
        self.send_elsewhere()
        if isinstance(self._app, Litestar):
            self._app.state.draining = True

    def _tell(self, done: Done) -> None:
        if self._when_done is not None:
            self._when_done(done)

    async def _turn_away(self, scope: Scope, refusal: OfficeProError, request_id: str, send: Send) -> None:
        path = scope.get("raw_path") or b""
        if isinstance(refusal, UnknownAddress) and scope.get("method") == "GET" and _PAGE_WITH_SLASH.fullmatch(path):
            location = path[:-1] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
            headers = [(b"location", location), (b"content-length", b"0"), *_headers(scope, request_id)]
            await send({"type": "http.response.start", "status": 308, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        body = encode(problem(refusal, self._documentation_url, request_id))
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            *([] if refusal.status == UnknownAddress.status else [(b"retry-after", b"1")]),
            *_headers(scope, request_id),
        ]
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _is_canonical(path: bytes) -> bool:
    """Return whether a path is canonical. The expression takes 5 µs for 80 characters; nearly all paths need only the
    checks before it."""
    if path[:1] == b"/" != path[-1:] and not (b"//" in path or b"/." in path or b"%" in path or b"\\" in path):
        return True
    return not _NOT_CANONICAL.search(path)


def _client_request_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"x-request-id" and _CLIENT_REQUEST_ID.fullmatch(value):
            return value.decode("ascii")
    return None


def _without_body(send: Send) -> Send:
    """Return `send` without the response's body: HEAD is handled like GET. (RFC 9110, 9.3.2)"""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    return send_head


def _headers(scope: Scope, request_id: str) -> list[tuple[bytes, bytes]]:
    headers = [(b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff")]
    if client_request_id := scope.get("client_request_id"):
        headers.append((b"x-client-request-id", client_request_id.encode()))  # type: ignore[attr-defined]
    if scope["path"].startswith("/v1/"):
        headers.append((b"cache-control", b"no-store"))
    if scope["scheme"] == "https":
        headers.append((b"strict-transport-security", b"max-age=31536000"))  # a year, in seconds
    standing: Standing | None = scope.get("standing")  # type: ignore[assignment]
    if standing is not None:
        headers.append((b"ratelimit-limit", b"%d" % standing.limit))
        headers.append((b"ratelimit-remaining", b"%d" % standing.remaining))
        headers.append((b"ratelimit-reset", b"%d" % standing.reset_seconds))
    return headers
