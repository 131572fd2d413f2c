"""The set-up of a practice as one value, and what a worker remembers of it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from officepro.foundation.database import Database
from officepro.practices import setup
from officepro.practices.queries import UnknownPractice, move_version
from officepro.practices.setup import Setup, Setups
from tests.world import Office


async def loaded(database: Database, office: Office) -> Setup:
    async with database.practice(office.practice_id) as db:
        return await setup.load(db, office.practice_id)


async def test_one_statement_brings_all_of_it(demo_office: Office, database: Database) -> None:
    found = await loaded(database, demo_office)

    assert (found.practice_id, found.version, found.zone, found.slot_minutes) == (
        demo_office.practice_id,
        1,
        "America/New_York",
        15,
    )
    assert list(found.providers) == [1, 2]
    jane = found.providers[1]
    assert (jane.name, jane.title, jane.specialty, jane.active) == ("Jane Smith", "PA-C", "Aesthetics", True)
    assert jane.weekly == tuple((weekday, 540, 1020, None, None) for weekday in range(5))
    assert (jane.extra, jane.time_off) == ((), ())
    assert {room.room_id: room.name for room in found.rooms.values()} == {101: "Room 1", 102: "Room 2"}
    consult = found.visit_types["Consult"]
    assert (consult.provider_ids, consult.room_ids) == ((1, 2), (101, 102))
    assert (consult.minimum_notice_minutes, consult.booking_horizon_days) == (0, None)


async def test_hours_days_and_time_off_come_as_the_engine_wants_them(demo_office: Office, database: Database) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    today, starts, ends = now.date(), now + timedelta(days=1), now + timedelta(days=2)
    owner, practice = demo_office.house.owner, demo_office.practice_id
    await owner.execute(
        """INSERT INTO working_hours (practice_id, provider_id, weekday, starts_minute, ends_minute, valid_from,
           valid_until) VALUES ($1, 2, 6, 1320, 1560, '2026-01-01', '2026-12-31')""",
        practice,
    )
    await owner.execute(
        """INSERT INTO extra_opening (practice_id, provider_id, day, starts_minute, ends_minute)
           VALUES ($1, 2, $2, 600, 720), ($1, 2, $3, 600, 720)""",
        practice,
        today,
        today - timedelta(days=setup.PAST_DAYS + 3),
    )
    await owner.execute(
        "INSERT INTO time_off (practice_id, provider_id, starts_at, ends_at) VALUES ($1, 2, $2, $3), ($1, 2, $4, $5)",
        practice,
        starts,
        ends,
        starts - timedelta(days=setup.PAST_DAYS + 5),
        ends - timedelta(days=setup.PAST_DAYS + 5),
    )

    john = (await loaded(database, demo_office)).providers[2]

    assert john.weekly[-1] == (6, 1320, 1560, date(2026, 1, 1), date(2026, 12, 31))
    assert john.extra == ((today, 600, 720),)
    assert john.time_off == ((int(starts.timestamp()), int(ends.timestamp())),)


async def test_a_visit_type_without_notice_and_horizon_has_the_practices(
    demo_office: Office, database: Database
) -> None:
    owner, practice = demo_office.house.owner, demo_office.practice_id
    await owner.execute(
        "UPDATE practice SET minimum_notice_minutes = 60, booking_horizon_days = 90 WHERE practice_id = $1", practice
    )
    await owner.execute(
        """UPDATE visit_type SET minimum_notice_minutes = 5, booking_horizon_days = 7
           WHERE practice_id = $1 AND visit_type = 'FOLLOWUP'""",
        practice,
    )

    found = (await loaded(database, demo_office)).visit_types

    assert [(one.minimum_notice_minutes, one.booking_horizon_days) for one in found.values()] == [(60, 90), (5, 7)]


async def test_nothing_of_another_practice_is_in_it(
    demo_office: Office, berlin_office: Office, database: Database
) -> None:
    async with database.practice(demo_office.practice_id) as db:
        with pytest.raises(UnknownPractice):
            await setup.load(db, berlin_office.practice_id)


async def test_the_cache_keeps_the_newest_version_and_forgets_whom_nobody_asked_for(
    demo_office: Office, berlin_office: Office, database: Database
) -> None:
    demo, berlin = await loaded(database, demo_office), await loaded(database, berlin_office)
    async with database.practice_transaction(demo_office.practice_id) as db:
        await move_version(db, demo_office.practice_id)
    newer = await loaded(database, demo_office)
    setups = Setups(capacity=1)

    setups.remember(newer)
    setups.remember(demo)
    assert newer.version == demo.version + 1
    assert setups.known(demo.practice_id) is newer

    setups.remember(berlin)
    assert setups.known(demo.practice_id) is None
    assert setups.known(berlin.practice_id) is berlin
