"""Per-subscription FIFO queues of the deliveries that a worker has leased.

One queue holds the deliveries of one subscription in one practice. First attempts are sent one after the other, in log
order, while this worker holds the queue. Replays, retries and manual deliveries have separate queues, so that they do
not delay first attempts.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from officepro.webhooks.messages import Event
from officepro.webhooks.queries import Endpoint

LEASE_SECONDS = 60
SENDING_SECONDS = 20  # least lease left to start an attempt: covers its timeout and writing the result
LONGEST_LANE = 100  # deliveries that a worker leases ahead per queue, if few queues have work …
SHORTEST_LANE = 10  # … if many have …
TRIED_LANE = 3  # … and while the endpoint is failing
RETRIES_AT_ONCE = 4
MANUAL_AT_ONCE = 2  # manual deliveries of one subscription, over all practices

Traffic = Literal["live", "replay", "retry", "manual"]


class LaneKey(NamedTuple):
    """Identity of a queue."""

    practice_id: int
    subscription_id: int
    traffic: Traffic


class Item(msgspec.Struct):
    """One leased delivery, with its event and endpoint."""

    delivery_id: int
    created_at: datetime
    attempts: int  # made before
    leased_by: int
    lease_ends: float  # by time.monotonic()
    event: Event
    endpoint: Endpoint


class Lane:
    """FIFO queue of one subscription in one practice, with the tasks that send from it."""

    def __init__(self, key: LaneKey) -> None:
        self.key = key
        self.items: deque[Item] = deque()
        self.runners: set[asyncio.Task[None]] = set()
        self.is_closed = False  # accepts no more deliveries; the rest was released
        self.has_more = False  # more deliveries wait in the database

    def room(self, portion: int) -> int:
        """Return the free capacity, if each queue may hold `portion` deliveries."""
        return 0 if self.is_closed else max(0, portion - len(self.items))

    def runs_low(self, portion: int) -> bool:
        """Return whether to claim more now, so that the queue does not run empty during the query."""
        return self.has_more and len(self.items) <= portion // 2

    @property
    def is_done(self) -> bool:
        """Whether the queue is empty and no task sends from it."""
        return not self.items and not self.runners

    def width(self) -> int:
        """Return the number of concurrent attempts: more than one for manual deliveries and for retries to a healthy
        endpoint."""
        if self.key.traffic == "manual":
            return MANUAL_AT_ONCE
        if self.key.traffic != "retry" or not self.items:
            return 1
        return 1 if self.items[0].endpoint.failing_since else RETRIES_AT_ONCE

    def close(self) -> Iterable[Item]:
        """Close the queue and return the deliveries that were not started."""
        self.is_closed = True
        left, self.items = list(self.items), deque()
        return left
