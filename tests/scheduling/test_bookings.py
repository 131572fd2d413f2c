"""Group commit of bookings: concurrent bookings share a statement, and nothing else."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from asyncpg.transaction import Transaction

from officepro.activity.ledger import Disclosure
from officepro.activity.verification import verify
from officepro.foundation import joining
from officepro.foundation.database import Connection, Database, OutcomeUnknown, Row
from officepro.foundation.errors import OfficeProError
from officepro.scheduling import visit_writes
from officepro.scheduling.bookings import Booking, Bookings
from officepro.scheduling.visit_writes import ProviderTaken, RoomTaken, Times, UnknownPatient
from tests.activity.conftest import ledger_of
from tests.scheduling.test_slots import next_monday
from tests.world import Office

# Columns that differ between otherwise equal rows.
OWN = {"practice_id", "visit_id", "visit_history_id", "log_id", "entity_id", "data", "created_at", "updated_at"} | {
    "happened_at",
    "occurred_at",
}


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The practices of the bookings in each statement sent."""
    sent: list[list[int]] = []
    really = joining.write_together

    async def noted(db: Connection, statement: str, several: list[dict[str, Any]]) -> list[Row]:
        sent.append([wish["practice_id"] for wish in several])
        return await really(db, statement, several)

    monkeypatch.setattr(joining, "write_together", noted)
    return sent


def booking(office: Office, hour: int, **further: Any) -> Booking:
    begins = datetime.fromisoformat(f"{next_monday()}T{hour:02}:00Z")
    ends = begins + timedelta(minutes=30)
    patient_id = further.pop("patient_id", office.ada)
    told = Disclosure(office.practice_id, 7, 8, "POST", "/v1/{PPass}/visits/book", f"request-{hour}", [patient_id])
    given: dict[str, Any] = {
        "provider_id": 1,
        "rooms": [101, 102],
        "visit_type": "Consult",
        "complaint": "itch",
        "notes": None,
    } | further
    return Booking(
        practice_id=office.practice_id,
        api_key_id=7,
        patient_id=patient_id,
        times=Times(begins, ends, begins, ends, begins, ends),
        disclosure=told,
        **given,
    )


async def visits_of(office: Office) -> list[tuple[Any, ...]]:
    rows = await office.house.owner.fetch(
        "SELECT visit_id, room_id FROM visit WHERE practice_id = $1 ORDER BY starts_at, provider_id", office.practice_id
    )
    return [tuple(row) for row in rows]


async def at_work(office: Office) -> Transaction:
    """A transaction that holds the practice lock (`log_head` row) until it is rolled back."""
    transaction = office.house.owner.transaction()
    await transaction.start()
    await office.house.owner.execute("SELECT last FROM log_head WHERE practice_id = $1 FOR UPDATE", office.practice_id)
    return transaction


async def test_many_book_at_once_and_each_has_its_visit_event_and_disclosure(
    demo_office: Office, berlin_office: Office, straight_database: Database, statements: list[list[int]]
) -> None:
    desk, offices = Bookings(straight_database), (berlin_office, demo_office, berlin_office, demo_office)
    wanted = [booking(office, 9 + number) for number, office in enumerate(offices)]

    booked = await asyncio.gather(*(desk.book(one) for one in wanted))

    assert statements == [[office.practice_id for office in offices]]
    for office in (demo_office, berlin_office):
        mine = [one for one, whose in zip(booked, offices, strict=True) if whose is office]
        assert await visits_of(office) == mine
        log = await office.log()
        assert [(row["log_id"], row["event"], row["entity_id"]) for row in log] == [
            (number, "visit.booked", visit_id) for number, (visit_id, _) in enumerate(mine, 1)
        ]
        told = await ledger_of(office.house.owner, office)
        assert [(row["number"], row["patient_ids"]) for row in told] == [(1, [office.ada]), (2, [office.ada])]
        [verified] = [one async for one in verify(straight_database, office.practicepass)]
        assert verified.faults == []


async def test_it_writes_what_the_statement_for_one_writes(
    demo_office: Office, berlin_office: Office, straight_database: Database
) -> None:
    together, alone = booking(demo_office, 9), booking(berlin_office, 9)

    await Bookings(straight_database).book(together)
    async with straight_database.practice(berlin_office.practice_id, is_writing=True) as db:
        await visit_writes.book(
            db,
            berlin_office.practice_id,
            alone.api_key_id,
            patient_id=alone.patient_id,
            provider_id=alone.provider_id,
            room_id=101,
            needs_room=True,
            visit_type=alone.visit_type,
            times=alone.times,
            complaint=alone.complaint,
            notes=alone.notes,
        )

    for table in ("visit", "visit_history", "log", "log_head"):
        ours, theirs = [
            await office.house.owner.fetchrow(f"SELECT * FROM {table} WHERE practice_id = $1", office.practice_id)
            for office in (demo_office, berlin_office)
        ]
        assert ours is not None, table
        assert theirs is not None, table
        assert {name: value for name, value in ours.items() if name not in OWN} == {
            name: value for name, value in theirs.items() if name not in OWN
        }
    events = [(await office.log())[0]["data"] for office in (demo_office, berlin_office)]
    assert [sorted(map(str, eval(data))) for data in events] == [["PatientID", "ProviderID", "VisitID"]] * 2  # noqa: S307


