"""Concurrency test of PROOF.md, row 1: processes of clients book a few hours of three providers and three rooms, and
their responses are checked against the database.

A trigger of the test records every version of every visit. A version can have blocked other bookings from when it was
written until the request that wrote the next one was answered, or the hold expired: the commit lies in between.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import asyncpg

from officepro.settings import Settings
from tests.scheduling.racer import CLOSES, OPENS, PROVIDERS, TYPES
from tests.world import Office

Record = dict[str, Any]

FURNITURE = f"""
DELETE FROM working_hours WHERE practice_id = :practice;
DELETE FROM visit_type_room WHERE practice_id = :practice;
DELETE FROM visit_type_provider WHERE practice_id = :practice;
INSERT INTO provider (practice_id, provider_id, name) VALUES (:practice, 3, 'Third');
INSERT INTO room (practice_id, room_id, name) VALUES (:practice, 103, 'Room 3');
INSERT INTO working_hours (practice_id, provider_id, weekday, starts_minute, ends_minute)
    SELECT :practice, provider_id, weekday, {OPENS}, {CLOSES}
    FROM unnest(ARRAY{PROVIDERS}) AS provider_id, generate_series(0, 6) AS weekday;
""" + "".join(
    f"""
INSERT INTO visit_type (practice_id, visit_type) VALUES (:practice, '{name}') ON CONFLICT DO NOTHING;
UPDATE visit_type SET buffer_before_minutes = {before}, buffer_after_minutes = {behind}
    WHERE practice_id = :practice AND visit_type = '{name}';
INSERT INTO visit_type_provider SELECT :practice, '{name}', unnest(ARRAY{PROVIDERS});
INSERT INTO visit_type_room SELECT :practice, '{name}', unnest(ARRAY{rooms}::bigint[]);
"""
    for name, (rooms, before, behind) in TYPES.items()
)

AUDIT = """
CREATE TABLE version_of_visit (
    number bigserial, at timestamptz NOT NULL DEFAULT clock_timestamp(), visit_id bigint, version bigint,
    provider_id bigint, room_id bigint, status text, room_time tstzrange, busy_time tstzrange, held_until timestamptz);
CREATE FUNCTION note_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO version_of_visit
        (visit_id, version, provider_id, room_id, status, room_time, busy_time, held_until)
    VALUES (NEW.visit_id, NEW.version, NEW.provider_id, NEW.room_id, NEW.status,
            tstzrange(NEW.starts_at, NEW.ends_at), tstzrange(NEW.busy_starts_at, NEW.busy_ends_at), NEW.held_until);
    RETURN NULL;
END $$;
CREATE TRIGGER note_version AFTER INSERT OR UPDATE ON visit FOR EACH ROW EXECUTE FUNCTION note_version();
"""

OVERLAPS = """
SELECT count(*) FROM visit a JOIN visit b USING (practice_id)
WHERE a.visit_id < b.visit_id AND a.status IN ('booked', 'held') AND b.status IN ('booked', 'held')
  AND (a.provider_id = b.provider_id
       AND tstzrange(a.busy_starts_at, a.busy_ends_at) && tstzrange(b.busy_starts_at, b.busy_ends_at)
       OR a.room_id = b.room_id AND tstzrange(a.starts_at, a.ends_at) && tstzrange(b.starts_at, b.ends_at))
