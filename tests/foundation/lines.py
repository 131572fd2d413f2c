"""A connection to PostgreSQL that can be cut at a chosen moment."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Cut(Enum):
    ON_THE_WAY = "the server never hears it"
    ON_THE_WAY_BACK = "the server has done it, and its answer is lost"


@dataclass
class Line:
    socket: str  # of the real server
    is_silent: bool = False  # connections are accepted, but never answered
    cuts: int = 0
    _armed: tuple[Cut, bytes] | None = None
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut_once(self, cut: Cut, at: bytes) -> None:
        """Cut the connection when the client sends this text."""
        self._armed = (cut, at)

    async def carry(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(self.socket)
        ends = {to_client, to_server}
        self._ends |= ends
        is_lost = asyncio.Event()

        async def there() -> None:
            while said := await client.read(65536):
                if self.is_silent:
                    continue
                if self._armed is not None and self._armed[1] in said:
                    (cut, _), self._armed = self._armed, None
                    self.cuts += 1
                    if cut is Cut.ON_THE_WAY:
                        break
                    is_lost.set()
                to_server.write(said)
            self._close(ends)

        async def back() -> None:
            while (said := await server.read(65536)) and not is_lost.is_set():
                to_client.write(said)
            self._close(ends)

        with contextlib.suppress(ConnectionError):
            await asyncio.gather(there(), back())

    def _close(self, ends: set[asyncio.StreamWriter]) -> None:
        for end in ends:
            end.close()

    def hang_up(self) -> None:
        self._close(self._ends)


@asynccontextmanager
async def line_to(url: str, folder: Path) -> AsyncIterator[tuple[Line, str]]:
    """Open the relay; yield it and the URL that leads through it."""
    query = parse_qs(urlsplit(url).query)
    name = f".s.PGSQL.{query['port'][0]}"
    await asyncio.to_thread(folder.mkdir)
    line = Line(f"{query['host'][0]}/{name}")
    server = await asyncio.start_unix_server(line.carry, folder / name)
    try:
        yield line, url.replace(query["host"][0], str(folder))
    finally:
        server.close()
        line.hang_up()
