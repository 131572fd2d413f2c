"""The only HTTP client that leaves the house: it POSTs to public addresses, and takes little in return.

Read from top to bottom: the names of failures, which addresses are refused, which URLs are, how a name becomes
checked addresses, and the client. Three walls stand between a partner's URL and the inside of the house:

1. `check_url` takes only plain https URLs, and refuses literals of forbidden addresses (for them no resolver is asked).
2. `_CheckedResolver` refuses a name if ANY of its addresses is forbidden; what it returns is what is dialled.
3. `OutboundClient._open_socket` judges each address once more in the moment in which it is dialled.

Connections are kept for 15 s, each pinned to the address that was checked when it was dialled: a name that is rebound
afterwards is checked again at its next dial. Redirects are not followed, proxies of the environment are ignored.
What no list can know is a site's own public addresses and its own NAT64 prefixes: that is its firewall's business.
"""

import asyncio
import concurrent.futures
import contextlib
import errno
import functools
import re
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import TracebackType
from typing import Any, ClassVar, Self, cast

import aiohttp
import idna
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LookUp = Callable[[str], Awaitable[list[str]]]
"""From a host name to its addresses as text; raises DnsLookupFailed."""

DEADLINE_SECONDS = 15.0  # over name lookup, connect, TLS, head and body together
MAXIMUM_RESPONSE_BYTES = 16 * 1024  # head, framing and body together
MAXIMUM_REQUEST_BYTES = 64 * 1024
EXCERPT_CHARACTERS = 1024
KEPT_HEADERS = ("retry-after", "content-type")
KEPT_HEADER_CHARACTERS = 256
KEEP_ALIVE_SECONDS = 15.0
LOOKUP_SECONDS = 5.0
ADDRESS_CACHE_SECONDS = 10  # only checked answers get into it
MAXIMUM_LOOKUPS = 64  # threads that name servers can keep waiting at the same time
MAXIMUM_DIALLED_ADDRESSES = 4
MAXIMUM_URL_CHARACTERS = 2048
MAXIMUM_HOST_CHARACTERS = 253  # RFC 1035 §2.3.4, without the final dot

# The kernel takes a whole request at once, so that closing never waits for a receiver that doesn't read…
SEND_BUFFER_BYTES = 2 * MAXIMUM_REQUEST_BYTES
# …and takes little more of an answer than we would read.
RECEIVE_BUFFER_BYTES = 2 * MAXIMUM_RESPONSE_BYTES


class OutboundError(Exception):
    """A request that got no answer. `code` is stable and may be stored; the message is a sentence for people.

    OutboundError
    ├── InvalidUrl            invalid_url            the URL itself will not do
    ├── ForbiddenAddress      forbidden_address      it leads to an address that is not public
    ├── DnsLookupFailed       dns_lookup_failed      the name has no address, or its server doesn't answer
    ├── ConnectionRefused     connection_refused     nobody listens there
    ├── ConnectionReset       connection_reset       closed before there was an answer
    ├── ConnectionFailed      connection_failed      no route, or no socket to be had on our side
    ├── TlsFailed             tls_failed             handshake or certificate
    ├── TimedOut              timed_out              the one deadline passed
    ├── ProtocolError         protocol_error         not HTTP/1.1, or a body cut short
    ├── ResponseTooLarge      response_too_large     16 KiB passed before the head was complete
    └── RequestTooLarge       request_too_large      our own body is over 64 KiB
    """

    code: ClassVar[str] = "outbound_error"


class InvalidUrl(OutboundError):
    code = "invalid_url"


class ForbiddenAddress(OutboundError):
    code = "forbidden_address"


class DnsLookupFailed(OutboundError):
    code = "dns_lookup_failed"


class ConnectionRefused(OutboundError):
    code = "connection_refused"


class ConnectionReset(OutboundError):
    code = "connection_reset"


class ConnectionFailed(OutboundError):
    code = "connection_failed"


class TlsFailed(OutboundError):
    code = "tls_failed"


class TimedOut(OutboundError):
    code = "timed_out"


class ProtocolError(OutboundError):
    code = "protocol_error"


class ResponseTooLarge(OutboundError):
    code = "response_too_large"


class RequestTooLarge(OutboundError):
    code = "request_too_large"


