"""Back-off of first attempts to a failing endpoint, to no less than about one per second.

A healthy endpoint is not limited. After five consecutive failures a worker makes one first attempt at a time, followed
by a pause that grows with the time for which the endpoint has been failing; further deliveries wait in their queue, in
order. The first success, also of a retry, ends the back-off immediately. The retry schedule is not affected.
(docs/decisions/0011)
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

ENOUGH_FAILURES = 5  # consecutive failures; fewer may be an endpoint that is only busy
PART_OF_FAILING = 0.01  # pause as a fraction of the time for which the endpoint has been failing …
SHORTEST_PAUSE_SECONDS = 0.1  # … at least this long …
LONGEST_PAUSE_SECONDS = 1.0  # … and at most: the longest delay until a recovered endpoint receives an event


class Patience:
    """Back-off state of one endpoint. Times are those of time.monotonic()."""

    def __init__(self) -> None:
        self._failures = 0  # consecutive
        self._since = 0.0  # time of the first of them
        self._latest = 0.0  # end of the latest first attempt
        self._alone = asyncio.Lock()
        self._well = asyncio.Event()

    @property
    def is_tried(self) -> bool:
        """Whether the endpoint is backed off."""
        return self._failures >= ENOUGH_FAILURES

    def received(self) -> None:
        """Note a success, which ends the back-off."""
        if self._failures:
            self._failures = 0
            self._well.set()

    def failed(self, now: float) -> None:
        """Note a failure."""
        if self._failures == 0:
            self._since = now
            self._well.clear()
        self._failures += 1

    def rest(self, now: float) -> float:
        """Return the seconds until the next first attempt may start; zero or less: now."""
        if not self.is_tried:
            return 0.0
        pause = min(LONGEST_PAUSE_SECONDS, max(SHORTEST_PAUSE_SECONDS, (now - self._since) * PART_OF_FAILING))
        return self._latest + pause - now

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wrap a first attempt to a backed-off endpoint: one at a time, after the pause."""
        async with self._alone:
            while (rest := self.rest(time.monotonic())) > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._well.wait(), rest)
            yield
            self._latest = time.monotonic()
