"""Clients that book continuously, retry unresolved bookings with the same Idempotency-Key, and count the responses.

Each booking has a mark: it is the visit's complaint, the client address behind a trusted proxy (and so in the
disclosure), and the Idempotency-Key if it has one. Bookings without a key are sent once.
"""

import asyncio
import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv6Address

import aiohttp
import asyncpg

from tests.world import Office

PAUSE_SECONDS = 0.2  # before a request is retried
TIMEOUT_SECONDS = 30.0
AGAIN_SECONDS = 120.0
WEEKDAYS = 400
CONTESTED = 0.2  # fraction of bookings that request a time requested before

UNKNOWN = {"0", "503 outcome_unknown"}  # outcomes after which the visit may or may not exist

DOUBLES = """
SELECT count(*) FILTER (WHERE meets_provider) + count(*) FILTER (WHERE meets_room) FROM (
    SELECT busy_starts_at < max(busy_ends_at) OVER (of_provider ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
               AS meets_provider,
           starts_at < max(ends_at) OVER (of_room ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS meets_room
    FROM visit WHERE status = 'booked'
    WINDOW of_provider AS (PARTITION BY practice_id, provider_id ORDER BY busy_starts_at, visit_id),
           of_room AS (PARTITION BY practice_id, room_id ORDER BY starts_at, visit_id)) AS booked
"""


@dataclass
class Verdict:
    """Comparison of the database with the clients' acknowledged bookings."""

    acknowledged: int
    missing: int  # acknowledged, but not stored
    unasked: int  # stored, but never acknowledged
    doubles: int
    gaps: int  # in log numbers
    untold: int  # acknowledged bookings without their event


@dataclass
class Bookers:
    """Clients and their results. `answers` counts responses by status and code; 0 is a broken connection."""

    offices: list[Office]
    tokens: dict[str, str]
    bases: list[str]
    until: float = 0.0
    keyless: float = 0.0  # fraction of bookings without an Idempotency-Key
    acknowledged: dict[str, tuple[int, int]] = field(default_factory=dict)  # mark -> practice and VisitID
    given_up: dict[str, str] = field(default_factory=dict)  # mark -> response; bookings without a key are not retried
    times: list[tuple[float, float]] = field(default_factory=list)  # of each success: request, response
    answers: Counter[str] = field(default_factory=Counter)
    replays: int = 0
    repeats: int = 0
    unsettled: int = 0
    without_retry_after: int = 0

    async def book_on(self, each: int) -> None:
        """Run `each` clients until the clock reaches `until`, which may be changed meanwhile."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT_SECONDS)) as session:
            await asyncio.gather(*(self._book(session, random.Random(seed)) for seed in range(each)))

    async def _book(self, session: aiohttp.ClientSession, dice: random.Random) -> None:
        while time.monotonic() < self.until:
            office = dice.choice(self.offices)
            mark = str(IPv6Address(dice.getrandbits(128)))
            await self._settle(session, office, self._wish(dice), mark, dice, has_key=dice.random() >= self.keyless)

    def _wish(self, dice: random.Random) -> dict[str, str | int]:
        number = dice.randrange(200 if dice.random() < CONTESTED else WEEKDAYS * 16)
        day, half = divmod(number, 16)
        minutes = 9 * 60 + half * 30
        return {
            "PatientID": 1001,
            "ProviderID": dice.choice((1, 2)),
            "VisitType": "Consult",
            "VisitDate": weekday(day).isoformat(),
            "VisitTime": f"{minutes // 60:02}:{minutes % 60:02}:00",
            "VisitDuration": 30,
        }

    async def _settle(
        self,
        session: aiohttp.ClientSession,
        office: Office,
        wish: dict[str, str | int],
        mark: str,
        dice: random.Random,
        *,
        has_key: bool,
    ) -> None:
        """Retry until the booking succeeds or is finally refused."""
        wish = wish | {"VisitComplaint": mark}
        headers = {"Authorization": f"Bearer {self.tokens[office.practicepass]}", "X-Forwarded-For": mark}
        if has_key:
            headers["Idempotency-Key"] = mark
        give_up = self.until + 60.0
        while time.monotonic() < give_up:
            asked = time.monotonic()
            url = dice.choice(self.bases) + office.path + "/visits/book"
            status, body, is_replay, is_told_when = 0, {}, False, True
            try:
                async with session.post(url, json=wish, headers=headers) as answer:
                    body = await answer.json()
                    status = answer.status
                    is_replay = "Idempotent-Replay" in answer.headers
                    is_told_when = "Retry-After" in answer.headers
            except (aiohttp.ClientError, TimeoutError):
                pass
            code = body.get("code", "")
            told = f"{status} {code}".strip()
            self.answers[told] += 1
            self.without_retry_after += status == 503 and not is_told_when
            if status == 201:
                self.acknowledged[mark] = (office.practice_id, body["data"]["VisitID"])
                self.times.append((asked, time.monotonic()))
                self.replays += is_replay
                return
            if not has_key:
                self.given_up[mark] = told
            if status not in (0, 503) and code != "idempotency_still_running":
                return
            await asyncio.sleep(PAUSE_SECONDS)
            if not has_key:
                return
            self.repeats += 1
        self.unsettled += 1

    async def booked_again(self, since: float) -> None:
        """Wait for the success of a request that was sent after `since`."""
        async with asyncio.timeout(AGAIN_SECONDS):
            while not any(asked > since for asked, _ in self.times[-50:]):  # noqa: ASYNC110 -- the counters have no event
                await asyncio.sleep(0.05)

    def outage(self, since: float) -> float:
        """Return the seconds from a kill to the first success of a booking requested after it."""
        return min(answered for asked, answered in self.times if asked > since) - since

    def longest_pause(self, since: float) -> float:
        """Return the longest time between two successes, in seconds."""
        answered = [since, *sorted(at for _, at in self.times if at > since)]
        return max(later - earlier for earlier, later in itertools.pairwise(answered))

    async def verdict(self, owner: asyncpg.Connection) -> Verdict:
        """Compare the database with the acknowledged bookings."""
        booked = await owner.fetch("SELECT practice_id, visit_id FROM visit WHERE status = 'booked'")
        there = {(row["practice_id"], row["visit_id"]) for row in booked}
        kept = {row["idempotency_key"] for row in await owner.fetch("SELECT idempotency_key FROM idempotency")}
        # A lost VisitID may be assigned to another booking; the key identifies the booking.
        missing = sum(mark not in kept or visit not in there for mark, visit in self.acknowledged.items())
        events = await owner.fetch("SELECT practice_id, entity_id FROM log WHERE event = 'visit.booked'")
        told = {(row["practice_id"], int(row["entity_id"])) for row in events}
        return Verdict(
            acknowledged=len(self.acknowledged),
            missing=missing,
            unasked=len(there - set(self.acknowledged.values())),
            doubles=await owner.fetchval(DOUBLES),
            gaps=await owner.fetchval("SELECT ((SELECT sum(last) FROM log_head) - (SELECT count(*) FROM log))::int"),
            untold=len(set(self.acknowledged.values()) - told),
        )


def weekday(number: int) -> date:
    """Return a working day, counted from three weeks ahead."""
    first = datetime.now(UTC).date() + timedelta(days=21)
    first -= timedelta(days=first.weekday())
    weeks, day = divmod(number, 5)
    return first + timedelta(days=weeks * 7 + day)
