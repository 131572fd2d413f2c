"""Cache of availability responses; entries are revalidated against the database before use. (docs/decisions/0009)

Many requests between two bookings are for the same days. A worker process caches each encoded response with the version
of the data that it was computed from (`queries.Seen`) and the minute until which passing time leaves it valid: a minute
for today, until the booking notice reaches them for future days. A cached response is returned only if a query, which
computes nothing, finds the same version. So no response is stale, whichever program wrote to the database. If nothing
has changed in the practice, the query reads no visits either.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import msgspec
from litestar.di import NamedDependency
from litestar.types import Scope

from officepro.foundation import clock
from officepro.foundation.answers import Encoded
from officepro.foundation.wire import encode
from officepro.practices.setup import Setups
from officepro.scheduling import queries
from officepro.scheduling.diary import Diary, Wanted, minute_of_booking, open_diary
from officepro.scheduling.queries import Look, Seen
from officepro.scheduling.questions import Together

CAPACITY_BYTES = 16 * 1024 * 1024  # per worker
LARGEST_BYTES = 512 * 1024
BESIDE_BYTES = 1_600  # memory of an entry besides its body: key, range and version

Answer = TypeVar("Answer")


class Known(msgspec.Struct):
    """A cached response with the data that validate it."""

    minute: int  # `minute_of_booking` at which it was computed
    changes_at: int
    look: Look
    seen: Seen
    changes: Seen | None  # practice version at the last revalidation; None: never
    body: bytes

    @property
    def size_bytes(self) -> int:
        """Approximate memory of the entry."""
        return len(self.body) + BESIDE_BYTES


class Remembered:
    """LRU cache of encoded availability responses; one per worker process, bounded in bytes."""

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._capacity = capacity_bytes
        self._known: OrderedDict[Hashable, Known] = OrderedDict()
        self._bytes = 0
        self._newest: dict[int, Seen] = {}  # newest version read of each practice

    async def answer(
        self,
        visits: Together,
        setups: Setups,
        practice_id: int,
        wanted: Wanted,
        make: Callable[[Diary], Answer],
        *question: Hashable,
    ) -> Answer:
        """Return the cached response if still valid, else `make(diary)`, which is then cached.

        `question` is the cache key: everything that the response depends on besides practice and time.
        Raises the errors of `open_diary`.
        """
        key = (practice_id, *question)
        known = self._known.get(key)
        if known is not None and known.minute <= minute_of_booking(clock.now()) < known.changes_at:
            newest = self._newest.get(practice_id)
            since = known.changes if known.changes == newest else None  # else changed, no need to query
            changes, seen = await queries.glance(visits, practice_id, known.look, since)
            self._newest[practice_id] = changes
            if seen is None or seen == known.seen:
                known.changes = changes
                if key in self._known:
                    self._known.move_to_end(key)
                return cast(Answer, Encoded(known.body))
        diary = await open_diary(visits, setups, practice_id, wanted)
        body = encode(make(diary))
        if not visits.is_distributed:  # there `xmin` does not identify a row's writer
            minute = minute_of_booking(diary.now)
            self._remember(key, Known(minute, diary.changes_at(), diary.look, diary.busy.seen, None, body))
        return cast(Answer, Encoded(body))

    def _remember(self, key: Hashable, known: Known) -> None:
        if (before := self._known.pop(key, None)) is not None:
            self._bytes -= before.size_bytes
        if len(known.body) > LARGEST_BYTES:
            return
        self._known[key] = known
        self._bytes += known.size_bytes
        while self._bytes > self._capacity:
            _, oldest = self._known.popitem(last=False)
            self._bytes -= oldest.size_bytes


TheRemembered = NamedDependency[Remembered]


def provide_remembered(scope: Scope) -> Any:
    """Return the worker's response cache, for dependency injection."""
    return scope["litestar_app"].state.remembered
