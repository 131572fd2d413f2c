"""Local webhook receivers, which record the deliveries and return configured responses."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Receiver:
    """A receiver's configured responses and recorded deliveries (headers, body)."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)  # of the next responses; then 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    answer: Answer | None = None  # instead of a status
    secret: str = ""  # if set, each delivery must be signed with it
    received: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    @property
    def log_ids(self) -> list[int]:
        """Return the log numbers of the received events."""
        return [body["logId"] for _, body in self.received]

    @property
    def events(self) -> list[str]:
        """Return the names of the received events."""
        return [body["event"] for _, body in self.received]

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Handle one delivery. Raises an error for a wrong signature."""
        raw = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if self.secret:
            Webhook(self.secret).verify(raw, headers)
        self.received.append((headers, json.loads(raw)))
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        if self.answer is not None:
            return await self.answer(request)
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200, headers=self.headers)


@asynccontextmanager
async def receiving(**told: Any) -> AsyncIterator[Receiver]:
    """Run a receiver on a free local port."""
    receiver = Receiver(**told)
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
