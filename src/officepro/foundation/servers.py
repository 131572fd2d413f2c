"""Search for the primary among several PostgreSQL servers; it moves when a machine fails.

`postgresql://officepro@db1:5432,db2:5432,db3:5432/officepro` names them all. asyncpg would try one after the other
within a single timeout, so that a machine that does not respond (no power, no network) would keep every new connection
from reaching the next. Here the last primary is tried first, and after 0.5 s all others.

A primary that was frozen and continues takes itself for the primary until it is demoted, and one whose machine hangs
keeps its connections open. The timeline distinguishes them, which PostgreSQL increments whenever a standby is promoted:
once a later one was observed, connections to an earlier one are not used."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

HEAD_START_SECONDS = 0.5  # for the last primary
TAKES_WRITES = "read-write"


class Reign(NamedTuple):
    """Epoch of a primary, from one promotion to the next: system identifier and timeline."""

    cluster: int  # PostgreSQL's system identifier: each cluster counts its own timelines
    timeline: int

    def is_over(self, newest: "Reign | None") -> bool:
        """Return whether `newest` is a later epoch of the same cluster."""
        return newest is not None and self.cluster == newest.cluster and self.timeline < newest.timeline


class Line(Protocol):
    """The attributes of a connection that the search uses."""

    reign: Reign | None  # None where it is not queried: behind a pooler, a connection outlives it

    def terminate(self) -> None: ...


Connected = TypeVar("Connected", bound=Line)


class Servers(Generic[Connected]):
    """The servers of a URL. `on_change` is called when a primary is found that was promoted since the last one."""

    def __init__(self, url: str, on_change: Callable[[Reign], None] = lambda _: None) -> None:
        self._urls = one_by_one(url)
        self._on_change = on_change
        self._reign: Reign | None = None

    async def connected(self, connect: Callable[[str], Awaitable[Connected]]) -> Connected:
        """Return a connection to the primary. `connect` takes the URL of one server, and raises OSError if that is not
        the primary."""
        favourite, *others = self._urls
        return await self._first(connect, [favourite], others)

    async def look_elsewhere(self, connect: Callable[[str], Awaitable[Connected]]) -> Connected:
        """The same, without the one that was right the last time, of which nothing is heard; but a URL of one server
        may be that of a balancer, which leads elsewhere in time."""
        return await self._first(connect, self._urls[1:] or self._urls, [])

    async def _first(
        self, connect: Callable[[str], Awaitable[Connected]], urls: list[str], later: list[str]
    ) -> Connected:
        asked = {asyncio.ensure_future(self._primary(connect, url)) for url in urls}
        failures: list[BaseException] = []
        try:
            if later:
                await asyncio.wait(asked, timeout=HEAD_START_SECONDS)
                if not any(_has_connected(each) for each in asked):
                    asked |= {asyncio.ensure_future(self._primary(connect, url)) for url in later}
            waiting = set(asked)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    if failure := each.exception():
                        failures.append(failure)
                    else:
                        asked.remove(each)
                        return each.result()
        finally:
            for each in asked:
                each.cancel()
                each.add_done_callback(_discard)
        raise _most_telling(failures)

    async def _primary(self, connect: Callable[[str], Awaitable[Connected]], url: str) -> Connected:
        line = await connect(url)
        if line.reign is not None:
            self._compare(line, line.reign)
        self._urls = [url, *(other for other in self._urls if other != url)]
        return line

    def _compare(self, line: Connected, reign: Reign) -> None:
        if reign.is_over(self._reign):
            line.terminate()
            raise ConnectionRefusedError("a former primary that has not been demoted yet")
        before, self._reign = self._reign, reign
        if before is not None and before != reign:
            self._on_change(reign)


def one_by_one(url: str) -> list[str]:
    """Return a URL for each server that it names, in the URL's order. If there are several, each requires a server that
    accepts writes."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    login, at, named = parts.netloc.rpartition("@")
    if "," in named:
        servers = [(login + at + server, query) for server in named.split(",")]
    elif "," in query.get("host", ""):
        hosts, ports = query["host"].split(","), query.get("port", "").split(",")
        ports = ports if len(ports) == len(hosts) else ports * len(hosts)
        servers = [
            (parts.netloc, {**query, "host": host, "port": port}) for host, port in zip(hosts, ports, strict=False)
        ]
    else:
        return [url]
    return [f"{parts.scheme}://{netloc}{parts.path}?{_written(own)}" for netloc, own in servers]


def _written(query: dict[str, str]) -> str:
    given = {name: value for name, value in query.items() if value}
    return urlencode({"target_session_attrs": TAKES_WRITES, **given}, safe="/", quote_via=quote)


def _has_connected(attempt: "asyncio.Future[Connected]") -> bool:
    return attempt.done() and not attempt.cancelled() and attempt.exception() is None


def _discard(attempt: "asyncio.Future[Connected]") -> None:
    """Close a connection that was opened too late."""
    if _has_connected(attempt):
        attempt.result().terminate()


def _most_telling(failures: list[BaseException]) -> BaseException:
    """Return the most specific failure: that of a server which responds and refuses, rather than of those that do not
    respond, or are standbys."""
    return next((each for each in failures if not isinstance(each, OSError)), failures[-1])
