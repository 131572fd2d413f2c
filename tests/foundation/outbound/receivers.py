"""Endpoints on this machine that behave as they are told, and what came of a request to one."""

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_network

from officepro.foundation.outbound.client import Answered, OutboundClient
from officepro.foundation.outbound.failures import OutboundError

LOCAL = [ip_network("127.0.0.0/8")]
DEADLINE_SECONDS = 0.4
SLACK_SECONDS = 0.4
Behaviour = Callable[["Receiver", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """An endpoint on 127.0.0.1 that reads each request and then behaves as it was told."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    bytes_sent: int = 0
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def read_request(self, reader: asyncio.StreamReader) -> bool:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        self.requests.append(head + await reader.readexactly(length))
        return True

    async def send(self, writer: asyncio.StreamWriter, content: bytes) -> None:
        writer.write(content)
        await writer.drain()
        self.bytes_sent += len(content)


@contextlib.asynccontextmanager
async def receiving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(task := asyncio.ensure_future(behave(reader, writer)))
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receiver.connections += 1
        try:
            while await receiver.read_request(reader):
                await behaviour(receiver, reader, writer)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            receiver.finished.set()
            writer.transport.abort()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def saying(*parts: bytes, then_close: bool = False) -> Behaviour:
    async def behave(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            await receiver.send(writer, part)
        if then_close:
            raise ConnectionResetError

    return behave


def repeating(start: bytes, part: bytes, pause_seconds: float = 0.0) -> Behaviour:
    """Sends `part` until the other side hangs up, or 40 MB have gone: far more than anybody should take."""

    async def behave(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await receiver.send(writer, start)
        while receiver.bytes_sent < 40_000_000:
            await receiver.send(writer, part)
            await asyncio.sleep(pause_seconds)

    return behave


async def resetting(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError


async def hanging(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


HEAD = b"HTTP/1.1 200 OK\r\n"
ENDLESS = HEAD + b"Content-Length: 10000000000\r\n\r\n"
OK = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def outcome(client: OutboundClient, url: str, body: bytes = b"{}") -> Answered | OutboundError:
    """What came of one request, after proof that it kept its deadline."""
    started = time.perf_counter()
    try:
        return await client.post(url, body, {"Content-Type": "application/json"})
    except OutboundError as error:
        return error
    finally:
        assert time.perf_counter() - started < DEADLINE_SECONDS + SLACK_SECONDS
