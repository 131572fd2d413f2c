"""How often an endpoint that fails is tried with something new: less and less, and at least once a second.

An endpoint that answers takes what comes as fast as it answers. After some failures in a row, a worker begins one first
attempt at a time, with a pause after it that grows with the time for which the endpoint has failed; what happens
meanwhile waits in its queue, in order. The first thing that is received, be it a retry, ends it at once. Retries go by
their own schedule, which this leaves alone. (docs/decisions/0011)
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

ENOUGH_FAILURES = 5  # in a row; fewer may be an endpoint that is only busy
PART_OF_FAILING = 0.01  # a pause lasts a hundredth of the time for which the endpoint has failed …
SHORTEST_PAUSE_SECONDS = 0.1  # … but not less than this …
LONGEST_PAUSE_SECONDS = 1.0  # … nor more: so late, at most, does an endpoint that is well again hear of it


class Patience:
    """With one endpoint. Times are those of time.monotonic()."""

    def __init__(self) -> None:
        self._failures = 0  # in a row
        self._since = 0.0  # the first of them
        self._latest = 0.0  # the end of the latest turn
        self._alone = asyncio.Lock()
        self._well = asyncio.Event()

    @property
    def is_tried(self) -> bool:
        return self._failures >= ENOUGH_FAILURES

    def received(self) -> None:
        if self._failures:
            self._failures = 0
            self._well.set()

    def failed(self, now: float) -> None:
        if self._failures == 0:
            self._since = now
            self._well.clear()
        self._failures += 1

    def rest(self, now: float) -> float:
        """Seconds until something new may be tried."""
        if not self.is_tried:
            return 0.0
        pause = min(LONGEST_PAUSE_SECONDS, max(SHORTEST_PAUSE_SECONDS, (now - self._since) * PART_OF_FAILING))
        return self._latest + pause - now

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Around a first attempt, while it is tried: alone, and after a pause."""
        async with self._alone:
            while (rest := self.rest(time.monotonic())) > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._well.wait(), rest)
            yield
            self._latest = time.monotonic()
