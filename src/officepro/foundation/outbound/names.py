"""Name resolution: from a host name to its addresses, all of them checked."""

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

from aiohttp.abc import AbstractResolver, ResolveResult

from officepro.foundation.outbound import addresses
from officepro.foundation.outbound.addresses import Network
from officepro.foundation.outbound.failures import DnsLookupFailed
from officepro.foundation.outbound.urls import check_url

LookUp = Callable[[str], Awaitable[list[str]]]
"""Resolves a host name to its addresses as text. Raises DnsLookupFailed."""

LOOKUP_SECONDS = 5.0
MAXIMUM_LOOKUPS = 64  # threads that may wait for name servers at the same time
MAXIMUM_DIALLED_ADDRESSES = 4

_lookups: dict[str, concurrent.futures.Future[list[str]]] = {}  # queries in progress, by host, for the whole process


async def system_look_up(host: str) -> list[str]:
    """Return the system's answer (hosts file and DNS) within 5 s. Raises DnsLookupFailed.

    A query cannot be cancelled, so one whose name server does not respond continues: in a thread of its own, at most
    one per host and 64 in all, and as a daemon, so that neither the event loop nor the exit of the process waits for
    it."""
    lookup = _lookups.get(host) or _start_lookup(host)
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await asyncio.wrap_future(lookup)
    except TimeoutError:
        raise DnsLookupFailed(f"The name servers did not respond within {LOOKUP_SECONDS:g} s.") from None
    except (OSError, UnicodeError) as error:
        raise DnsLookupFailed(f"The host name was not found: {getattr(error, 'strerror', None) or error}.") from error


def _start_lookup(host: str) -> concurrent.futures.Future[list[str]]:
    if len(_lookups) >= MAXIMUM_LOOKUPS:
        raise DnsLookupFailed("Too many name queries are in progress.")
    lookup = _lookups[host] = concurrent.futures.Future()
    lookup.set_running_or_notify_cancel()  # from here on a waiter that is cancelled does not cancel it for the others

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
            answer: list[str] | Exception = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except (OSError, UnicodeError) as error:
            answer = error
        del _lookups[host]
        with contextlib.suppress(RuntimeError):  # the event loop of a waiter may be closed by now
            if isinstance(answer, Exception):
                lookup.set_exception(answer)
            else:
                lookup.set_result(answer)

    threading.Thread(target=look_up, name="name lookup", daemon=True).start()
    return lookup


async def check_destination(
    url: str, allowed_networks: Sequence[Network] = (), look_up: LookUp = system_look_up
) -> bool:
    """Check a URL for a subscription. Return whether its host resolves, which is not required.

    Raises InvalidUrl, or ForbiddenAddress with the reason if any of its addresses is forbidden."""
    parsed = check_url(url, allowed_networks)
    if parsed.address is not None:
        return True
    try:
        found = await look_up(parsed.host)
    except DnsLookupFailed:
        return False
    for address in found:
        addresses.refuse_forbidden(address, allowed_networks, parsed.scheme)
    return bool(found)


class CheckedResolver(AbstractResolver):
    """Resolver for aiohttp. One forbidden address invalidates the whole answer: such a name is an attack."""

    def __init__(self, look_up: LookUp, allowed_networks: Sequence[Network]) -> None:
        self._look_up = look_up
        self._allowed_networks = allowed_networks

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the checked addresses of a host. Raises DnsLookupFailed, ForbiddenAddress."""
        found = await self._look_up(host)
        if not found:
            raise DnsLookupFailed("The host name has no address.")
        for address in found:
            # Whether the scheme is http is checked when the connection is opened.
            addresses.refuse_forbidden(address, self._allowed_networks, "https")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=0, proto=0, flags=socket.AI_NUMERICHOST)
            for address in found[:MAXIMUM_DIALLED_ADDRESSES]
        ]

    async def close(self) -> None:
        pass
