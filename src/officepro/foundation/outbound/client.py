"""HTTP client: a POST with one deadline and one limit of bytes."""

import asyncio
import errno
import functools
import http
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from officepro.foundation.outbound import addresses
from officepro.foundation.outbound.addresses import Network
from officepro.foundation.outbound.deadline import Deadline
from officepro.foundation.outbound.failures import (
    ConnectionFailed,
    ConnectionRefused,
    ConnectionReset,
    ForbiddenAddress,
    InvalidUrl,
    OutboundError,
    ProtocolError,
    RequestTooLarge,
    ResponseTooLarge,
    TimedOut,
    TlsFailed,
)
from officepro.foundation.outbound.names import CheckedResolver, LookUp, system_look_up
from officepro.foundation.outbound.urls import check_url

DEADLINE_SECONDS = 15.0  # over name lookup, connect, TLS, head and body together
MAXIMUM_RESPONSE_BYTES = 16 * 1024  # head, framing and body together
MAXIMUM_REQUEST_BYTES = 64 * 1024
EXCERPT_CHARACTERS = 1024
KEPT_HEADERS = ("retry-after", "content-type")
KEPT_HEADER_CHARACTERS = 256
KEEP_ALIVE_SECONDS = 15.0
ADDRESS_CACHE_SECONDS = 10  # only checked answers get into it

# The kernel buffers a whole request at once, so that closing never waits for a receiver that does not read …
SEND_BUFFER_BYTES = 2 * MAXIMUM_REQUEST_BYTES
# … and little more of a response than the client would read.
RECEIVE_BUFFER_BYTES = 2 * MAXIMUM_RESPONSE_BYTES


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP response of any status. `headers` has lower-case names, only those in KEPT_HEADERS.

    `body_excerpt` is the first 1,024 characters, safe to store as text: invalid UTF-8 and NUL are replaced."""

    status: int
    headers: Mapping[str, str]
    body_excerpt: str
    duration_ms: int


@dataclass(slots=True)
class _Attempt:
    """State of one request that the connector's callbacks read and set."""

    scheme: str
    dialled: bool = False
    refusal: ForbiddenAddress | None = None


@dataclass(frozen=True, slots=True)
class _Target:
    """A parsed URL, and the constant part of the head of requests to it."""

    scheme: str
    request: aiohttp.ClientRequest
    head: bytes


_attempt: ContextVar[_Attempt] = ContextVar("attempt")


