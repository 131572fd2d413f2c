"""The recommended HAProxy configuration blocks every spelling of the internal paths.

The server behind it returns 200 to every request, so that each refusal is HAProxy's. The same test for the API is
tests/access/test_canonical_paths.py.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.chaos.patroni import answered
from tests.chaos.test_failover import is_ready
from tests.chaos.test_rolling import haproxy

pytestmark = [pytest.mark.machines, pytest.mark.timeout(60)]

REFUSED = [
    "/metrics",
    "/metrics?x=1",
    "/metrics/",
    "//metrics",
    "/./metrics",
    "/v1/../metrics",
    "/%6detrics",
    "/%6Detrics",
    "/%2e/metrics",
    "/%2Fmetrics",
    "/metrics%2f",
    "\\metrics",
    "http://api.example/metrics",
    "http://api.example//metrics",
    "//v1/admin/overview",
    "/v1//admin/overview",
    "/v1/./admin/overview",
    "/v1/%61dmin/overview",
    "/v1/admin/overview/",
]
PASSED = ["/v1/DemoOffice/tags", "/v1/DemoOffice/prospects?search=%2e%2e//", "/v1/O%27Neil/tags", "/portal", "/"]


@asynccontextmanager
async def server() -> AsyncIterator[tuple[int, list[str]]]:
    """Run a server; yields its port and the request targets that it received, without HAProxy's health checks."""
    targets: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ")[1].decode()
        if target != "/readyz":
            targets.append(target)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as serving:
        yield serving.sockets[0].getsockname()[1], targets


async def status(port: int, target: str) -> int:
    """Send a raw request and return the status: an HTTP client would normalize the target."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n".encode())
    line = await reader.readline()
    writer.close()
    return int(line.split(b" ")[1])


async def test_no_spelling_of_a_path_for_the_inside_passes_haproxy(tmp_path: Path) -> None:
    async with server() as (inside, targets):
        with haproxy([inside, inside], tmp_path) as base:
            outside = urlsplit(base).port
            assert outside
            await answered(partial(is_ready, base))
            targets.clear()
            passed = {target: await status(outside, target) for target in PASSED}
            refused = {target: await status(outside, target) for target in REFUSED}

    assert passed == dict.fromkeys(PASSED, 200)
    assert {target: answer for target, answer in refused.items() if answer not in (400, 404)} == {}
    assert targets == PASSED
