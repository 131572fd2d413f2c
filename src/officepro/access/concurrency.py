"""Concurrency limit per API key, in one API process.

The process sheds load beyond MAXIMUM_FRESH recent and MAXIMUM_IN_FLIGHT requests in flight (edge middleware; decision
record 0015). Of both, the last quarter is kept for keys that hold less than half: a key whose requests take long, such
as large bulks or searches over a year, is refused (429) while other keys' requests are still accepted. A key that is
alone uses three quarters."""

import time
from itertools import islice

from litestar.types import Scope

from officepro.access.bodies import Bodies
from officepro.foundation.errors import TooManyRequests
from officepro.foundation.input import header_of

MAXIMUM_IN_FLIGHT = 256  # requests in flight in one process; beyond it, 503
MAXIMUM_FRESH = 64  # requests younger than FRESH_SECONDS whose body has been received; beyond it, 503
FRESH_SECONDS = 1.0
SHARE_OF_KEY = 0.5  # of both limits …
UNDER_PRESSURE = 0.75  # … once this part of them is in use
MAXIMUM_REMEMBERED = 256  # Authorization headers of keys that were refused


class TooManyConcurrentRequests(TooManyRequests):
    """This API key has too many requests in flight. Wait for some of them to finish, then retry; limit the number of
    requests that your client sends concurrently."""

    code = "too_many_concurrent_requests"

    def __init__(self) -> None:
        super().__init__(retry_after_seconds=1)


class ConcurrencyLimiter:
    """Counts the requests in flight of each key. `in_flight` maps all requests of the process to their start, by
    time.perf_counter(), oldest first."""

    def __init__(self, in_flight: dict[int, float], bodies: Bodies) -> None:
        self._in_flight = in_flight
        self._bodies = bodies
        self._of_key: dict[int, dict[int, float]] = {}  # as `in_flight`, of one key
        self._refused: dict[bytes, int] = {}  # Authorization header of a key that was refused lately, and the key
        self._number = 0

    def enter(self, scope: Scope, key_id: int) -> None:
        """Count an authenticated request until `leave`. Raises TooManyConcurrentRequests."""
        own = self._of_key.get(key_id)
        if own is None:
            self._of_key[key_id] = own = {}
        elif len(own) >= SHARE_OF_KEY * MAXIMUM_FRESH and self._is_full(own, itself=1):
            if len(self._refused) >= MAXIMUM_REMEMBERED:
                self._refused.clear()
            self._refused[(header_of(scope, b"authorization") or "").encode("latin-1")] = key_id
            raise TooManyConcurrentRequests
        self._number = number = self._number + 1
        own[number] = time.perf_counter()
        scope["counted"] = (key_id, number)  # type: ignore[typeddict-unknown-key]

    def leave(self, scope: Scope) -> None:
        """Call at the end of every request, counted or not."""
        counted: tuple[int, int] | None = scope.pop("counted", None)  # type: ignore[typeddict-item]
        if counted is not None:
            key_id, number = counted
            own = self._of_key[key_id]
            del own[number]
            if not own:
                del self._of_key[key_id]
                self._refused.clear()

    def refuses(self, scope: Scope) -> bool:
        """Return whether a request is refused before it is authenticated: its key was refused with this same header,
        and is still over its share. This costs a fifth of a refusal after authentication, and nothing without load."""
        if not self._refused:
            return False
        authorization = (header_of(scope, b"authorization") or "").encode("latin-1")
        key_id = self._refused.get(authorization)
        return key_id is not None and self._is_full(self._of_key.get(key_id, {}), itself=0)

    def _is_full(self, own: dict[int, float], itself: int) -> bool:
        """Return whether the key holds its share while the process is under load. `itself` is 1 if this request is
        already counted as in flight."""
        others = len(self._in_flight) - itself
        if len(own) >= SHARE_OF_KEY * MAXIMUM_IN_FLIGHT and others >= UNDER_PRESSURE * MAXIMUM_IN_FLIGHT:
            return True
        recent = int(UNDER_PRESSURE * MAXIMUM_FRESH) + self._bodies.number + itself
        return has_recent(own, int(SHARE_OF_KEY * MAXIMUM_FRESH)) and has_recent(self._in_flight, recent)


def has_recent(started: dict[int, float], count: int) -> bool:
    """Return whether at least `count` of them (the newest last) started within FRESH_SECONDS."""
    if len(started) < count:
        return False
    return time.perf_counter() - next(islice(reversed(started.values()), count - 1, None)) < FRESH_SECONDS
