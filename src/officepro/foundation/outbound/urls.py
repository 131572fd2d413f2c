"""Which URLs are accepted, and their normalized form."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

import idna

from officepro.foundation.outbound import addresses
from officepro.foundation.outbound.addresses import Address, Network
from officepro.foundation.outbound.failures import InvalidUrl

MAXIMUM_URL_CHARACTERS = 2048
MAXIMUM_HOST_CHARACTERS = 253  # RFC 1035 §2.3.4, without the final dot

# "Bad ports" of the Fetch standard (fetch.spec.whatwg.org/#port-blocking): servers there do not speak HTTP, and could
# interpret the text of a request as commands.
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
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # with such a last label, other parsers read the host as an IPv4 address


@dataclass(frozen=True, slots=True)
class ParsedUrl:
    """A URL in normalized form; `address` is set if the host is an IP address."""

    url: str
    scheme: str
    host: str
    port: int
    address: Address | None


def check_url(url: str, allowed_networks: Sequence[Network] = ()) -> ParsedUrl:
    """Parse a URL strictly. Raises InvalidUrl, or ForbiddenAddress if its host is a forbidden address.

    https is required; http is accepted only if the settings allow some network, which must contain each address; this
    is checked when a connection is opened. The URL that is used is built from the parts found here, so that no second
    parser can find another host in it."""
    if len(url) > MAXIMUM_URL_CHARACTERS:
        raise InvalidUrl(f"The URL is longer than {MAXIMUM_URL_CHARACTERS} characters.")
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidUrl("The URL must have the form https://host/path, without a fragment or a backslash.")
    scheme, target = match[1].lower(), match[3] or "/"
    if scheme == "http" and not allowed_networks:
        raise InvalidUrl("The URL must start with https://.")
    if _TARGET.fullmatch(target) is None:
        raise InvalidUrl("Path and query must be printable ASCII; percent-encode other characters.")
    host, port = _host_and_port(match[2], scheme)
    address = _literal(host)
    if address is not None:
        addresses.refuse_forbidden(address, allowed_networks, scheme)
    authority = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    path = target if target.startswith("/") else f"/{target}"
    return ParsedUrl(f"{scheme}://{authority}{path}", scheme, host, port, address)


def without_query(url: str) -> str:
    """Return the URL as shown in delivery records. The query may contain a secret of the receiver, so it is replaced by
    `?…`. (A user name or password is refused when a subscription is created.)"""
    address, mark, _ = url.partition("?")
    return f"{address}?…" if mark else address


def _host_and_port(authority: str, scheme: str) -> tuple[str, int]:
    if "@" in authority:
        raise InvalidUrl("The URL must not contain a user name or password.")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise InvalidUrl("The URL's host and port are invalid.")
    port = int(match[2]) if match[2] else _DEFAULT_PORTS[scheme]
    if not 1 <= port <= 65535:
        raise InvalidUrl("The port must lie between 1 and 65535.")
    if port in _BAD_PORTS:
        raise InvalidUrl(f"Port {port} is reserved for another protocol than HTTP.")
    return (_ipv6_host(match[1]) if match[1].startswith("[") else _named_host(match[1])), port


def _ipv6_host(bracketed: str) -> str:
    if "%" in bracketed:
        raise InvalidUrl("An IPv6 address in the URL must not have a zone.")
    try:
        return f"[{IPv6Address(bracketed[1:-1])}]"
    except ValueError:
        raise InvalidUrl("The brackets in the URL do not contain an IPv6 address.") from None


def _named_host(text: str) -> str:
    host = _to_ascii(text).removesuffix(".")
    if len(host) > MAXIMUM_HOST_CHARACTERS or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise InvalidUrl("The URL's host is not a valid name.")
    if _NUMBER.fullmatch(host.rpartition(".")[2]) and (host != text or _literal(host) is None):
        raise InvalidUrl("An IPv4 address in the URL must be written as four decimal numbers, such as 192.0.2.1.")
    return host


def _to_ascii(host: str) -> str:
    """Encode a host name by IDNA 2008 with the mapping of UTS 46, as browsers do; the standard library's codec is IDNA
    2003."""
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
