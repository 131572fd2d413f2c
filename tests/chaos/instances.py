"""API instances as separate processes, and clients that behave like a load balancer.

A client keeps its connections alive, retries nothing, and uses any instance that is ready according to /readyz. Every
error of a request that it has sent is a failure.
"""

import asyncio
import os
import random
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from officepro.settings import Settings

READY_TIMEOUT_SECONDS = 60.0
READY_ANSWER_SECONDS = 5.0
CHECK_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 0.3


@dataclass
class Instance:
    """A process `officepro serve` on its own port."""

    settings: Settings
    folder: Path
    port: int = field(default_factory=lambda: free_port())
    process: asyncio.subprocess.Process | None = None
    module: str = "officepro.cli"

    async def start(self) -> None:
        """Start the process and wait until it is ready."""
        others = {name: text for name, text in os.environ.items() if not name.startswith("OFFICEPRO_")}
        given = self.settings.but(port=str(self.port), data_dir=str(self.folder)).given
        log = os.open(self.folder / f"serve-{self.port}.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self.module, "serve"),
            env=others | dict(given),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        os.close(log)
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            while not await self.is_ready():
                assert self.process.returncode is None, self.log()
                await asyncio.sleep(0.05)

    async def is_ready(self) -> bool:
        """Return whether /readyz returns 200 in time."""
        try:
            async with asyncio.timeout(READY_ANSWER_SECONDS), Connection.opened(self.port) as connection:
                return (await connection.get("/readyz"))[0] == 200
        except (OSError, EOFError, TimeoutError):
            return False

    def send(self, what: signal.Signals) -> None:
        """Send a signal to the main process."""
        assert self.process is not None
        self.process.send_signal(what)

    async def stop(self) -> int:
        """Stop the process with SIGTERM and return its exit code."""
        assert self.process is not None
        self.send(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 60)

    async def kill(self) -> None:
        """Kill the process group with SIGKILL."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()

    def workers(self) -> list[int]:
        """Return the process ids of Granian's workers."""
        assert self.process is not None
        pid = self.process.pid
        return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def log(self) -> str:
        """Return the contents of the log file."""
        return (self.folder / f"serve-{self.port}.log").read_text()


def free_port() -> int:
    """Return a free TCP port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        found: int = free.getsockname()[1]
        return found


@asynccontextmanager
async def instances(
    settings: Settings, folder: Path, number: int, module: str = "officepro.cli"
) -> AsyncIterator[list[Instance]]:
    """Run a number of instances; on exit kill them."""
    running = [Instance(settings, folder, module=module) for _ in range(number)]
    try:
        await asyncio.gather(*(one.start() for one in running))
        yield running
    finally:
        await asyncio.gather(*(one.kill() for one in running))


class Connection:
    """One HTTP/1.1 keep-alive connection, without a client library, so that there are no hidden retries."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.is_to_close = False

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to a local port. Raises OSError."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    @asynccontextmanager
    async def opened(cls, port: int) -> AsyncIterator["Connection"]:
        """Connect to a local port; on exit close the connection. Raises OSError."""
        connection = await cls.open(port)
        try:
            yield connection
        finally:
            connection.close()

    @property
    def is_gone(self) -> bool:
        """Whether the server has closed the connection, which a client's pool checks before reusing it."""
        return self.is_to_close or self._reader.at_eof()

    async def get(self, path: str, token: str = "") -> tuple[int, bytes]:
        """Send a GET request and return status and body. Raises OSError, EOFError."""
        return await self.ask("GET", path, token)

    async def ask(
        self,
        method: str,
        path: str,
        token: str = "",
        body: bytes = b"",
        more: str = "",
        content_type: str = "application/json",
    ) -> tuple[int, bytes]:
        """Send a request and return status and body. Raises OSError, EOFError."""
        head = f"{method} {path} HTTP/1.1\r\nHost: officepro.test\r\n{more}"
        head += f"Authorization: Bearer {token}\r\n" if token else ""
        head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n" if body else ""
        self._writer.write(f"{head}\r\n".encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.is_to_close = self.headers.get("connection", "").lower() == "close"
        content = await self._reader.readexactly(int(self.headers.get("content-length", 0)))
        return int(lines[0].split()[1]), content

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


class Balancer:
    """Clients that use several instances in rotation."""

    def __init__(self, running: list[Instance], path: str, token: str) -> None:
        self._running, self._path, self._token = running, path, token
        self._ready = list(running)
        self._stop = asyncio.Event()
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []
        self.latencies: list[float] = []

    @asynccontextmanager
    async def loading(self, clients: int) -> AsyncIterator[None]:
        """Run a number of clients; on exit stop them."""
        checking = asyncio.create_task(self._check())
        load = [asyncio.create_task(self._client(seed)) for seed in range(clients)]
        try:
            yield
        finally:
            self._stop.set()
            await asyncio.gather(checking, *load)

    async def _check(self) -> None:
        while not self._stop.is_set():
            self._ready = [one for one in self._running if await one.is_ready()]
            await asyncio.sleep(CHECK_SECONDS)

    async def _client(self, seed: int) -> None:
        chance, connection, where = random.Random(seed), None, None
        while not self._stop.is_set():
            if connection is None or connection.is_gone:
                if connection is not None:
                    connection.close()
                    connection = None
                if not self._ready:
                    self.failures.append("nobody is ready")
                    await asyncio.sleep(CHECK_SECONDS)
                    continue
                where = chance.choice(self._ready)
            began = time.monotonic()
            try:
                connection = connection or await Connection.open(where.port)  # type: ignore[union-attr]
                status, _ = await connection.get(self._path, self._token)
                self.answers[status] += 1
                self.latencies.append(time.monotonic() - began)
                if status >= 500:
                    self.failures.append(str(status))
            except (OSError, EOFError) as failure:
                self.failures.append(repr(failure))
                if connection is not None:
                    connection.close()
                    connection = None
            await asyncio.sleep(chance.random() ** 4 * LONGEST_PAUSE_SECONDS)
        if connection is not None:
            connection.close()
