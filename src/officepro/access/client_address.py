"""The client's address of a request: the peer's address, or behind trusted proxies the one that X-Forwarded-For names.

Proxies write X-Forwarded-For in several ways, all of which are accepted: `192.0.2.7`, `192.0.2.7:50123` (Azure, IIS),
`2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:50123`, with spaces, in one header or in several. An IPv4-mapped IPv6
address (`::ffff:192.0.2.7`, which a socket for both versions reports) is the IPv4 address."""

import ipaddress
import logging
import re
from collections.abc import Sequence
from functools import lru_cache

from litestar.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAXIMUM_CHARACTERS = 80  # of an address with scope and port; longer texts are neither parsed nor cached
CACHED_ADDRESSES = 4096
_BRACKETED = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?")
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")

logger = logging.getLogger("officepro")


class ClientAddresses:
    """Determines the client's address of each request."""

    def __init__(self, trusted_proxies: Sequence[Network]) -> None:
        self._trusted_proxies = trusted_proxies
        self._has_warned = False
        self._look_up = lru_cache(maxsize=CACHED_ADDRESSES)(self._peer)

    def of(self, scope: Scope) -> str:
        """Return the client's address.

        If the peer is a trusted proxy, this is the last address of X-Forwarded-For that is not a trusted proxy's.
        Entries before it, or before anything that is not an address, are not used: the client may have made them up."""
        client = scope.get("client")
        peer = client[0] if client else ""
        address, is_trusted = self._look_up(peer)
        if not is_trusted:
            if not self._has_warned:
                for name, _ in scope["headers"]:
                    if name == b"x-forwarded-for":
                        self._warn(peer)
                        break
            return address
        for hop in reversed(_forwarded(scope)):
            named = parse(hop)
            if named is None:
                break
            address = str(named)
            if not self.is_trusted(named):
                break
        return address

    def is_https(self, scope: Scope) -> bool:
        """Return whether a trusted proxy states in X-Forwarded-Proto that its client uses TLS. Of several values the
        last one counts, which the peer itself wrote."""
        if not self._trusted_proxies:
            return False
        protocols = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        if not protocols or protocols[-1].rpartition(b",")[2].strip().lower() != b"https":
            return False
        client = scope.get("client")
        return client is not None and self.is_trusted(parse(client[0]))

    def is_trusted(self, address: Address | None) -> bool:
        """Return whether this is the address of a trusted proxy."""
        return address is not None and any(address in network for network in self._trusted_proxies)

    def _peer(self, peer: str) -> tuple[str, bool]:
        """Return the peer's address, or its name if it has no address, and whether it is a trusted proxy."""
        address = parse(peer)
        return str(address or peer), self.is_trusted(address)

    def _warn(self, peer: str) -> None:
        """Log a warning, once in each process: behind a proxy that is not configured all clients have one address, in
        rate limits and in the logs."""
        self._has_warned = True
        logger.warning(
            "X-Forwarded-For ignored: the peer is not in OFFICEPRO_TRUSTED_PROXIES; add it there if it is your proxy",
            extra={"peer": peer},
        )


def parse(text: str) -> Address | None:
    """Parse an address with or without a port. Return None if the text is not an address."""
    return _parse(text) if len(text) <= MAXIMUM_CHARACTERS else None


@lru_cache(maxsize=CACHED_ADDRESSES)
def _parse(text: str) -> Address | None:
    text = text.strip(" \t")
    with_port = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address(with_port.group(1) if with_port else text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _forwarded(scope: Scope) -> list[str]:
    """Return the addresses in the order in which proxies added them, without empty list elements (RFC 9110, 5.6.1)."""
    headers = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop for value in headers for hop in value.decode("latin-1").split(",") if hop.strip(" \t")]