class _BoundedHandler(ResponseHandler):
    """aiohttp's client protocol with a limit of bytes for each response: head, framing and body.

    aiohttp itself limits neither a stream of `100 Continue` nor data that arrives on an idle connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, maximum_bytes: int) -> None:
        super().__init__(loop=loop)
        self._maximum_bytes = maximum_bytes
        self._bytes_left = maximum_bytes

    def set_response_params(self, **parameters: Any) -> None:  # aiohttp's own signature, passed on unread
        self._bytes_left = self._maximum_bytes
        super().set_response_params(**parameters)

    def data_received(self, data: bytes) -> None:
        self._bytes_left -= len(data)
        if self._bytes_left >= 0:
            super().data_received(data)
            return
        if within := data[: self._bytes_left]:
            super().data_received(within)
        self._stop_reading()

    def _stop_reading(self) -> None:
        """Close the connection. A response whose head is complete is used, with the body received so far."""
        payload, transport = self._payload, self.transport
        self._parser = self._payload = None
        self._should_close = True
        if payload is not None and not payload.is_eof():
            payload.feed_eof()
        elif not self.is_eof():
            self.set_exception(ResponseTooLarge(f"The head of the response is over {self._maximum_bytes} bytes."))
        if transport is not None:
            transport.abort()


class OutboundClient:
    """Sends POSTs with one deadline and one limit of bytes. Use it as `async with OutboundClient(...) as client`.

    `connections` is the maximum number of concurrent requests; further ones wait within their own deadline, so the
    caller's limits should be lower. `tls` replaces the system's certificate authorities."""

    def __init__(
        self,
        allowed_networks: Sequence[Network] = (),
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        maximum_response_bytes: int = MAXIMUM_RESPONSE_BYTES,
        connections: int = 512,
        look_up: LookUp = system_look_up,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed_networks = tuple(allowed_networks)
        self._deadline_seconds = deadline_seconds
        self._maximum_response_bytes = maximum_response_bytes
        self._connections = connections
        self._look_up = look_up
        self._tls = tls
        self._target = functools.lru_cache(maxsize=4096)(self._aim)

    async def __aenter__(self) -> Self:
        self._deadline = Deadline(self._deadline_seconds, asyncio.get_running_loop())
        self._connector = self._make_connector()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadline.stop()
        await self._connector.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send `body` and return the response, with any status. Raises a subclass of OutboundError.

        A body that ends too late is TimedOut; one that is too long is truncated, and its status counts."""
        if len(body) > MAXIMUM_REQUEST_BYTES:
            raise RequestTooLarge(f"The body is over {MAXIMUM_REQUEST_BYTES} bytes.")
        target = self._target(url)
        content = target.head + _as_bytes(headers, len(body)) + body
        attempt = _Attempt(target.scheme)
        reset = _attempt.set(attempt)
        try:
            with self._deadline.begun():
                while (answer := await self._send(target, content, attempt)) is None:
                    pass  # terminates: each iteration either opens a connection or uses up one that was kept
                return answer
        except (aiohttp.ClientError, OSError) as error:
            raise attempt.refusal or self._named(error) from error
        finally:
            _attempt.reset(reset)

    async def _send(self, target: "_Target", content: bytes, attempt: _Attempt) -> Answered | None:
        """Return the response, or None if the receiver had closed the kept connection on which the request was sent.

        Then it is sent again, as RFC 9112 §9.3.1 allows for idempotent requests: receivers recognize a message by its
        id."""
        started = time.perf_counter()
        try:
            connection = await self._connector.connect(target.request, [], _NO_TIMEOUT)
            try:
                message, received = await self._exchange(connection, content)
            except BaseException:
                connection.close()
                raise
            connection.release()
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError) as error:
            if attempt.dialled or isinstance(error, aiohttp.ClientConnectorError):
                raise
            return None
        given = message.headers
        kept = {name: given[name][:KEPT_HEADER_CHARACTERS] for name in KEPT_HEADERS if name in given}
        return Answered(message.code, kept, _excerpt(received), round((time.perf_counter() - started) * 1000))

    async def _exchange(self, connection: Connection, content: bytes) -> tuple[RawResponseMessage, bytes]:
        """Send one request and return its response, skipping interim ones (100 Continue)."""
        protocol = connection.protocol
        assert protocol is not None
        protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=self._maximum_response_bytes,
            max_line_size=self._maximum_response_bytes,  # the limit of bytes ends the head, with its own error
            max_field_size=self._maximum_response_bytes,
        )
        if protocol.transport is None:  # closed while it was waiting to be used
            raise aiohttp.ServerDisconnectedError
        protocol.transport.write(content)
        try:
            while True:
                message, payload = await protocol.read()
                if not 100 <= message.code <= 199 or message.code == http.HTTPStatus.SWITCHING_PROTOCOLS:
                    return message, await payload.read()
        except HttpProcessingError as error:
            raise ProtocolError("The response is not well-formed HTTP.") from error

    def _aim(self, url: str) -> "_Target":
        scheme, target = self._check_target(url)
        head = f"POST {target.raw_path_qs} HTTP/1.1\r\nHost: {target.host_port_subcomponent}\r\n{_CONSTANT_HEADERS}"
        return _Target(scheme, aiohttp.ClientRequest("POST", target, ssl=self._tls or True), head.encode("ascii"))

    def _check_target(self, url: str) -> tuple[str, URL]:
        parsed = check_url(url, self._allowed_networks)
        target = URL(parsed.url, encoded=True)  # sent as given: some receivers sign their URL's text
        if (target.scheme, target.raw_host, target.port) != (parsed.scheme, parsed.host.strip("[]"), parsed.port):
            raise InvalidUrl("The URL's host and port are invalid.")
        return parsed.scheme, target

    def _make_connector(self) -> aiohttp.TCPConnector:
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self._look_up, self._allowed_networks),
            ttl_dns_cache=ADDRESS_CACHE_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            limit=self._connections,
            ssl=self._tls or True,
            socket_factory=self._open_socket,
        )
        # aiohttp has no public way to set the protocol; the tests of the limit of bytes fail if this stops working.
        factory = functools.partial(_BoundedHandler, asyncio.get_running_loop(), self._maximum_response_bytes)
        connector._factory = cast("functools.partial[ResponseHandler]", factory)
        return connector

    def _open_socket(self, dial: tuple[Any, ...]) -> socket.socket:
        """Check the address and open a socket. Called by aiohttp for each address before it connects."""
        family, kind, protocol, _, (address, *_) = dial
        attempt = _attempt.get()
        attempt.dialled = True
        try:
            addresses.refuse_forbidden(address, self._allowed_networks, attempt.scheme)
        except ForbiddenAddress as refusal:
            attempt.refusal = refusal
            raise PermissionError(errno.EACCES, str(refusal)) from refusal
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        return opened

    def _named(self, error: aiohttp.ClientError | OSError) -> OutboundError:
        """Return the OutboundError for a failure of aiohttp or of the system. The order matters, since the classes
        overlap."""
        cause = getattr(error, "os_error", None) or error.__cause__
        match error:
            case TimeoutError():
                return TimedOut(f"No complete response within {self._deadline_seconds:g} s.")
            case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError():
                return TlsFailed(f"TLS failed: {_sentence(cause or error)}.")
            case aiohttp.InvalidURL():
                return InvalidUrl("The URL is invalid.")
            case aiohttp.ClientPayloadError():
                return ProtocolError("The response body is truncated or badly framed.")
        if isinstance(cause, ssl.SSLError):
            return TlsFailed(f"TLS failed: {_sentence(cause)}.")
        number = getattr(cause, "errno", None) or getattr(error, "errno", None)
        if number == errno.ECONNREFUSED:
            return ConnectionRefused("The connection was refused.")
        if number == errno.ETIMEDOUT:
            return TimedOut("The host does not respond.")
        if isinstance(error, aiohttp.ClientConnectorError) and number not in _RESETS:
            return ConnectionFailed(f"The host could not be reached: {_sentence(cause or error)}.")
        return ConnectionReset("The connection was closed before a response was received.")


# Without Accept-Encoding any encoding would be welcome (RFC 9110 §12.5.3).
_CONSTANT_HEADERS = "User-Agent: officepro\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)  # Deadline is the only timeout
_RESETS = frozenset((errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, None))


def _as_bytes(headers: Mapping[str, str], length: int) -> bytes:
    """Return the rest of the head. Raises ValueError for a control character, which could end its line."""
    if not "".join(headers.values()).isprintable():
        raise ValueError("a header holds a control character")
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    return f"{''.join(lines)}Content-Length: {length}\r\n\r\n".encode("ascii")


def _sentence(error: BaseException) -> str:
    return str(getattr(error, "verify_message", None) or getattr(error, "strerror", None) or error)


def _excerpt(content: bytes) -> str:
    text = content[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace")  # at most four bytes a character
    return text[:EXCERPT_CHARACTERS].replace("\0", "\N{REPLACEMENT CHARACTER}")
