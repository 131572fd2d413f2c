"""Errors of outbound requests, each with the code under which it is stored."""

from typing import ClassVar


class OutboundError(Exception):
    """A request without a response. `code` is stable and may be stored; the message is for people.

    OutboundError
    ├── InvalidUrl            invalid_url            the URL is not accepted
    ├── ForbiddenAddress      forbidden_address      its host has an address that is not public
    ├── DnsLookupFailed       dns_lookup_failed      the name has no address, or its server does not respond
    ├── ConnectionRefused     connection_refused     no server listens there
    ├── ConnectionReset       connection_reset       closed before a response was received
    ├── ConnectionFailed      connection_failed      no route, or no local socket available
    ├── TlsFailed             tls_failed             handshake or certificate
    ├── TimedOut              timed_out              the deadline passed
    ├── ProtocolError         protocol_error         not HTTP/1.1, or a truncated body
    ├── ResponseTooLarge      response_too_large     16 KiB passed before the head was complete
    └── RequestTooLarge       request_too_large      the request body is over 64 KiB
    """

    code: ClassVar[str] = "outbound_error"


class InvalidUrl(OutboundError):
    """The URL is not accepted."""

    code = "invalid_url"


class ForbiddenAddress(OutboundError):
    """The host has an address that is not public."""

    code = "forbidden_address"


class DnsLookupFailed(OutboundError):
    """The host name has no address, or its name server does not respond."""

    code = "dns_lookup_failed"


class ConnectionRefused(OutboundError):
    """No server listens at the address."""

    code = "connection_refused"


class ConnectionReset(OutboundError):
    """The connection was closed before a response was received."""

    code = "connection_reset"


class ConnectionFailed(OutboundError):
    """No route to the host, or no local socket available."""

    code = "connection_failed"


class TlsFailed(OutboundError):
    """The TLS handshake or the certificate is invalid."""

    code = "tls_failed"


class TimedOut(OutboundError):
    """The deadline passed."""

    code = "timed_out"


class ProtocolError(OutboundError):
    """The response is not HTTP/1.1, or its body is truncated."""

    code = "protocol_error"


class ResponseTooLarge(OutboundError):
    """16 KiB were received before the head was complete."""

    code = "response_too_large"


class RequestTooLarge(OutboundError):
    """The request body is over 64 KiB."""

    code = "request_too_large"
