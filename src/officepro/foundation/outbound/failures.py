"""What can go wrong with a request to the world, each by the name under which it is stored."""

from typing import ClassVar


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
