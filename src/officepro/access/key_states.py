"""Cache of the states of API keys in one worker, none older than KEY_STATE_SECONDS.

Expired entries that are requested at the same time are refreshed by one query, together with the entries that expire
soon: a key that is used in a thousand practices costs a query now and then instead of hundreds a second."""

import time
from collections.abc import Iterator, Sequence

import msgspec

from officepro.access import queries
from officepro.access.queries import KeyState
from officepro.foundation.database import Database
from officepro.foundation.joining import Joined

KEY_STATE_SECONDS = 3.0  # a revoked key stops working within 5 s: this, and the duration of a request
SOON_SECONDS = 1.0  # entries that expire within it are refreshed as well
REMEMBERED_KEYS = 10_000
MOST_TOGETHER = 500

Pair = tuple[int, int]  # a key id and a practice id


class _Known(msgspec.Struct):
    state: KeyState
    learnt_at: float  # by the monotonic clock, before the query
    is_in_use: bool = True  # since it was cached


class KeyStates:
    """Cache of key states. One in each worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[Pair, _Known] = {}
        self._learning: Joined[Pair, KeyState | None] = Joined(self._learn, MOST_TOGETHER)
        self._looked_at = 0.0

    async def of(self, key_id: int, practice_id: int) -> KeyState | None:
        """Return the state of a key in a practice; None if the key does not exist. Raises DatabaseUnavailable,
        Overloaded."""
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
        """Return entries that expire soon. Run once in a while, since it iterates over the whole cache."""
        if now - self._looked_at < SOON_SECONDS / 2:
            return
        self._looked_at = now
        for pair, known in self._known.items():
            if known.is_in_use and now - known.learnt_at > KEY_STATE_SECONDS - SOON_SECONDS:
                known.is_in_use = False  # no other batch refreshes it meanwhile
                yield pair
