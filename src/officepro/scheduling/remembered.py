"""Answers about free times that are still true need not be found again.

Many ask for the same days between two bookings. So a worker remembers what it has answered together with what it had
seen in the database (queries.Seen) and until when the clock leaves it true: of today for a minute, of days to come
until they are near. Whoever asks the same again by then gets the same answer if a glance, which reads but computes
nothing, sees the same as before. Nothing is ever told that is out of date: not by a moment, whoever wrote to the
database, and by whatever way. Where nothing at all has changed in the practice, not even rows are read.
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
BESIDE_BYTES = 1_600  # what an answer takes besides its body: its question, where was looked, and what was seen there

Answer = TypeVar("Answer")


class Known(msgspec.Struct):
    """An answer, and what makes it true."""

    minute: int  # of booking, at which it was found
    changes_at: int
    look: Look
    seen: Seen
    changes: Seen | None  # of the practice, when it was last found to be true; None: it never was looked for
    body: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.body) + BESIDE_BYTES


class Remembered:
    """What this worker has answered; what was not asked for the longest time goes first."""

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._capacity = capacity_bytes
        self._known: OrderedDict[Hashable, Known] = OrderedDict()
        self._bytes = 0
        self._newest: dict[int, Seen] = {}  # changes of each practice, as they were seen last

    async def answer(
        self,
        visits: Together,
        setups: Setups,
        practice_id: int,
        wanted: Wanted,
        make: Callable[[Diary], Answer],
        *question: Hashable,
    ) -> Answer:
        """What `make` makes of the diary. `question` is all that its answer depends on besides practice and time.

        Raises what `open_diary` does.
        """
        key = (practice_id, *question)
        known = self._known.get(key)
        if known is not None and known.minute <= minute_of_booking(clock.now()) < known.changes_at:
            newest = self._newest.get(practice_id)
            since = known.changes if known.changes == newest else None  # else something has changed, as is known
            changes, seen = await queries.glance(visits, practice_id, known.look, since)
            self._newest[practice_id] = changes
            if seen is None or seen == known.seen:
                known.changes = changes
                if key in self._known:
                    self._known.move_to_end(key)
                return cast(Answer, Encoded(known.body))
        diary = await open_diary(visits, setups, practice_id, wanted)
        body = encode(make(diary))
        if not visits.is_distributed:  # where rows do not tell who wrote them
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
    return scope["litestar_app"].state.remembered