"""


@dataclass
class Version:
    """A version of a visit, and the period in which it can have blocked other bookings."""

    visit: int
    provider: int
    room: int | None
    status: str
    room_time: tuple[float, float]
    busy_time: tuple[float, float]
    begins: float
    ends: float


class History:
    """The versions of every visit, in order, searchable by time."""

    def __init__(self, versions: dict[int, list[Version]], until: float) -> None:
        self.versions = versions
        self._by_tenth: dict[int, list[Version]] = defaultdict(list)
        for version in (one for of_one in versions.values() for one in of_one if one.status in ("booked", "held")):
            for tenth in range(int(version.begins * 10), int(min(version.ends, until) * 10) + 1):
                self._by_tenth[tenth].append(version)

    def between(self, began: float, ended: float) -> list[Version]:
        """Return the versions that can have blocked a booking at some time between the two."""
        near = (one for tenth in range(int(began * 10), int(ended * 10) + 1) for one in self._by_tenth[tenth])
        return [one for one in near if one.begins <= ended and one.ends >= began]


@dataclass
class Verdict:
    """Counts of violations, each of which must be 0, and of responses."""

    overlaps: int
    lost: list[Record]
    groundless: list[Record]
    failures: list[Record]
    gaps: int  # in the numbers of the event log, and between them and the counter
    unlogged: int  # successful requests without an event, and events without a successful request
    answers: Counter[str]
    seconds: float

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.answers.items()))
        return (
            f"overlaps {self.overlaps}, lost {len(self.lost)}, groundless {len(self.groundless)}, "
            f"failures {len(self.failures)}, gaps {self.gaps}, unlogged {self.unlogged}; {self.seconds:.1f} s: {told}"
        )


async def furnish(owner: "asyncpg.Connection[Any]", office: Office) -> None:
    await owner.execute(FURNITURE.replace(":practice", str(office.practice_id)) + AUDIT)


async def race(
    owner: "asyncpg.Connection[Any]",
    office: Office,
    settings: Settings,
    owner_url: str,
    day: date,
    *,
    attempts: int,
    processes: int = 4,
    clients: int = 16,
) -> Verdict:
    orders = {
        "settings": dict(settings.given),
        "owner_url": owner_url,
        "path": office.path,
        "practice_id": office.practice_id,
        "key": office.keys["partner"],
        "zone": office.time_zone,
        "day": day.isoformat(),
        "attempts": attempts // processes,
        "clients": clients,
        "starts_at": time.time() + 4,
    }
    stop = asyncio.Event()
    watching = asyncio.create_task(_watch(owner, stop))
    found = await asyncio.gather(*(_process({**orders, "seed": seed}) for seed in range(processes)))
    stop.set()
    most = await watching
    records = [record for records in found for record in records]
    return await _judge(owner, office, records, most)


async def _process(orders: Record) -> list[Record]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.scheduling.racer",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        limit=2**30,
    )
    told, _ = await process.communicate(json.dumps(orders).encode())
    assert process.returncode == 0
    return [json.loads(line) for line in told.splitlines()]


async def _watch(owner: "asyncpg.Connection[Any]", stop: asyncio.Event) -> int:
    """Return the largest number of overlaps found by polling the committed visits."""
    most = 0
    while not stop.is_set():
        most = max(most, await owner.fetchval(OVERLAPS))
        await asyncio.sleep(0.5)
    last: int = await owner.fetchval(OVERLAPS)
    return max(most, last)


async def _judge(owner: "asyncpg.Connection[Any]", office: Office, records: list[Record], overlaps: int) -> Verdict:
    history = History(await _versions(owner, records), max(record["ended"] for record in records))
    answered = [record for record in records if "status" in record]
    written = {(version.visit, version.status) for of_one in history.versions.values() for version in of_one}
    logged = await office.log()
    head = await owner.fetchval("SELECT last FROM log_head WHERE practice_id = $1", office.practice_id)
    gaps = sum(had["log_id"] != due for due, had in enumerate(logged, 1))
    ended = [record["ended"] for record in records]
    return Verdict(
        overlaps=overlaps,
        lost=list(_lost(answered, written)),
        groundless=[one for one in answered if one["status"] == 409 and not _has_ground(one, history)],
        failures=[one for one in answered if one["status"] >= 500 or one["status"] in (400, 412, 422)],
        gaps=gaps + abs(head - len(logged)),
        unlogged=_unlogged(answered, logged),
        answers=Counter(f"{one['deed']} {one.get('status', '')}".strip() for one in records),
        seconds=max(ended) - min(record["began"] for record in records),
    )


async def _versions(owner: "asyncpg.Connection[Any]", records: Iterable[Record]) -> dict[int, list[Version]]:
    """Return the versions by visit, in order. A version ends when the request that wrote the next one was answered, or
    its hold expired.
    """
    writers: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        if record["deed"] != "read":  # of any status: a request answered with 503 may have been committed
            writers[record["visit"]].append(record)
    versions: dict[int, list[Version]] = defaultdict(list)
    for row in await owner.fetch("SELECT * FROM version_of_visit ORDER BY visit_id, number"):
        at = row["at"].timestamp()
        if before := versions[row["visit_id"]]:
            answers = [one["ended"] for one in writers[row["visit_id"]] if one["began"] <= at <= one["ended"]]
            before[-1].ends = min(before[-1].ends, max(answers, default=at))
        versions[row["visit_id"]].append(
            Version(
                row["visit_id"],
                row["provider_id"],
                row["room_id"],
                row["status"],
                (row["room_time"].lower.timestamp(), row["room_time"].upper.timestamp()),
                (row["busy_time"].lower.timestamp(), row["busy_time"].upper.timestamp()),
                at,
                row["held_until"].timestamp() if row["held_until"] else float("inf"),
            )
        )
    return versions


def _unlogged(answered: list[Record], logged: list[dict[str, Any]]) -> int:
    """Return the number of successful requests without an event, and of events without one.

    A reschedule to the visit's current time emits no event and is not counted.
    """
    events = Counter(row["event"] for row in logged)
    done = Counter(record["deed"] for record in answered if record["status"] < 300)
    booked = abs(events["visit.booked"] - done["book"] - done["book_held"])
    return booked + abs(events["visit.cancelled"] - done["cancel"])


def _lost(answered: list[Record], written: set[tuple[int, str]]) -> Iterator[Record]:
    """Yield successful requests whose result is missing in the database."""
    status = {"book": "booked", "book_held": "booked", "hold": "held", "cancel": "cancelled", "release": "cancelled"}
    for record in answered:
        deed = record["deed"]
        if (record["status"] < 300 and deed in status and (record["visit"], status[deed]) not in written) or (
            deed == "read" and record["status"] == 404
        ):
            yield record


def _has_ground(record: Record, history: "History") -> bool:
    """Return whether a committed visit or hold justified the refusal between request and response."""
    own = history.versions.get(record["visit"] or 0, [])
    if record["code"] in ("visit_not_booked", "hold_used"):
        return any(one.status != "held" and one.begins <= record["ended"] for one in own[1:])
    if record["code"] == "hold_expired":
        return bool(own[0].ends <= record["ended"])
    standing = [one for one in history.between(record["began"], record["ended"]) if one.visit != record["visit"]]
    return bool(record["reasons"]) and all(_is_true(reason, record["takes"], standing) for reason in record["reasons"])


def _is_true(reason: str, takes: Record, standing: list[Version]) -> bool:
    if reason in ("provider_busy", "held"):
        status = "booked" if reason == "provider_busy" else "held"
        return any(
            one.provider == takes["provider"] and one.status == status and _meet(one.busy_time, takes["busy_time"])
            for one in standing
        )
    taken = {one.room for one in standing if _meet(one.room_time, takes["room_time"])}
    rooms, _, _ = TYPES[takes["type"]]
    return reason == "no_room" and taken.issuperset(rooms)


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
