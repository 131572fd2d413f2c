"""What a worker holds: deliveries under its lease, in lanes.

A lane is one subscription in one practice. Its first attempts go one after the other, in order of the log, for as long
as this worker holds the lane; replays, retries and manual deliveries have queues of their own, so that they delay no
first attempt.
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
SENDING_SECONDS = 20  # the deadline of an attempt, and time to put it on record: who has less lease left doesn't begin
LONGEST_LANE = 100  # deliveries that a worker leases ahead in one lane …
SHORTEST_LANE = 10  # … when few lanes have work, and when many have
TRIED_LANE = 3  # … and while its endpoint fails in a row
RETRIES_AT_ONCE = 4
MANUAL_AT_ONCE = 2  # manual deliveries of one subscription, over all practices

Traffic = Literal["live", "replay", "retry", "manual"]


class LaneKey(NamedTuple):
    practice_id: int
    subscription_id: int
    traffic: Traffic


class Item(msgspec.Struct):
    """One delivery in hand."""

    delivery_id: int
    created_at: datetime
    attempts: int  # made before this one
    leased_by: int
    lease_ends: float  # by time.monotonic()
    event: Event
    endpoint: Endpoint


class Lane:
    def __init__(self, key: LaneKey) -> None:
        self.key = key
        self.items: deque[Item] = deque()
        self.runners: set[asyncio.Task[None]] = set()
        self.is_closed = False  # what is left in it is given back; it takes nothing more
        self.has_more = False  # waiting in the database

    def room(self, portion: int) -> int:
        """How many it takes when each lane may hold a portion."""
        return 0 if self.is_closed else max(0, portion - len(self.items))

    def runs_low(self, portion: int) -> bool:
        """Time to fetch more, so that it does not run dry while the database is asked."""
        return self.has_more and len(self.items) <= portion // 2

    @property
    def is_done(self) -> bool:
        return not self.items and not self.runners

    def width(self) -> int:
        """How many go at once: retries of an endpoint that has recovered need not queue."""
        if self.key.traffic == "manual":
            return MANUAL_AT_ONCE
        if self.key.traffic != "retry" or not self.items:
            return 1
        return 1 if self.items[0].endpoint.failing_since else RETRIES_AT_ONCE

    def close(self) -> Iterable[Item]:
        """Hands out what was not begun."""
        self.is_closed = True
        left, self.items = list(self.items), deque()
        return left
