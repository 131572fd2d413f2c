"""What a worker knows of the keys that are at work, none of it older than a few seconds.

Who asks for what has grown old asks together with all who come at that moment, and for what others will soon ask: where
a key is at work in a thousand practices, that is a statement now and then instead of hundreds a second.
"""

import time
from collections.abc import Iterator, Sequence

import msgspec

from officepro.access import queries
from officepro.access.queries import KeyState
from officepro.foundation.database import Database
from officepro.foundation.joining import Joined

KEY_STATE_SECONDS = 3.0  # a revoked key stops within 5 s: this, and the time of a request
SOON_SECONDS = 1.0  # what will be too old within it is asked for as well
REMEMBERED_KEYS = 10_000
MOST_TOGETHER = 500

Pair = tuple[int, int]  # a key, and the practice that it is at work in


class _Known(msgspec.Struct):
    state: KeyState
    learnt_at: float  # of the monotonic clock, before it was asked for
    is_in_use: bool = True  # since it was learnt


class KeyStates:
    """One in each worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[Pair, _Known] = {}
        self._learning: Joined[Pair, KeyState | None] = Joined(self._learn, MOST_TOGETHER)
        self._looked_at = 0.0

    async def of(self, key_id: int, practice_id: int) -> KeyState | None:
        """None for a key that there is not. Raises what the database's failures mean."""
        known = self._known.get((key_id, practice_id))
        if known is not None and time.monotonic() - known.learnt_at < KEY_STATE_SECONDS:
            known.is_in_use = True
            return known.state
        return await self._learning.do((key_id, practice_id))

    async def _learn(self, several: Sequence[Pair]) -> list[KeyState | None]:
        now = time.monotonic()
        asked = set(several)
        pairs = list(asked.union(self._soon_too_old(now)))
        async with self._database.system() as db:
            states = await queries.key_states(db, pairs)
        if len(self._known) + len(states) > REMEMBERED_KEYS:
            self._known.clear()
        for pair, state in states.items():
            self._known[pair] = _Known(state, now, pair in asked)
        return [states.get(pair) for pair in several]

    def _soon_too_old(self, now: float) -> Iterator[Pair]:
        """Looked for once in a while, since it goes through all that is known."""
        if now - self._looked_at < SOON_SECONDS / 2:
            return
        self._looked_at = now
        for pair, known in self._known.items():
            if known.is_in_use and now - known.learnt_at > KEY_STATE_SECONDS - SOON_SECONDS:
                known.is_in_use = False  # nobody else asks for it meanwhile
                yield pair
