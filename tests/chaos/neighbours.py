"""Measures the effect of one practice's load on the calls of another practice."""

import asyncio
import time
from collections import Counter

from tests.chaos.instances import Connection, Instance

CALLERS = 4
LONGEST_P99 = 10  # as a multiple of the 99th percentile without load
LEAST_CALM_SECONDS = 0.005  # minimum baseline of the 99th percentile, on a shared machine


async def calls(instance: Instance, path: str, token: str, seconds: float) -> tuple[Counter[int], float]:
    """Return the statuses of a few clients' calls, and their 99th percentile in seconds."""
    statuses: Counter[int] = Counter()
    took: list[float] = []
    end = time.monotonic() + seconds

    async def call() -> None:
        async with Connection.opened(instance.port) as connection:
            while time.monotonic() < end:
                began = time.monotonic()
                statuses[(await connection.get(path, token))[0]] += 1
                took.append(time.monotonic() - began)
                await asyncio.sleep(0.02)

    await asyncio.gather(*(call() for _ in range(CALLERS)))
    return statuses, sorted(took)[int(len(took) * 0.99)]


def is_unharmed(statuses: Counter[int], p99: float, calm_p99: float) -> bool:
    """Return whether all calls succeeded and the 99th percentile is within the limit."""
    return statuses.keys() == {200} and p99 <= LONGEST_P99 * max(calm_p99, LEAST_CALM_SECONDS)
