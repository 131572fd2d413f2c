"""Which IP addresses are public, so that connections to them are allowed."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from officepro.foundation.outbound.failures import ForbiddenAddress

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

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
        ("::ffff:0:0/96", "an IPv4-mapped IPv6 address"),
        ("::/96", "an IPv4-compatible IPv6 address"),
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
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291 §2.4; IANA has assigned nothing else

# Position of an IPv4 address within an IPv6 one: the network, and the number of bits to its right.
_EMBEDDING = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)


def is_forbidden(address: str | Address, allowed_networks: Sequence[Network] = ()) -> str | None:
    """Return why deliveries must not be sent to this address, or None if they may. Raises ValueError if it is not an
    address.

    An IPv4 address within an IPv6 one is refused even if it is public, unless the settings allow it explicitly."""
    address = ip_address(address)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "an address with a zone"
    if is_allowed(address, allowed_networks):
        return None
    for network, reason in _FORBIDDEN:
        if address in network:
            return reason
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "outside global unicast"
    return None if address.is_global else "not globally reachable"


def is_allowed(address: Address, allowed_networks: Sequence[Network]) -> bool:
    """Return whether the settings allow this address."""
    embedded = _embedded_ipv4(address)
    return any(address in network or (embedded is not None and embedded in network) for network in allowed_networks)


def _embedded_ipv4(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address) or address in (IPv6Address("::"), IPv6Address("::1")):
        return None
    for network, shift in _EMBEDDING:
        if address in network:
            return IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return None


def refuse_forbidden(address: str | Address, allowed_networks: Sequence[Network], scheme: str) -> None:
    """Raises ForbiddenAddress with the reason, also for plain http outside the allowed networks."""
    reason = is_forbidden(address, allowed_networks)
    if reason is not None:
        raise ForbiddenAddress(f"{address} is not a public address: {reason}.")
    if scheme == "http" and not is_allowed(ip_address(address), allowed_networks):
        raise ForbiddenAddress(f"{address} is outside the networks to which the settings allow plain http; use https.")
