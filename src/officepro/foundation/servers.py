"""Which of several servers is the primary just now: it moves when a machine fails.

`postgresql://officepro@db1:5432,db2:5432,db3:5432/officepro` names them all. asyncpg would ask one after the other
within a single timeout, so that a machine that has gone silent (no power, no network) would keep every new connection
from ever coming to the next. Here the one that was right the last time is asked first, and after a moment all are.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

HEAD_START_SECONDS = 0.5  # for the one that was right the last time
TAKES_WRITES = "read-write"


class Line(Protocol):
    """What of a connection matters here."""

    def terminate(self) -> None: ...


Connected = TypeVar("Connected", bound=Line)


class Servers(Generic[Connected]):
    def __init__(self, url: str) -> None:
        self._urls = one_by_one(url)

    async def connected(self, connect: Callable[[str], Awaitable[Connected]]) -> Connected:
        """`connect` is given a URL of one server, and raises OSError where that is not the primary."""
        favourite, *others = self._urls
        if not others:
            return await connect(favourite)
        asked = {asyncio.ensure_future(connect(favourite)): favourite}
        failures: list[BaseException] = []
        try:
            await asyncio.wait(asked, timeout=HEAD_START_SECONDS)
            if not any(_has_connected(each) for each in asked):
                asked |= {asyncio.ensure_future(connect(url)): url for url in others}
            waiting = set(asked)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    if failure := each.exception():
                        failures.append(failure)
                    else:
                        self._prefer(asked.pop(each))
                        return each.result()
        finally:
            for each in asked:
                each.cancel()
                each.add_done_callback(_discard)
        raise _most_telling(failures)

    def _prefer(self, url: str) -> None:
        self._urls = [url, *(other for other in self._urls if other != url)]


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
