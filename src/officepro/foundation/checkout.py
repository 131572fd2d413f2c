"""Connection checkout: which connection a caller gets, fairness between practices, and queueing.

A general-purpose pool hands out any connection, and its own acquire and release cost half a round trip. Here a practice
gets the idle connection that is bound to it already, if there is one.

Fairness between practices (bulkhead): a practice gets a connection only while it uses fewer than are free, so one
practice alone gets half of them, and practices whose statements all wait for a lock leave some for the others. Callers
that have to wait are served round robin by practice, and first come, first served within a practice. Work over several
practices (None) uses connections like a practice, but without a limit."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar


class Lent(Protocol):
    """The attributes of a connection that the checkout uses."""

    practice_id: int | None
    lent_at: float | None  # by the monotonic clock; None while it is idle
    charged_to: int | None  # the practice that uses it; None for several practices

    def is_closed(self) -> bool: ...


Borrowed = TypeVar("Borrowed", bound=Lent)

_NOBODY = -1  # not the id of any practice


class PoolFull(TimeoutError):
    """No connection became free within the timeout."""


class Checkout(Generic[Borrowed]):
    """Hands out at most `size` connections.

    Opens them by `obtain`, and passes those that are closed or whose work was cancelled to `release`."""

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
        self._resting: list[Borrowed] = []  # idle connections, the one that has been idle longest first
        self._waiting: dict[int | None, deque[asyncio.Future[None]]] = {}  # by practice, the next one first
        self._held = 0  # open connections, idle or checked out
        self._free = size  # how many more may be checked out
        self._lent: dict[int | None, int] = {}  # by practice

    @property
    def resting(self) -> int:
        """Number of idle connections."""
        return len(self._resting)

    async def take(self, charged_to: int | None, bound_to: int | None = None) -> Borrowed:
        """Check out a connection, charged to the practice `charged_to`, preferably one that is bound to the practice
        `bound_to` already (None: any). Raises PoolFull if none becomes free in time."""
        if self._may_take(charged_to):
            self._charge(charged_to)
        else:
            await self._wait(charged_to)
        try:
            connection = await self._taken(bound_to)
        except BaseException:
            self._discharge(charged_to)
            raise
        connection.charged_to = charged_to
        connection.lent_at = time.monotonic()
        return connection

    async def _taken(self, bound_to: int | None) -> Borrowed:
        """Return an idle or a new connection. Fewer than `size` are checked out."""
        while (place := self._best(bound_to)) is not None:
            connection = self._resting.pop(place)
            if not connection.is_closed():
                return connection
            await self._give_up(connection)
        return await self._another()

    async def give_back(self, connection: Borrowed, *, is_whole: bool) -> None:
        """Return a connection. `is_whole` is False if its work was cancelled, which leaves its state undefined."""
        if not is_whole or connection.is_closed() or self._size == 0:
            self._held -= 1
            self._discharge(connection.charged_to)
            await self._release(connection)
        else:
            connection.lent_at = None
            self._resting.append(connection)
            self._discharge(connection.charged_to)

    async def close(self) -> None:
        """Close the idle connections, and those that are checked out when they are given back."""
        self._free -= self._size
        self._size = 0
        await self.give_up_resting()

    async def give_up_resting(self) -> None:
        """Close all idle connections."""
        resting, self._resting = self._resting, []
        await asyncio.gather(*map(self._give_up, resting))

    def _best(self, practice_id: int | None) -> int | None:
        """Return the index of the idle connection to check out, None to open another.

        It is the one bound to the practice; otherwise, if no more may be opened, the one that has been idle longest.
        Without a practice it is the one used last: its server process is still warm."""
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
            raise

    async def _give_up(self, connection: Borrowed) -> None:
        self._held -= 1
        await self._release(connection)

    def _may_take(self, practice_id: int | None) -> bool:
        return self._free > 0 and (practice_id is None or self._lent.get(practice_id, 0) < self._free)

    def _charge(self, practice_id: int | None) -> None:
        self._free -= 1
        self._lent[practice_id] = self._lent.get(practice_id, 0) + 1

    def _discharge(self, practice_id: int | None) -> None:
        self._free += 1
        if self._lent[practice_id] == 1:
            del self._lent[practice_id]
        else:
            self._lent[practice_id] -= 1
        if self._waiting:
            self._serve()

    def _serve(self) -> None:
        """Charge connections to waiting callers that may take one now. At most `size` practices are skipped, since each
        of them uses one."""
        while (practice_id := next(filter(self._may_take, self._waiting), _NOBODY)) != _NOBODY:
            queue = self._waiting.pop(practice_id)
            while queue and queue[0].done():
                queue.popleft()
            if queue:
                self._charge(practice_id)
                queue.popleft().set_result(None)
            if queue:
                self._waiting[practice_id] = queue  # after the others

    async def _wait(self, practice_id: int | None) -> None:
        """Wait until a connection is charged to the practice. Raises PoolFull."""
        charged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(practice_id, deque()).append(charged)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await charged
        except BaseException as error:
            if charged.done() and not charged.cancelled():  # charged at the same time as the caller gave up
                self._discharge(practice_id)
            elif (queue := self._waiting.get(practice_id)) is not None and charged in queue:
                queue.remove(charged)
                if not queue:
                    del self._waiting[practice_id]
            if isinstance(error, TimeoutError):
                raise PoolFull from error
            raise
