"""Callers from addresses of their own: failures are counted by address, and tests must not affect each other."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from litestar.types import ASGIApp

from tests.world import BASE_URL, House

_numbers = itertools.count(1)


@asynccontextmanager
async def visitor_from(house: House, app: ASGIApp | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client without a key, at an address that was not used before."""
    number = next(_numbers)
    address = f"198.51.{number // 256}.{number % 256}"
    transport = httpx.ASGITransport(app=app or house.app, client=(address, 50_000))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, timeout=30) as visitor:
        yield visitor
