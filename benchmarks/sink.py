"""Webhook endpoint of minimal cost: each POST gets a 200. `python -m benchmarks.sink PORT`

A GET returns the number of POSTs and, with --note, the arrival time of each event.
"""

import argparse
import asyncio
import json
import re
import time
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
EVENT = re.compile(rb"webhook-id: *(\S+)", re.IGNORECASE)


class Sink(asyncio.Protocol):
    """HTTP/1.1 server protocol that counts POSTs."""

    hits = 0
    notes_arrivals = False
    arrivals: dict[str, float] = {}  # noqa: RUF012 -- shared by all connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start with an empty buffer."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's class has the methods, but not the type
        self.waiting = b""

    def data_received(self, data: bytes) -> None:
        """Answer every complete request in the buffer."""
        self.waiting += data
        while (end := self.waiting.find(b"\r\n\r\n")) >= 0:
            if self.waiting.startswith(b"GET"):
                self.waiting = self.waiting[end + 4 :]
                self._tell()
                continue
            found = LENGTH.search(self.waiting, 0, end)
            assert found is not None
            whole = end + 4 + int(found[1])
            if len(self.waiting) < whole:
                return
            if Sink.notes_arrivals and (event := EVENT.search(self.waiting, 0, end)):
                Sink.arrivals.setdefault(event[1].decode(), time.time())
            self.waiting = self.waiting[whole:]
            Sink.hits += 1
            self.transport.write(ANSWER)

    def _tell(self) -> None:
        body = json.dumps({"hits": Sink.hits, "arrivals": Sink.arrivals}).encode()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def serve(port: int) -> None:
    """Serve until cancelled."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sink", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--note", action="store_true")
    asked = parser.parse_args()
    Sink.notes_arrivals = asked.note
    uvloop.run(serve(asked.port))
