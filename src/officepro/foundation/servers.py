"""Which of several servers is the primary just now: it moves when a machine fails.

`postgresql://officepro@db1:5432,db2:5432,db3:5432/officepro` names them all. asyncpg would ask one after the other
within a single timeout, so that a machine that has gone silent (no power, no network) would keep every new connection
from ever coming to the next. Here the one that was right the last time is asked first, and after a moment all are.

A primary that was frozen and goes on takes itself for the primary until it is told, and one whose machine hangs keeps
its connections open. What tells them apart is the timeline, which PostgreSQL counts up whenever a standby is promoted:
once a later one was seen, what leads to an earlier one is of no use.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

HEAD_START_SECONDS = 0.5  # for the one that was right the last time
TAKES_WRITES = "read-write"


class Reign(NamedTuple):
    """From one promotion to the next."""

    cluster: int  # PostgreSQL's system identifier: the timelines of another cluster are counted for themselves
    timeline: int

    def is_over(self, newest: "Reign | None") -> bool:
        return newest is not None and self.cluster == newest.cluster and self.timeline < newest.timeline


class Line(Protocol):
    """What of a connection matters here."""

    reign: Reign | None  # None where that is not asked: behind a pooler, a connection outlives it

    def terminate(self) -> None: ...


Connected = TypeVar("Connected", bound=Line)


class Servers(Generic[Connected]):
    """`on_change` is told when a primary has been found that was promoted since the last one."""

    def __init__(self, url: str, on_change: Callable[[Reign], None] = lambda _: None) -> None:
        self._urls = one_by_one(url)
        self._on_change = on_change
        self._reign: Reign | None = None

    async def connected(self, connect: Callable[[str], Awaitable[Connected]]) -> Connected:
        """`connect` is given a URL of one server, and raises OSError where that is not the primary."""
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
            raise ConnectionRefusedError("a primary no more, which has not noticed yet")
        before, self._reign = self._reign, reign
        if before is not None and before != reign:
            self._on_change(reign)


def one_by_one(url: str) -> list[str]:
    """A URL for each server that it names, in the URL's order. Among several, the one that takes writes is meant."""
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
    """One that came too late."""
    if _has_connected(attempt):
        attempt.result().terminate()


def _most_telling(failures: list[BaseException]) -> BaseException:
    """A server that answers and refuses tells more than those that do not answer, or are standbys."""
    return next((each for each in failures if not isinstance(each, OSError)), failures[-1])
