"""`officepro serve` and `officepro worker` as processes of their own, on a PostgreSQL that comes and goes."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from officepro.foundation.embedded import EmbeddedServer


@dataclass
class Service:
    """A command that runs until it is stopped, and what it has written."""

    command: list[str]
    environment: dict[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        others = {name: text for name, text in os.environ.items() if not name.startswith("OFFICEPRO_")}
        with self.log.open("wb") as sink:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "officepro.cli", *self.command),
                env=others | self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    async def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), 60)

    async def kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()

    def lines(self) -> list[dict[str, Any]]:
        """Every line, of which each must be JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def messages(self) -> list[str]:
        return [line["message"] for line in self.lines()]

    async def has_logged(self, message: str, times: int = 1, within_seconds: float = 30.0) -> None:
        async with asyncio.timeout(within_seconds):
            while self.messages().count(message) < times:  # noqa: ASYNC110 -- files tell nobody
                await asyncio.sleep(0.05)


@dataclass
class Api:
    """What a balancer and a client see of a service that listens on a port."""

    port: int
    client: httpx.AsyncClient
    health: list[int] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def has_begun(self) -> None:
        async with asyncio.timeout(60):
            while True:
                with suppress(httpx.HTTPError):
                    await self.client.get(self.url("/healthz"))
                    return
                await asyncio.sleep(0.05)

    async def missing(self) -> list[str]:
        """What /readyz lacks; nothing when it is ready."""
        answer = await self.client.get(self.url("/readyz"))
        return [] if answer.status_code == 200 else list(answer.json()["missing"])

    async def is_missing(self, *what: str, within_seconds: float = 10.0) -> float:
        """How long it took until every worker that was asked said so, several times on end."""
        began = time.monotonic()
        on_end = 0
        async with asyncio.timeout(within_seconds):
            while on_end < 6:
                on_end = on_end + 1 if await self.missing() == list(what) else 0
                await asyncio.sleep(0.05)
        return time.monotonic() - began

    @asynccontextmanager
    async def watched(self, path: str, headers: dict[str, str]) -> AsyncIterator[list[int]]:
        """Meanwhile /healthz is asked for, and some client calls again and again; yields the statuses of its calls."""
        statuses: list[int] = []

        async def ask_health() -> None:
            while True:
                self.health.append((await self.client.get(self.url("/healthz"))).status_code)
                await asyncio.sleep(0.1)

        async def call() -> None:
            while True:
                statuses.append((await self.client.get(self.url(path), headers=headers)).status_code)
                await asyncio.sleep(0.02)

        tasks = [asyncio.create_task(ask_health()), *(asyncio.create_task(call()) for _ in range(4))]
        try:
            yield statuses
        finally:
            for task in tasks:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in found), found


def processes_of(server: EmbeddedServer) -> list[int]:
    """All of PostgreSQL's, the postmaster first: each works in the data folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (each / "cwd").readlink() == server.directory:
                found.append(int(each.name))
    postmaster = int((server.directory / "postmaster.pid").read_text().split()[0])
    return sorted(found, key=lambda pid: pid != postmaster)


@contextmanager
def frozen(server: EmbeddedServer) -> Iterator[None]:
    """As a machine that hangs: it accepts connections, and answers nothing."""
    processes = processes_of(server)
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)


def kill(server: EmbeddedServer) -> None:
    """As the kernel does when memory runs out."""
    os.kill(processes_of(server)[0], signal.SIGKILL)
