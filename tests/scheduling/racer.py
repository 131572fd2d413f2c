"""Process of the concurrency test: the whole application, with clients that book, hold, reschedule and cancel
concurrently.

Reads its parameters as JSON from standard input, and writes each request with its response as one JSON line.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from officepro import app as application
from officepro.door import Door
from officepro.settings import Settings
from tests.conftest import alive

OPENS, CLOSES = 9 * 60, 13 * 60  # minutes of day; a short period, so that requests conflict
TYPES: dict[str, tuple[list[int], int, int]] = {
    "Consult": ([101, 102], 0, 0),
    "Scan": ([102, 103], 0, 15),
    "Call": ([], 5, 0),
}  # rooms, buffers in minutes
PROVIDERS = [1, 2, 3]
Record = dict[str, Any]


@dataclass
class Racer:
    """State shared by the clients of one process."""

    call: Callable[[str, str, Any], Awaitable[tuple[int, Any]]]
    zone: ZoneInfo
    day: date
    chance: random.Random
    visits: list[int] = field(default_factory=list)
    holds: list[tuple[int, Record]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    async def attempt(self) -> None:
        deed = self.chance.random()
        if deed < 0.50:
            await self.book()
        elif deed < 0.62:
            await self.hold()
        elif deed < 0.70 and self.holds:
            await self.book_held()
        elif deed < 0.73 and self.holds:
            hold_id, _ = self.holds.pop(self.chance.randrange(len(self.holds)))
            await self.noted("release", "DELETE", f"/visits/hold/{hold_id}", None, visit=hold_id)
        elif deed < 0.86 and self.visits:
            visit = self.visits.pop() if self.chance.random() < 0.8 else self.chance.choice(self.visits)
            await self.noted("cancel", "POST", f"/visits/{visit}/cancel", {"Reason": "race"}, visit=visit)
        elif self.visits:
            await self.move()
        else:
            await self.book()

    def wish(self) -> tuple[Record, Record]:
        """Return a random time within opening hours as a request body, and the time it occupies in epoch seconds."""
        kind = self.chance.choice(list(TYPES))
        duration = self.chance.choice([15, 30, 30, 45, 60])
        start = self.chance.randrange(OPENS, CLOSES - duration + 1, 15)
        after = self.chance.choice([0, 0, 5, 10])
        part = self.chance.choice([duration - after, max(1, duration // 3)]) if after < duration else duration
        part = min(part, duration - after)
        body = {
            "ProviderID": self.chance.choice(PROVIDERS),
            "VisitType": kind,
            "VisitDate": self.day.isoformat(),
            "VisitTime": f"{start // 60:02}:{start % 60:02}:00",
            "VisitDuration": duration,
            "ProviderTime": f"{(start + after) // 60:02}:{(start + after) % 60:02}:00",
            "ProviderDuration": part,
        }
        midnight = int(datetime(self.day.year, self.day.month, self.day.day, tzinfo=self.zone).timestamp())
        _, before, behind = TYPES[kind]
        takes = {
            "provider": body["ProviderID"],
            "type": kind,
            "room_time": [midnight + start * 60, midnight + (start + duration) * 60],
            "busy_time": [midnight + (start + after - before) * 60, midnight + (start + after + part + behind) * 60],
        }
        return body, takes

    async def book(self) -> None:
        body, takes = self.wish()
        status, answer = await self.noted("book", "POST", "/visits/book", {"PatientID": 1001, **body}, takes=takes)
        if status == 201:
            visit = answer["data"]["VisitID"]
            self.visits.append(visit)
            if self.chance.random() < 0.1:
                await self.noted("read", "GET", f"/visits/{visit}", None, visit=visit)

    async def hold(self) -> None:
        body, takes = self.wish()
        asked = {**body, "ttlSeconds": self.chance.choice([1, 2, 30])}
        status, answer = await self.noted("hold", "POST", "/visits/hold", asked, takes=takes)
        if status == 201:
            self.holds.append((answer["data"]["HoldID"], body))

    async def book_held(self) -> None:
        hold_id, body = self.holds.pop(self.chance.randrange(len(self.holds)))
        asked = {"PatientID": 1001, "HoldID": hold_id, **body}
        status, _ = await self.noted("book_held", "POST", "/visits/book", asked, visit=hold_id)
        if status == 201:
            self.visits.append(hold_id)

    async def move(self) -> None:
        visit = self.chance.choice(self.visits)
        body, takes = self.wish()
        await self.noted("move", "PATCH", f"/visits/{visit}", body, visit=visit, takes=takes)

    async def noted(
        self, deed: str, method: str, path: str, body: Any, *, visit: int | None = None, takes: Record | None = None
    ) -> tuple[int, Any]:
        began = time.time()
        status, answer = await self.call(method, path, body)
        data = answer.get("data") or {}
        self.records.append(
            {
                "deed": deed,
                "status": status,
                "code": answer.get("code"),
                "reasons": answer.get("reasons"),
                "began": began,
                "ended": time.time(),
                "visit": visit or data.get("VisitID") or data.get("HoldID"),
                "room": data.get("RoomID"),
                "takes": takes,
            }
        )
        return status, answer


def caller_of(app: Any, token: str, path: str) -> Callable[[str, str, Any], Awaitable[tuple[int, Any]]]:
    """Return a client that calls the application by ASGI in this process, without HTTP."""

    async def call(method: str, rest: str, body: Any) -> tuple[int, Any]:
        raw = b"" if body is None else json.dumps(body).encode()
        address, _, query = (path + rest).partition("?")
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
        if token:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": address,
            "raw_path": address.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "client": ("192.0.2.1", 50_000),
            "server": ("officepro.test", 80),
        }
        found: dict[str, Any] = {"body": b""}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                found["status"] = message["status"]
            else:
                found["body"] += message.get("body", b"")

        await app(scope, receive, send)
        return found["status"], json.loads(found["body"])

    return call


async def run(orders: Record) -> list[Record]:
    settings = Settings.from_environment(orders["settings"])
    inner = application.create_inner_app(settings)
    async with alive(inner):
        app = Door(inner)
        _, answer = await caller_of(app, "", orders["path"])("POST", "/auth/token", {"apiKey": orders["key"]})
        call = caller_of(app, answer["accessToken"], orders["path"])
        chance = random.Random(orders["seed"])
        racer = Racer(call, ZoneInfo(orders["zone"]), date.fromisoformat(orders["day"]), chance)
        await asyncio.sleep(max(0.0, orders["starts_at"] - time.time()))
        left = iter(range(orders["attempts"]))

        async def client() -> None:
            for _ in left:
                await racer.attempt()

        stop = asyncio.Event()
        smuggler = asyncio.create_task(smuggle(racer, orders, stop))
        await asyncio.gather(*(client() for _ in range(orders["clients"])))
        stop.set()
        await smuggler
        return racer.records


async def smuggle(racer: Racer, orders: Record, stop: asyncio.Event) -> None:
    """Write visits as an EMR does: directly into the table, without the practice lock, and with slow commits."""
    connection = await asyncpg.connect(orders["owner_url"])
    try:
        while not stop.is_set():
            await asyncio.sleep(racer.chance.uniform(0, 0.1))
            _, takes = racer.wish()
            began = time.time()
            with suppress(asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
                async with connection.transaction():
                    visit = await write_visit(connection, orders["practice_id"], takes, racer.chance)
                    await asyncio.sleep(racer.chance.uniform(0, 0.02))
                racer.records.append({"deed": "smuggle", "began": began, "ended": time.time(), "visit": visit})
                await asyncio.sleep(racer.chance.uniform(0, 0.05))
                began = time.time()
                await connection.execute("UPDATE visit SET status = 'cancelled' WHERE visit_id = $1", visit)
                racer.records.append({"deed": "smuggle", "began": began, "ended": time.time(), "visit": visit})
    finally:
        await connection.close()


async def write_visit(
    connection: "asyncpg.Connection[Any]", practice_id: int, takes: Record, chance: random.Random
) -> int:
    times = [datetime.fromtimestamp(second, UTC) for second in takes["room_time"]]
    rooms = TYPES[takes["type"]][0]
    visit: int = await connection.fetchval(
        """
        INSERT INTO visit (practice_id, patient_id, provider_id, room_id, needs_room, visit_type, status, starts_at,
                           ends_at, provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
        VALUES ($1, 1001, $2, $3, $4, $5, 'booked', $6, $7, $6, $7, $6, $7) RETURNING visit_id
        """,
        practice_id,
        takes["provider"],
        chance.choice(rooms) if rooms else None,
        bool(rooms),
        takes["type"],
        times[0],
        times[1],
    )
    return visit


def main() -> None:
    orders = json.load(sys.stdin)
    for record in asyncio.run(run(orders)):
        sys.stdout.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
