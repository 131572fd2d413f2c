"""Connections between one borrower and the next.

A pool hands out whichever connection it likes, and its own handing out and taking back cost half a round trip. Here a
connection rests until it is wanted again, and of those that rest a practice gets the one that is bound to it already;
who has to wait gets one from hand to hand, first come, first served.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar


class Lent(Protocol):
    """What of a connection matters here."""

    practice_id: int | None
    lent_at: float | None  # of the monotonic clock; None while it rests

    def is_closed(self) -> bool: ...


Borrowed = TypeVar("Borrowed", bound=Lent)


class PoolFull(TimeoutError):
    """Every connection was in use for as long as a caller waits for one."""


class Checkout(Generic[Borrowed]):
    """Opens at most `size` by `obtain`, and gives up by `release` those that are closed or were cut off at work."""

    def __init__(
        self,
        size: int,
        obtain: Callable[[], Awaitable[Borrowed]],
        release: Callable[[Borrowed], Awaitable[None]],
        timeout_seconds: float,
    ) -> None:
        self._size = size
        self._obtain = obtain
        self._release = release
        self._timeout_seconds = timeout_seconds
        self._resting: list[Borrowed] = []  # the one that has rested the longest comes first
        self._waiting: deque[asyncio.Future[Borrowed | None]] = deque()
        self._held = 0  # resting or lent

    @property
    def resting(self) -> int:
        return len(self._resting)

    async def take(self, practice_id: int | None) -> Borrowed:
        """Raises PoolFull when none comes free in time."""
        connection = await self._taken(practice_id)
        connection.lent_at = time.monotonic()
        return connection

    async def _taken(self, practice_id: int | None) -> Borrowed:
        while True:
            if (place := self._best(practice_id)) is not None:
                connection = self._resting.pop(place)
                if not connection.is_closed():
                    return connection
                await self._give_up(connection)
            elif self._held < self._size:
                return await self._another()
            elif (handed := await self._wait()) is not None:
                return handed

    async def give_back(self, connection: Borrowed, *, is_whole: bool) -> None:
        """`is_whole` is false for one whose work was cut off: what it is doing now, nobody knows."""
        if not is_whole or connection.is_closed() or self._size == 0:
            await self._give_up(connection)
        elif not self._hand_over(connection):
            connection.lent_at = None
            self._resting.append(connection)

    async def close(self) -> None:
        """Those that rest; those that are lent follow as they come back."""
        self._size = 0
        await self.give_up_resting()

    async def give_up_resting(self) -> None:
        resting, self._resting = self._resting, []
        await asyncio.gather(*map(self._give_up, resting))

    def _best(self, practice_id: int | None) -> int | None:
        """The place of the one bound to the practice; else of the one that is missed least, unless there may be more
        of them. Whoever names no practice gets the one that was used last: its server process is still warm."""
        if practice_id is None:
            return len(self._resting) - 1 if self._resting else None
        place = next((place for place, one in enumerate(self._resting) if one.practice_id == practice_id), None)
        if place is None and self._held >= self._size and self._resting:
            return 0
        return place

    async def _another(self) -> Borrowed:
        self._held += 1
        try:
            return await self._obtain()
        except BaseException:
            self._held -= 1
            self._wake()
            raise

    async def _give_up(self, connection: Borrowed) -> None:
        self._held -= 1
        self._wake()
        await self._release(connection)

    async def _wait(self) -> Borrowed | None:
        """None when there is room for another connection."""
        waiting: asyncio.Future[Borrowed | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await waiting
        except BaseException as error:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif not waiting.cancelled():  # it was handed over in the very instant in which we gave up
                await self._pass_on(waiting.result())
            if isinstance(error, TimeoutError):
                raise PoolFull from error
            raise

    async def _pass_on(self, handed: Borrowed | None) -> None:
        if handed is None:
            self._wake()
        else:
            await self.give_back(handed, is_whole=True)

    def _hand_over(self, connection: Borrowed) -> bool:
        return self._size > 0 and self._answer(connection)

    def _wake(self) -> None:
        self._answer(None)

    def _answer(self, handed: Borrowed | None) -> bool:
        """Whether anybody waits."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(handed)
                return True
        return False