# --- addresses -------------------------------------------------------------------------------------------------------

# `ipaddress.is_global` alone is wrong for several of these. Sources: the IANA special-purpose address registries
# (RFC 6890), and the clouds' documentation for their metadata services. The first match names the reason.
_FORBIDDEN: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), reason)
    for network, reason in (
        ("169.254.169.254/32", "a cloud's metadata service"),
        ("168.63.129.16/32", "Azure's platform service"),
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "IETF protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relays"),
        ("192.168.0.0/16", "a private network"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "an IPv4 address in IPv6 clothes"),
        ("::/96", "an IPv4 address in IPv6 clothes"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("100::/64", "discard-only"),
        ("2001::/32", "Teredo"),
        ("2001:2::/48", "benchmarking"),
        ("2001:10::/28", "ORCHID"),
        ("2001:20::/28", "ORCHID"),
        ("2001::/23", "IETF protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fd00:ec2::254/128", "a cloud's metadata service"),
        ("fc00::/7", "a private network"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291 §2.4; IANA has given out nothing else

# Where an IPv4 address stands in an IPv6 one: the network, and how many bits are to its right.
_EMBEDDING = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)


def is_forbidden(address: str | Address, allowed_networks: Sequence[Network] = ()) -> str | None:
    """Why deliveries must not go to this address, or None if they may; raises ValueError if it isn't an address.

    An IPv4 address within an IPv6 one is refused even if it is public, unless the settings allow it explicitly.
    """
    address = ip_address(address)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "an address with a zone"
    if _is_allowed(address, allowed_networks):
        return None
    for network, reason in _FORBIDDEN:
        if address in network:
            return reason
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "outside global unicast"
    return None if address.is_global else "not globally reachable"


def _is_allowed(address: Address, allowed_networks: Sequence[Network]) -> bool:
    embedded = _embedded_ipv4(address)
    return any(address in network or (embedded is not None and embedded in network) for network in allowed_networks)


def _embedded_ipv4(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address) or address in (IPv6Address("::"), IPv6Address("::1")):
        return None
    for network, shift in _EMBEDDING:
        if address in network:
            return IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return None


def _refuse_forbidden(address: str | Address, allowed_networks: Sequence[Network], scheme: str) -> None:
    reason = is_forbidden(address, allowed_networks)
    if reason is not None:
        raise ForbiddenAddress(f"{address} is not a public address: {reason}.")
    if scheme == "http" and not _is_allowed(ip_address(address), allowed_networks):
        raise ForbiddenAddress(f"{address} is outside the networks to which the settings allow plain http; use https.")


# --- URLs ------------------------------------------------------------------------------------------------------------

# "Bad ports" of the Fetch standard (fetch.spec.whatwg.org/#port-blocking): what listens there is not HTTP, and could be
# talked into something by the text of a request.
_BAD_PORTS = frozenset(
    (
        *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109),
        *(110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530),
        *(531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045),
        *(4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
    )
)
_DEFAULT_PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"(https?)://([^/?#\\]+)([/?][^#\\]*)?", re.IGNORECASE)
_TARGET = re.compile(r"[!$-;=?-\[\]_a-z~]*")  # printable ASCII but " # < > \ ^ ` { | }, which must be percent-encoded
_AUTHORITY = re.compile(r"(\[[^\[\]@]*\]|[^\[\]@:]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # such a last label makes others take the host for an IPv4 address


@dataclass(frozen=True, slots=True)
class ParsedUrl:
    """A URL in the one spelling that is dialled; `address` is set if the host is a literal."""

    url: str
    scheme: str
    host: str
    port: int
    address: Address | None


def check_url(url: str, allowed_networks: Sequence[Network] = ()) -> ParsedUrl:
    """Takes a URL apart strictly; raises InvalidUrl, or ForbiddenAddress if its host is a forbidden address.

    https is required, and http is accepted only where the settings allow some network: then each address must lie in
    it, which the dial checks. The text that is dialled is put together from the parts found here, so that no second
    parser can see another host in it.
    """
    if len(url) > MAXIMUM_URL_CHARACTERS:
        raise InvalidUrl(f"The URL is longer than {MAXIMUM_URL_CHARACTERS} characters.")
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidUrl("The URL must look like https://host/path, without a fragment or a backslash.")
    scheme, target = match[1].lower(), match[3] or "/"
    if scheme == "http" and not allowed_networks:
        raise InvalidUrl("The URL must start with https://.")
    if _TARGET.fullmatch(target) is None:
        raise InvalidUrl("Path and query may hold printable ASCII only; percent-encode the rest.")
    host, port = _host_and_port(match[2], scheme)
    address = _literal(host)
    if address is not None:
        _refuse_forbidden(address, allowed_networks, scheme)
    authority = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    path = target if target.startswith("/") else f"/{target}"
    return ParsedUrl(f"{scheme}://{authority}{path}", scheme, host, port, address)


def _host_and_port(authority: str, scheme: str) -> tuple[str, int]:
    if "@" in authority:
        raise InvalidUrl("The URL must not hold a user name or password.")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise InvalidUrl("The URL's host and port cannot be read.")
    port = int(match[2]) if match[2] else _DEFAULT_PORTS[scheme]
    if not 1 <= port <= 65535:
        raise InvalidUrl("The port must lie between 1 and 65535.")
    if port in _BAD_PORTS:
        raise InvalidUrl(f"Port {port} belongs to another protocol than HTTP.")
    return (_ipv6_host(match[1]) if match[1].startswith("[") else _named_host(match[1])), port


def _ipv6_host(bracketed: str) -> str:
    if "%" in bracketed:
        raise InvalidUrl("An IPv6 address in the URL must not have a zone.")
    try:
        return f"[{IPv6Address(bracketed[1:-1])}]"
    except ValueError:
        raise InvalidUrl("The brackets in the URL don't hold an IPv6 address.") from None


def _named_host(text: str) -> str:
    host = _to_ascii(text).removesuffix(".")
    if len(host) > MAXIMUM_HOST_CHARACTERS or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise InvalidUrl("The URL's host is not a valid name.")
    if _NUMBER.fullmatch(host.rpartition(".")[2]) and (host != text or _literal(host) is None):
        raise InvalidUrl("An IPv4 address in the URL must be written as four decimal numbers, such as 192.0.2.1.")
    return host


def _to_ascii(host: str) -> str:
    """IDNA 2008 with the mapping of UTS 46, as browsers do; the standard library's codec is IDNA 2003."""
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise InvalidUrl("The URL's host is not a valid name.") from None


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


# --- names -----------------------------------------------------------------------------------------------------------

_lookups: dict[str, concurrent.futures.Future[list[str]]] = {}  # those under way, by host, for the whole process


async def system_look_up(host: str) -> list[str]:
    """The system's answer (hosts file and DNS) within 5 s; raises DnsLookupFailed.

    A lookup can't be cancelled, so one whose name server is silent goes on alone: in a thread of its own, at most one
    per host and 64 in all, and as a daemon, so that neither the event loop nor the exit of the process waits for it.
    """
    lookup = _lookups.get(host) or _start_lookup(host)
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await asyncio.wrap_future(lookup)
    except TimeoutError:
        raise DnsLookupFailed(f"The name servers did not answer within {LOOKUP_SECONDS:g} s.") from None
    except (OSError, UnicodeError) as error:
        raise DnsLookupFailed(f"The host name was not found: {getattr(error, 'strerror', None) or error}.") from error


def _start_lookup(host: str) -> concurrent.futures.Future[list[str]]:
    if len(_lookups) >= MAXIMUM_LOOKUPS:
        raise DnsLookupFailed("Too many names are being looked up at the moment.")
    lookup = _lookups[host] = concurrent.futures.Future()
    lookup.set_running_or_notify_cancel()  # from here on a waiter that gives up doesn't cancel it for the others

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
            answer: list[str] | Exception = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except (OSError, UnicodeError) as error:
            answer = error
        del _lookups[host]
        with contextlib.suppress(RuntimeError):  # the loop of a waiter may be closed by now
            if isinstance(answer, Exception):
                lookup.set_exception(answer)
            else:
                lookup.set_result(answer)

    threading.Thread(target=look_up, name="name lookup", daemon=True).start()
    return lookup


async def check_destination(
    url: str, allowed_networks: Sequence[Network] = (), look_up: LookUp = system_look_up
) -> bool:
    """For sign-up: whether the URL's host resolves by now, which it need not.

    Raises InvalidUrl, or ForbiddenAddress with the reason if any of its addresses is forbidden.
    """
    parsed = check_url(url, allowed_networks)
    if parsed.address is not None:
        return True
    try:
        addresses = await look_up(parsed.host)
    except DnsLookupFailed:
        return False
    for address in addresses:
        _refuse_forbidden(address, allowed_networks, parsed.scheme)
    return bool(addresses)


class _CheckedResolver(AbstractResolver):
    """What aiohttp dials instead of names. One forbidden answer condemns the others: such a name means us harm."""

    def __init__(self, look_up: LookUp, allowed_networks: Sequence[Network]) -> None:
        self._look_up = look_up
        self._allowed_networks = allowed_networks

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self._look_up(host)
        if not addresses:
            raise DnsLookupFailed("The host name has no address.")
        for address in addresses:
            _refuse_forbidden(address, self._allowed_networks, "https")  # the scheme isn't known before the dial
        return [
            ResolveResult(hostname=host, host=address, port=port, family=0, proto=0, flags=socket.AI_NUMERICHOST)
            for address in addresses[:MAXIMUM_DIALLED_ADDRESSES]
        ]

    async def close(self) -> None:
        pass


# --- the client ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer of whatever status. `headers` has lower-case names, of KEPT_HEADERS alone.

    `body_excerpt` is the first 1,024 characters, safe to store as text: what isn't UTF-8, and NUL, is replaced.
    """

    status: int
    headers: Mapping[str, str]
    body_excerpt: str
    duration_ms: int


@dataclass(slots=True)
class _Attempt:
    """What the dial, deep inside aiohttp, has to know of the request and to tell it."""

    scheme: str
    dialled: bool = False
    refusal: ForbiddenAddress | None = None


_attempt: ContextVar[_Attempt] = ContextVar("attempt")


class _BoundedHandler(ResponseHandler):
    """aiohttp's client protocol with a budget of bytes for each answer: head, framing and body.

    aiohttp itself bounds neither a stream of `100 Continue` nor what arrives on an idle connection.
    """

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
        """Closes the connection. An answer whose head is complete stands, with the body as far as it got."""
        payload, transport = self._payload, self.transport
        self._parser = self._payload = None
        self._should_close = True
        if payload is not None and not payload.is_eof():
            payload.feed_eof()
        elif not self.is_eof():
            self.set_exception(ResponseTooLarge(f"The head of the answer is over {self._maximum_bytes} bytes."))
        if transport is not None:
            transport.abort()


class OutboundClient:
    """POSTs under one deadline and one budget of bytes. Use it as `async with OutboundClient(...) as client`.

    `connections` is how many requests may be under way; more wait, at the cost of their own deadline, so the caller's
    limits should lie below it. `tls` replaces the system's certificate authorities.
    """

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
        self._target = functools.lru_cache(maxsize=4096)(self._check_target)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=self._connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # ours is the only clock
            # Without Accept-Encoding any encoding would be welcome (RFC 9110 §12.5.3).
            headers={"User-Agent": "officepro", "Accept": "*/*", "Accept-Encoding": "identity"},
            read_bufsize=self._maximum_response_bytes,
            max_line_size=self._maximum_response_bytes,  # the budget ends the head, under its own name
            max_field_size=self._maximum_response_bytes,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Sends `body` and reads the answer, whatever its status; raises a subclass of OutboundError.

        A body that ends too late is TimedOut, one that is too long is cut, and its status counts.
        """
        if len(body) > MAXIMUM_REQUEST_BYTES:
            raise RequestTooLarge(f"The body is over {MAXIMUM_REQUEST_BYTES} bytes.")
        scheme, target = self._target(url)
        attempt = _Attempt(scheme)
        reset = _attempt.set(attempt)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                while (answer := await self._send(target, body, headers, attempt)) is None:
                    pass  # it ends, because each further turn either dials or uses up one kept connection
                return answer
        except (aiohttp.ClientError, OSError) as error:
            raise attempt.refusal or self._named(error) from error
        finally:
            _attempt.reset(reset)

    async def _send(self, target: URL, body: bytes, headers: Mapping[str, str], attempt: _Attempt) -> Answered | None:
        """The answer, or None if the receiver had closed the kept connection which the request went into.

        Then it is sent again, as RFC 9112 §9.3.1 allows where that does no harm: receivers know a message by its id.
        """
        started = time.perf_counter()
        try:
            async with self._session.post(target, data=body, headers=headers, allow_redirects=False) as response:
                content = await response.content.read()
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError) as error:
            if attempt.dialled or isinstance(error, aiohttp.ClientConnectorError):
                raise
            return None
        received = response.headers
        kept = {name: received[name][:KEPT_HEADER_CHARACTERS] for name in KEPT_HEADERS if name in received}
        return Answered(response.status, kept, _excerpt(content), round((time.perf_counter() - started) * 1000))

    def _check_target(self, url: str) -> tuple[str, URL]:
        parsed = check_url(url, self._allowed_networks)
        target = URL(parsed.url, encoded=True)  # sent as it was given: some receivers sign their URL's text
        if (target.scheme, target.raw_host, target.port) != (parsed.scheme, parsed.host.strip("[]"), parsed.port):
            raise InvalidUrl("The URL's host and port cannot be read.")
        return parsed.scheme, target

    def _connector(self) -> aiohttp.TCPConnector:
        connector = aiohttp.TCPConnector(
            resolver=_CheckedResolver(self._look_up, self._allowed_networks),
            ttl_dns_cache=ADDRESS_CACHE_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            limit=self._connections,
            ssl=self._tls or True,
            socket_factory=self._open_socket,
        )
        # aiohttp has no public way to give the protocol; the tests of the budget fail if this stops working.
        factory = functools.partial(_BoundedHandler, asyncio.get_running_loop(), self._maximum_response_bytes)
        connector._factory = cast("functools.partial[ResponseHandler]", factory)
        return connector

    def _open_socket(self, dial: tuple[Any, ...]) -> socket.socket:
        """Called by aiohttp for each address in the moment in which it is dialled."""
        family, kind, protocol, _, (address, *_) = dial
        attempt = _attempt.get()
        attempt.dialled = True
        try:
            _refuse_forbidden(address, self._allowed_networks, attempt.scheme)
        except ForbiddenAddress as refusal:
            attempt.refusal = refusal
            raise PermissionError(errno.EACCES, str(refusal)) from refusal
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        return opened

    def _named(self, error: aiohttp.ClientError | OSError) -> OutboundError:
        """Our name for a failure of aiohttp or of the system; the order matters, for the classes overlap."""
        cause = getattr(error, "os_error", None) or error.__cause__
        match error:
            case TimeoutError():
                return TimedOut(f"No complete answer within {self._deadline_seconds:g} s.")
            case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError():
                return TlsFailed(f"TLS failed: {_sentence(cause or error)}.")
            case aiohttp.InvalidURL():
                return InvalidUrl("The URL cannot be dialled.")
            case aiohttp.ClientResponseError():
                return ProtocolError("The answer is not well-formed HTTP.")
            case aiohttp.ClientPayloadError():
                return ProtocolError("The body of the answer is cut short or badly framed.")
        if isinstance(cause, ssl.SSLError):
            return TlsFailed(f"TLS failed: {_sentence(cause)}.")
        number = getattr(cause, "errno", None) or getattr(error, "errno", None)
        if number == errno.ECONNREFUSED:
            return ConnectionRefused("The connection was refused.")
        if number == errno.ETIMEDOUT:
            return TimedOut("The host does not answer.")
        if isinstance(error, aiohttp.ClientConnectorError) and number not in _RESETS:
            return ConnectionFailed(f"The host could not be reached: {_sentence(cause or error)}.")
        return ConnectionReset("The connection was closed before there was an answer.")


_RESETS = frozenset((errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, None))


def _sentence(error: BaseException) -> str:
    return str(getattr(error, "verify_message", None) or getattr(error, "strerror", None) or error)


def _excerpt(content: bytes) -> str:
    text = content[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace")  # at most four bytes a character
    return text[:EXCERPT_CHARACTERS].replace("\0", "\N{REPLACEMENT CHARACTER}")