async def test_who_finds_the_room_taken_gets_the_next_that_is_free(
    demo_office: Office, straight_database: Database
) -> None:
    desk = Bookings(straight_database)

    first, second = await asyncio.gather(
        desk.book(booking(demo_office, 9)), desk.book(booking(demo_office, 9, provider_id=2))
    )
    await demo_office.house.owner.execute(
        "INSERT INTO provider (practice_id, provider_id, name) VALUES ($1, 3, 'Third')", demo_office.practice_id
    )
    with pytest.raises(RoomTaken):
        await desk.book(booking(demo_office, 9, provider_id=3))
    roomless = await desk.book(booking(demo_office, 11, rooms=None))

    assert (first[1], second[1], roomless[1]) == (101, 102, None)
    assert await visits_of(demo_office) == [first, second, roomless]


async def test_what_cannot_be_booked_leaves_nothing_and_harms_no_other(
    demo_office: Office, berlin_office: Office, straight_database: Database, statements: list[list[int]]
) -> None:
    desk = Bookings(straight_database)

    outcomes = await asyncio.gather(
        desk.book(booking(demo_office, 9)),
        desk.book(booking(demo_office, 9)),
        desk.book(booking(demo_office, 10, patient_id=77)),
        desk.book(booking(berlin_office, 9)),
        desk.book(booking(demo_office, 11)),
        return_exceptions=True,
    )

    assert len(statements) == 1
    assert [type(one) for one in outcomes] == [tuple, ProviderTaken, UnknownPatient, tuple, tuple]
    assert await visits_of(demo_office) == [outcomes[0], outcomes[4]]
    assert [row["log_id"] for row in await demo_office.log()] == [1, 2]
    assert len(await ledger_of(demo_office.house.owner, demo_office)) == 2


async def test_a_practice_at_work_holds_up_its_own_bookings_alone(
    demo_office: Office, berlin_office: Office, straight_database: Database, statements: list[list[int]]
) -> None:
    desk = Bookings(straight_database)
    transaction = await at_work(demo_office)
    waiting = asyncio.create_task(desk.book(booking(demo_office, 9)))
    others = asyncio.gather(desk.book(booking(berlin_office, 9)), desk.book(booking(berlin_office, 10)))

    async with asyncio.timeout(5):
        await others
    assert not waiting.done()
    await transaction.rollback()
    await waiting

    assert len(await visits_of(demo_office)) == 1
    assert sorted(map(len, statements)) == [1, 3]


async def test_those_who_come_while_a_statement_is_under_way_share_the_next(
    demo_office: Office, straight_database: Database, statements: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "PATIENCE_SECONDS", 60)
    desk = Bookings(straight_database)
    first = asyncio.create_task(desk.book(booking(demo_office, 9)))
    while not statements:  # noqa: ASYNC110 -- one or two iterations of the event loop
        await asyncio.sleep(0)
    await asyncio.gather(first, *(desk.book(booking(demo_office, hour)) for hour in (10, 11, 12)))

    assert list(map(len, statements)) == [1, 3]


async def test_the_wall_holds_each_to_its_practice(
    demo_office: Office, berlin_office: Office, straight_database: Database
) -> None:
    """Control: a provider of the other practice does not exist in this one."""
    await demo_office.house.owner.execute(
        "INSERT INTO provider (practice_id, provider_id, name) VALUES ($1, 9, 'Theirs')", berlin_office.practice_id
    )
    desk = Bookings(straight_database)

    ours, theirs = await asyncio.gather(
        desk.book(booking(demo_office, 9, provider_id=9)),
        desk.book(booking(berlin_office, 9, provider_id=9)),
        return_exceptions=True,
    )

    assert isinstance(ours, Exception)
    assert isinstance(theirs, tuple)
    assert await visits_of(demo_office) == []


async def test_a_row_that_cannot_be_put_on_record_is_not_booked(
    demo_office: Office, straight_database: Database, owner: asyncpg.Connection
) -> None:
    wanted = booking(demo_office, 9)
    unheard_of = Disclosure(demo_office.practice_id, 7, 8, "POST", "two\nlines", "request", [demo_office.ada])

    with pytest.raises((OfficeProError, KeyError)):
        await Bookings(straight_database).book(
            Booking(**{name: getattr(wanted, name) for name in wanted.__struct_fields__} | {"disclosure": unheard_of})
        )

    assert await visits_of(demo_office) == []
    assert await demo_office.log() == []


async def test_who_loses_the_database_meanwhile_is_told_that_nobody_knows(
    demo_office: Office, straight_database: Database
) -> None:
    desk, owner = Bookings(straight_database), demo_office.house.owner
    transaction = await at_work(demo_office)
    waiting = asyncio.create_task(desk.book(booking(demo_office, 9)))
    async with asyncio.timeout(5):
        while not await owner.fetchval(
            """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%book_disclosed_visits(%'
            """
        ):
            await asyncio.sleep(0.01)
            await owner.execute("SELECT pg_stat_clear_snapshot()")

    with pytest.raises(OutcomeUnknown):
        await waiting
    await transaction.rollback()
    assert await visits_of(demo_office) == []
    assert [await desk.book(booking(demo_office, 9))] == await visits_of(demo_office)
