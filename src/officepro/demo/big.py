"""The verb: big data, for measurements. Practices Demo0001, Demo0002, … with people and visits spread over them.

Rows are made by SQL from their number alone, batch by batch, each batch one transaction. So the same command again goes
on where an interrupted one ended, and a bigger number adds what is missing. No two visits can overlap: a visit's number
is a cell of provider, day and half hour, and eleven of a day's sixteen are taken.
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
FEWEST_PROVIDERS = 6  # of a practice
MOST_PROVIDERS = 1000
WORKDAYS = 240  # over which a practice's visits are spread, as long as it can have more providers
BATCH = 10_000  # rows of one transaction: about a second of work, far from the statement timeout
LANES = 2  # transactions side by side

Noted = Callable[[str, int], None]  # told of every batch: what was made, and how many
Job = TypeVar("Job")


class NotBigData(Conflict):
    """A practice of this name is there already, and it is not big data."""

    code = "not_big_data"


class NobodyToVisit(Impossible):
    """Visits need people: ask for patients too."""

    code = "nobody_to_visit"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is to be in all, with what is there already."""

    practices: int
    patients: int
    visits: int
    in_one_practice: bool = False  # the first one gets all people and visits

    def share(self, number: int) -> tuple[int, int]:
        """The people and the visits of a practice; practices are numbered from 0."""
        if self.in_one_practice:
            return (self.patients, self.visits) if number == 0 else (0, 0)
        return self._evenly(self.patients, number), self._evenly(self.visits, number)

    def _evenly(self, total: int, number: int) -> int:
        return total // self.practices + (number < total % self.practices)


class Made(msgspec.Struct, frozen=True, rename="camel"):
    """What was added, and how fast; a part is left out of the rate when there was nothing to add."""

    practices: int  # with those that were there before
    patients: int
    patients_per_second: int | None
    visits: int
    visits_per_second: int | None
    api_key: str  # with every scope, for every practice


class Missing(msgspec.Struct, frozen=True):
    """Rows of one batch that are not there yet: number `first` to before `end` of a practice."""

    practice: BigPractice
    first: int
    end: int
    people: int  # of the practice, among whom its visits are


def grow_demo(settings: Settings, wanted: Wanted, noted: Noted) -> Made:
    """Raises NotBigData, NobodyToVisit."""

    async def connect_and_grow() -> Made:
        mode = Mode(settings.database_mode)
        # Twice as many as are used side by side: one practice gets half of them.
        database = await Database.connect(settings.database_url, mode=mode, pool_size=2 * LANES)
        try:
            return await grow(database, wanted, clock.now(), noted)
        finally:
            await database.close()

    return asyncio.run(connect_and_grow())


async def grow(database: Database, wanted: Wanted, now: datetime, noted: Noted) -> Made:
    """Practices first, then people, then their visits. Raises NotBigData, NobodyToVisit."""
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
    """All of them, furnished."""
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
    return f"{name} is there already and is not big data; take a database without it, or fewer practices."


def _providers_for(visits: int) -> int:
    return min(max(-(-visits // (VISITS_OF_A_DAY * WORKDAYS)), FEWEST_PROVIDERS), MOST_PROVIDERS)


async def _missing(
    database: Database,
    practices: list[BigPractice],
    wanted: Wanted,
    part: int,  # of Wanted.share
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
    """What is not there of rows 0 to before `rows`; `there` says how many each batch has, and they are its first."""
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
    """Rows per second."""

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
    """Each job once, LANES at a time; the first failure ends them all."""
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
