"""Command `demo` with numbers: bulk data for performance measurements, in practices Demo0001, Demo0002, …

SQL generates each row from its number alone, batch by batch, one transaction per batch. Running the same command
again therefore resumes an interrupted run, and larger numbers add the missing rows. Visits cannot overlap: a visit's
number is a cell of provider, day and half hour, and eleven of sixteen cells per day are used.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

import msgspec

from officepro.demo import big_queries as queries
from officepro.demo.big_queries import VISITS_OF_A_DAY, BigPractice
from officepro.demo.load import renew_key
from officepro.foundation import clock
from officepro.foundation.database import Connection, Database, Mode
from officepro.foundation.errors import Conflict, Impossible
from officepro.scheduling.visit_writes import note_written
from officepro.settings import Settings

KEY_NAME = "Big data key"
MOST_PRACTICES = 9999
MOST_ROWS = 100_000_000
FEWEST_PROVIDERS = 6  # per practice
MOST_PROVIDERS = 1000
WORKDAYS = 240  # days with visits, while providers can be added
BATCH = 10_000  # rows of one transaction: about a second of work, far from the statement timeout
LANES = 2  # concurrent transactions

Noted = Callable[[str, int], None]  # called after every batch with the kind and number of rows inserted
Job = TypeVar("Job")


class NotBigData(Conflict):
    """A practice of this name exists and does not contain generated bulk data."""

    code = "not_big_data"


class NobodyToVisit(Impossible):
    """Visits need patients: request patients too."""

    code = "nobody_to_visit"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Target totals, including existing rows."""

    practices: int
    patients: int
    visits: int
    in_one_practice: bool = False  # all people and visits in the first practice

    def share(self, number: int) -> tuple[int, int]:
        """Return the numbers of people and visits of a practice; practices are numbered from 0."""
        if self.in_one_practice:
            return (self.patients, self.visits) if number == 0 else (0, 0)
        return self._evenly(self.patients, number), self._evenly(self.visits, number)

    def _evenly(self, total: int, number: int) -> int:
        return total // self.practices + (number < total % self.practices)


class Made(msgspec.Struct, frozen=True, rename="camel"):
    """Numbers of rows added, and rows per second; the rate is None if nothing was added."""

    practices: int  # including existing practices
    patients: int
    patients_per_second: int | None
    visits: int
    visits_per_second: int | None
    api_key: str  # all scopes, all practices


class Missing(msgspec.Struct, frozen=True):
    """Missing rows of one batch: numbers from `first` to before `end`, in one practice."""

    practice: BigPractice
    first: int
    end: int
    people: int  # patients of the practice, for its visits


def grow_demo(settings: Settings, wanted: Wanted, noted: Noted) -> Made:
    """Connect to the database and add the missing rows. Raises NotBigData, NobodyToVisit."""

    async def connect_and_grow() -> Made:
        mode = Mode(settings.database_mode)
        # Twice the number of concurrent transactions: one practice may use half of the pool.
        database = await Database.connect(settings.database_url, mode=mode, pool_size=2 * LANES)
        try:
            return await grow(database, wanted, clock.now(), noted)
        finally:
            await database.close()

    return asyncio.run(connect_and_grow())


async def grow(database: Database, wanted: Wanted, now: datetime, noted: Noted) -> Made:
    """Add practices, then patients, then visits. Raises NotBigData, NobodyToVisit."""
    if any(visits and not patients for patients, visits in map(wanted.share, range(wanted.practices))):
        raise NobodyToVisit
    practices = await _practices(database, wanted, noted)

    async def add_patients(db: Connection, missing: Missing) -> None:
        await queries.add_patients(db, missing.practice.practice_id, missing.first, missing.end, now.date())

    async def add_visits(db: Connection, missing: Missing) -> None:
        await queries.add_visits(db, missing.practice, missing.first, missing.end, missing.people, now)
        await note_written(db, missing.practice.practice_id)

    patients = await _missing(database, practices, wanted, 0, queries.batches_of_patients)
    patients_per_second = await _fill(database, patients, add_patients, "patients", noted)
    visits = await _missing(database, practices, wanted, 1, queries.batches_of_visits)
    visits_per_second = await _fill(database, visits, add_visits, "visits", noted)
    async with database.system_transaction() as db:
        api_key = await renew_key(db, None, KEY_NAME, now)
    return Made(len(practices), _rows_of(patients), patients_per_second, _rows_of(visits), visits_per_second, api_key)


