"""Time slicing of long work on the event loop, so that no other request waits for it.

A request over ten thousand rows takes seconds of processor time, and Python threads would not help: msgspec and our own
code keep the interpreter's lock. So such work is written as a generator that yields wherever it may pause."""

import asyncio
import time
from collections.abc import Generator
from typing import TypeVar

SLICE_SECONDS = 0.001
PAUSE_SECONDS = (
    0.001  # after each slice, for the event loop and the server's own thread, which needs the interpreter's lock
)

Result = TypeVar("Result")
Steps = Generator[None, None, Result]


class TimeSlices:
    """Scheduler of long work: one slice of one task per iteration of the event loop, first come, first served. One in
    each worker."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def run(self, steps: Steps[Result]) -> Result:
        """Return what the generator returns. Raises what it raises."""
        while True:
            async with self._turn:
                ends = time.perf_counter() + SLICE_SECONDS
                try:
                    while time.perf_counter() < ends:
                        next(steps)
                except StopIteration as finished:
                    result: Result = finished.value
                    return result
            await asyncio.sleep(PAUSE_SECONDS)


def run_at_once(steps: Steps[Result]) -> Result:
    """Run a generator without pauses and return what it returns, where no event loop is shared."""
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            result: Result = finished.value
            return result
