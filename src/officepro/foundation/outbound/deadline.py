"""One timeout for many tasks, each from its own start, on one timer.

asyncio.timeout creates and cancels a timer for each use, which takes a tenth of the time of a delivery. As all of these
timeouts are equally long, the first to start is the first to end, and one timer is enough."""

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Self


class Deadline:
    """Raises TimeoutError within `with deadline.begun():` when it takes longer than `seconds`."""

    def __init__(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        self.seconds = seconds
        self._loop = loop  # getting the running loop costs a system call each time, in Python 3.11
        self._running: dict[Running, None] = {}  # in the order of their ends
        self._timer: asyncio.TimerHandle | None = None

    def begun(self) -> "Running":
        """Return a context in which the current task is cancelled when its time is over."""
        task = asyncio.current_task(self._loop)
        assert task is not None
        running = Running(task, self._loop.time() + self.seconds, self._running)
        if self._timer is None:
            self._timer = self._loop.call_at(running.ends, self._ring)
        return running

    def stop(self) -> None:
        """Cancel the timer. Call when no more tasks begin."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        now = self._loop.time()
        for running in list(self._over(now)):
            del self._running[running]
            running.cut_off()
        first = next(iter(self._running), None)
        self._timer = None if first is None else self._loop.call_at(first.ends, self._ring)

    def _over(self, now: float) -> "Iterator[Running]":
        for running in self._running:
            if running.ends > now:
                return
            yield running


class Running:
    """Context of one task. Like asyncio.Timeout, it turns its own cancellation into TimeoutError, and leaves others
    unchanged."""

    __slots__ = ("_all", "_cancellations_before", "_is_cut_off", "_task", "ends")

    def __init__(self, task: "asyncio.Task[object]", ends: float, everyone: "dict[Running, None]") -> None:
        self.ends = ends
        self._task = task
        self._all = everyone
        self._cancellations_before = task.cancelling()
        self._is_cut_off = False

    def cut_off(self) -> None:
        """Cancel the task because its time is over."""
        self._is_cut_off = True
        self._task.cancel()

    def __enter__(self) -> Self:
        self._all[self] = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._all.pop(self, None)
        if self._is_cut_off and self._task.uncancel() <= self._cancellations_before and kind is asyncio.CancelledError:
            raise TimeoutError from error