async def _practices(database: Database, wanted: Wanted, noted: Noted) -> list[BigPractice]:
    """Create and configure the practices; return all of them."""
    async with database.system_transaction() as db:
        await queries.establish(db, wanted.practices)
        established = await queries.established(db, wanted.practices)
        if len(established) < wanted.practices:
            raise NotBigData(_stranger(established))
    furnished = list(established)

    async def furnish(number: int) -> None:
        _, visits = wanted.share(number)
        practice_id = established[number].practice_id
        async with database.practice_transaction(practice_id) as db:
            providers = await queries.furnish(db, practice_id, _providers_for(visits))
        furnished[number] = msgspec.structs.replace(established[number], providers=providers)
        noted("practices", 1)

    await _in_lanes(range(wanted.practices), furnish)
    return furnished


def _stranger(established: list[BigPractice]) -> str:
    known = {practice.practicepass for practice in established}
    name = next(name for number in range(1, MOST_PRACTICES + 1) if (name := f"Demo{number:04}") not in known)
    return f"{name} already exists and does not contain bulk data. Use another database, or fewer practices."


def _providers_for(visits: int) -> int:
    return min(max(-(-visits // (VISITS_OF_A_DAY * WORKDAYS)), FEWEST_PROVIDERS), MOST_PROVIDERS)


async def _missing(
    database: Database,
    practices: list[BigPractice],
    wanted: Wanted,
    part: int,  # index in Wanted.share
    batches_of: Callable[[Connection, int, int], Awaitable[dict[int, int]]],
) -> list[Missing]:
    missing: list[Missing] = []
    for number, practice in enumerate(practices):
        share = wanted.share(number)
        async with database.practice(practice.practice_id) as db:
            there = await batches_of(db, practice.practice_id, BATCH)
        missing += (Missing(practice, first, end, share[0]) for first, end in _gaps(share[part], there))
    return missing


def _gaps(rows: int, there: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the missing ranges of rows 0 to before `rows`. `there` is the number of existing rows per batch, which
    are the first of it."""
    for batch, begins in enumerate(range(0, rows, BATCH)):
        first, end = begins + there.get(batch, 0), min(begins + BATCH, rows)
        if first < end:
            yield first, end


async def _fill(
    database: Database,
    missing: list[Missing],
    add: Callable[[Connection, Missing], Awaitable[None]],
    what: str,
    noted: Noted,
) -> int | None:
    """Add the missing rows; return rows per second, or None if none were missing."""

    async def fill_in(piece: Missing) -> None:
        async with database.practice_transaction(piece.practice.practice_id) as db:
            await add(db, piece)
        noted(what, piece.end - piece.first)

    begun = time.perf_counter()
    await _in_lanes(missing, fill_in)
    return round(_rows_of(missing) / (time.perf_counter() - begun)) if missing else None


def _rows_of(missing: list[Missing]) -> int:
    return sum(piece.end - piece.first for piece in missing)


async def _in_lanes(jobs: Iterable[Job], work: Callable[[Job], Awaitable[None]]) -> None:
    """Run each job once, LANES concurrently; the first failure cancels all."""
    waiting = iter(jobs)

    async def lane() -> None:
        for job in waiting:
            await work(job)

    lanes = [asyncio.create_task(lane()) for _ in range(LANES)]
    try:
        await asyncio.gather(*lanes)
    finally:
        for unfinished in lanes:
            unfinished.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
