"""Five harmful endpoints: `python -m tests.chaos.poison` prints their URLs and serves until it is killed."""

import asyncio
import contextlib
import json
import sys

from aiohttp import web

from tests.webhooks.receivers import receiving


async def hang(request: web.Request) -> web.StreamResponse:
    """Never respond."""
    await asyncio.sleep(3600)
    return web.Response()


async def drip(request: web.Request) -> web.StreamResponse:
    """Send one byte of the body per second."""
    response = web.StreamResponse(headers={"Content-Length": "100000"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(3600):
            await response.write(b".")
            await asyncio.sleep(1)
    return response


async def fail(request: web.Request) -> web.StreamResponse:
    """Return 500."""
    return web.Response(status=500)


async def reset(request: web.Request) -> web.StreamResponse:
    """Abort the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def flood(request: web.Request) -> web.StreamResponse:
    """Send a body of 10 GiB."""
    response = web.StreamResponse(headers={"Content-Length": str(10 * 2**30)})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(10 * 2**14):
            await response.write(b"." * 2**16)
    return response


async def serve() -> None:
    """Run the endpoints and print their URLs as JSON."""
    async with contextlib.AsyncExitStack() as stack:
        receivers = [
            await stack.enter_async_context(receiving(answer=poison)) for poison in (hang, drip, fail, reset, flood)
        ]
        sys.stdout.write(json.dumps([receiver.url for receiver in receivers]) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
