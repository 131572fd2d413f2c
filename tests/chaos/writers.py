"""Clients that write during faults, and a check that every acknowledged write is stored completely and once.

Each client creates prospects, every one with its own Idempotency-Key, and retries each until it gets a response.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from tests.chaos.instances import Connection, Instance

PAUSE_SECONDS = 0.05
ANSWER_SECONDS = 30.0
CHECK_SECONDS = 0.1


@dataclass
class Writers:
    """Clients and the responses that they got."""

    instances: list[Instance]
    practicepass: str
    token: str
    acknowledged: dict[str, int] = field(default_factory=dict)  # PatientID, by Idempotency-Key
    first_answers: Counter[str] = field(default_factory=Counter)  # status or error of first attempts
    without_retry_after: int = 0
    ready: list[tuple[float, bool]] = field(default_factory=list)
    last_acknowledged: float = 0.0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def writing(self, clients: int) -> AsyncIterator[None]:
        """Run clients that write. On exit every client waits for the outcome of its write."""
        watching = asyncio.create_task(self._watch())
        load = [asyncio.create_task(self._write(number)) for number in range(clients)]
        try:
            yield
        finally:
            self._stop.set()
            await asyncio.gather(watching, *load)

    async def acknowledged_again(self, within_seconds: float) -> float:
        """Return the seconds until a write that starts from now on is acknowledged."""
        began, before = time.monotonic(), len(self.acknowledged)
        async with asyncio.timeout(within_seconds):
            while len(self.acknowledged) < before + 20:  # noqa: ASYNC110 -- the counters have no event
                await asyncio.sleep(0.02)
        return time.monotonic() - began

    def was_ready(self, since: float, until: float) -> list[bool]:
        """Return the readiness checks between two times (monotonic)."""
        return [ready for at, ready in self.ready if since <= at <= until]

    async def _watch(self) -> None:
        while not self._stop.is_set():
            at = time.monotonic()
            self.ready.append((at, await self.instances[0].is_ready()))
            await asyncio.sleep(CHECK_SECONDS)

    async def _write(self, number: int) -> None:
        mine, written = _Mine(random.Random(number)), 0
        while not self._stop.is_set():
            key = f"{number}-{written}"
            told = await self._attempt(key, mine)
            self.first_answers[told] += 1
            while key not in self.acknowledged:
                await asyncio.sleep(PAUSE_SECONDS)
                await self._attempt(key, mine)
            written += 1
        mine.hang_up()

    async def _attempt(self, key: str, mine: "_Mine") -> str:
        """Send a request and return its status, or `cut off`."""
        person = {"FirstName": "Grace", "LastName": key, "EMail": f"{key}@example.com"}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                connection = await mine.connected(self.instances)
                status, body = await connection.ask(
                    "POST",
                    f"/v1/{self.practicepass}/prospects",
                    self.token,
                    json.dumps(person).encode(),
                    f"Idempotency-Key: {key}\r\n",
                )
        except (OSError, EOFError, TimeoutError):
            mine.hang_up()
            return "cut off"
        if status == 201:
            self.acknowledged[key] = json.loads(body)["data"]["PatientID"]
        elif status in (429, 503) and "retry-after" not in connection.headers:
            self.without_retry_after += 1
        return str(status)


@dataclass
class _Mine:
    """State of one client."""

    chance: random.Random
    connection: Connection | None = None

    async def connected(self, instances: list[Instance]) -> Connection:
        if self.connection is None or self.connection.is_gone:
            self.hang_up()
            self.connection = await Connection.open(self.chance.choice(instances).port)
        return self.connection

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@dataclass
class Truth:
    """Counts of errors, which must be 0, and of rows."""

    lost: int  # acknowledged, but not stored
    doubled: int  # keys with more than one patient
    halves: int  # patients without search tokens or without exactly one event
    gaps: int  # in log numbers
    unfinished: int  # rows in a state that exists only during processing
    people: int

    @property
    def faults(self) -> tuple[int, ...]:
        """Return the counts that must be 0."""
        return self.lost, self.doubled, self.halves, self.gaps, self.unfinished

    def __str__(self) -> str:
        return (
            f"{self.people} people: lost {self.lost}, doubled {self.doubled}, half written {self.halves}, "
            f"gaps in the log {self.gaps}, unfinished {self.unfinished}"
        )


async def truth(owner_url: str, practice_id: int, acknowledged: dict[str, int]) -> Truth:
    """Compare the database with the acknowledged writes."""
    owner = await asyncpg.connect(owner_url)
    try:
        people = {
            row["patient_id"]: row["last_name"]
            for row in await owner.fetch(
                "SELECT patient_id, last_name FROM patient WHERE practice_id = $1 AND first_name = 'Grace'", practice_id
            )
        }
        halves = await owner.fetchval(
            """
            SELECT count(*) FROM patient p WHERE practice_id = $1 AND first_name = 'Grace' AND NOT (
                (SELECT count(*) FROM log l WHERE l.practice_id = $1 AND event = 'patient.created'
                                            AND entity_id = p.patient_id) = 1
                AND (SELECT count(*) FROM patient_token t WHERE t.practice_id = $1 AND t.patient_id = p.patient_id) >= 3
                AND (SELECT count(*) FROM idempotency i WHERE i.practice_id = $1 AND idempotency_key = p.last_name) = 1)
            """,
            practice_id,
        )
        gaps = await owner.fetchval(
            """
            SELECT abs(count(*) - (SELECT last FROM log_head WHERE practice_id = $1)) + abs(count(*) - max(log_id))
            FROM log WHERE practice_id = $1
            """,
            practice_id,
        )
        open_work = await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND usename = 'officepro'"
        )
    finally:
        await owner.close()
    names = Counter(people.values())
    return Truth(
        lost=sum(people.get(patient_id) != key for key, patient_id in acknowledged.items()),
        doubled=sum(count > 1 for count in names.values()),
        halves=halves,
        gaps=gaps or 0,
        unfinished=open_work,
        people=len(people),
    )
