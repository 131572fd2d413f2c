"""Response cache: a cached response is returned only while it is valid."""

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from officepro.foundation import clock
from officepro.foundation.database import Database, Row
from officepro.foundation.embedded import EmbeddedServer
from officepro.foundation.wire import LocalDate, LocalTime
from officepro.scheduling import queries
from officepro.scheduling.questions import Asked, Question, Together
from officepro.scheduling.remembered import BESIDE_BYTES, Known, Remembered
from officepro.settings import Settings
from tests.scheduling.test_book import book, consult
from tests.scheduling.test_slots import data_of, next_monday
from tests.world import Office

HALF_PAST_TEN = "10:30:00"


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One item per query that read the visits."""
    read: list[int] = []
    really = queries.busy

    async def noted(*arguments: Any) -> Any:
        read.append(1)
        return await really(*arguments)

    monkeypatch.setattr(queries, "busy", noted)
    return read


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """A clock that the test sets."""
    began = clock.now().replace(second=10, microsecond=5)
    at = [began]
    monkeypatch.setattr(clock, "now", lambda: at[0])

    def on(time: timedelta) -> None:
        at[0] += time

    return on


async def slots(office: Office, **asked: Any) -> list[str]:
    """Return the slots of one provider's day; revalidated by rows."""
    params = {"date": next_monday(), "duration": 30, **asked}
    answer = await office.partner.get("/availability/providers/2/slots", params=params)
    found: list[str] = data_of(answer)["Slots"]
    return found


async def slots_again(office: Office) -> list[str]:
    """Return the same, revalidated by the practice's version first and then by rows."""
    found = await slots(office)
    assert await slots(office) == found
    return found


async def openings(office: Office, provider_id: str = "") -> list[str]:
    """Return the slots of three weeks, of all or some providers; revalidated by the practice's version."""
    monday = date.fromisoformat(next_monday())
    params: dict[str, Any] = {
        "visitType": "Consult",
        "startDate": monday.isoformat(),
        "endDate": (monday + timedelta(days=20)).isoformat(),
        "duration": 30,
        **({"providerId": provider_id} if provider_id else {}),
    }
    found = data_of(await office.partner.get("/availability/slots", params=params))["Slots"]
    return [one["Time"] for one in found if one["ProviderID"] == 2 and one["Date"] == monday.isoformat()]


async def openings_of_one(office: Office) -> list[str]:
    return await openings(office, "2")


EACH_WAY = pytest.mark.parametrize("asked", [slots, slots_again, openings, openings_of_one])
Asking = Callable[[Office], Awaitable[list[str]]]


async def test_the_same_question_about_today_is_computed_once_a_minute(
    demo_office: Office, computed: list[int], still: Callable[[timedelta], None]
) -> None:
    today = clock.now().astimezone(ZoneInfo(demo_office.time_zone)).date().isoformat()
    first = await slots(demo_office, date=today)

    assert await slots(demo_office, date=today) == first
    assert len(computed) == 1
    await slots(demo_office, date=today, duration=45)
    assert len(computed) == 2
    still(timedelta(seconds=40))
    await slots(demo_office, date=today)
    assert len(computed) == 2
    still(timedelta(seconds=20))
    await slots(demo_office, date=today)
    assert len(computed) == 3


@pytest.mark.parametrize(("notice", "horizon"), [(0, None), (90, None), (0, 2), (2000, 3)])
async def test_about_a_day_to_come_it_is_computed_again_when_the_time_makes_a_difference(
    demo_office: Office,
    computed: list[int],
    still: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
    notice: int,
    horizon: int | None,
) -> None:
    """Compare with an uncached result at times around every possible change: the notice for the first minute, the
    day's midnight, morning and end, and the midnights at which the booking horizon advances."""
    await demo_office.house.owner.execute(
        "UPDATE practice SET minimum_notice_minutes = $2, booking_horizon_days = $3 WHERE practice_id = $1",
        demo_office.practice_id,
        notice,
        horizon,
    )
    midnight = datetime.fromisoformat(next_monday()).replace(tzinfo=ZoneInfo(demo_office.time_zone))
    began = clock.now()
    hours = [-notice / 60, 0, 9 - notice / 60, 9, 17, 24, *range(-96, 0, 24)]
    around = [timedelta(hours=hour, minutes=minute) for hour in hours for minute in (-61, -1, 0, 1, 2)]
    moments = sorted(midnight + time for time in around)

    async def found() -> list[list[str]]:
        answers = []
        for moment in moments:
            still(moment - clock.now())
            answers.append(await slots(demo_office))
        still(began - clock.now())
        return answers

    with monkeypatch.context() as without:
        without.setattr(Remembered, "_remember", lambda *_: None)
        anew = await found()
    assert len(computed) == len(moments)
    assert len({tuple(answer) for answer in anew}) > 2
    assert await found() == anew
    assert len(computed) < 2 * len(moments)


async def by_booking(office: Office) -> None:
    assert (await book(office, VisitTime=HALF_PAST_TEN)).status_code == 201


async def by_holding(office: Office) -> None:
    wanted = {key: value for key, value in consult(VisitTime=HALF_PAST_TEN).items() if key != "PatientID"}
    assert (await office.partner.post("/visits/hold", json=wanted)).status_code == 201


BY_HAND = """
    INSERT INTO visit (practice_id, patient_id, provider_id, needs_room, visit_type, status, starts_at, ends_at,
                       provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
    SELECT $1, 1001, 2, false, 'Consult', 'booked', at, ends, at, ends, at, ends
    FROM (SELECT ($2::text)::timestamp AT TIME ZONE $3 AS at) AS start,
         LATERAL (SELECT at + interval '30 minutes' AS ends) AS stop
"""


async def by_hand(office: Office) -> None:
    """Write as an EMR does, without this service's SQL."""
    await office.house.owner.execute(BY_HAND, office.practice_id, f"{next_monday()} 10:30", office.time_zone)


@EACH_WAY
@pytest.mark.parametrize("taken", [by_booking, by_holding, by_hand])
async def test_a_time_that_is_taken_is_told_no_more_and_one_that_is_freed_is_told_at_once(
    demo_office: Office, still: Callable[[timedelta], None], taken: Callable[[Office], Awaitable[None]], asked: Asking
) -> None:
    assert HALF_PAST_TEN in await asked(demo_office)

    await taken(demo_office)
    assert HALF_PAST_TEN not in await asked(demo_office)

    await demo_office.house.owner.execute(
        "UPDATE visit SET status = 'cancelled', held_until = NULL WHERE practice_id = $1", demo_office.practice_id
    )
    assert HALF_PAST_TEN in await asked(demo_office)

    await taken(demo_office)
    assert HALF_PAST_TEN not in await asked(demo_office)
    await demo_office.house.owner.execute("DELETE FROM visit_history WHERE practice_id = $1", demo_office.practice_id)
    await demo_office.house.owner.execute("DELETE FROM visit WHERE practice_id = $1", demo_office.practice_id)
    assert HALF_PAST_TEN in await asked(demo_office)


@EACH_WAY
async def test_a_visit_moved_by_hand_frees_its_old_time_and_takes_its_new_one(
    demo_office: Office, still: Callable[[timedelta], None], asked: Asking
) -> None:
    await by_hand(demo_office)
    before = await asked(demo_office)
    await demo_office.house.owner.execute(
        """
        UPDATE visit SET (starts_at, ends_at, provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at)
            = ROW (starts_at + later, ends_at + later, provider_starts_at + later, provider_ends_at + later,
                   busy_starts_at + later, busy_ends_at + later)
        FROM (SELECT interval '1 hour' AS later) AS how WHERE practice_id = $1
        """,
        demo_office.practice_id,
    )

    after = await asked(demo_office)
    assert HALF_PAST_TEN in after
    assert "11:30:00" in before
    assert "11:30:00" not in after


async def test_rows_that_others_take_the_place_of_are_told_from_them_though_their_writers_numbers_add_up_to_the_same(
    demo_office: Office, server: EmbeddedServer, database_name: str, still: Callable[[timedelta], None]
) -> None:
    """Four transactions begin one after the other; the middle two commit first, the outer two much later."""
    async with AsyncExitStack() as stack:

        async def four_writers() -> tuple[list[asyncpg.Connection], list[int]]:
            """Four open transactions with their IDs, in the order in which they began."""
            writers = [await asyncpg.connect(server.url(database_name)) for _ in range(4)]
            for writer in writers:
                stack.push_async_callback(writer.close)
                await writer.execute("BEGIN")
            return writers, [int(await writer.fetchval("SELECT pg_current_xact_id()::text")) for writer in writers]

        writers, numbers = await four_writers()
        for _ in range(20):  # until no other transaction takes an ID in between
            if numbers[0] + numbers[3] == numbers[1] + numbers[2]:
                break
            writers, numbers = await four_writers()
        first, second, third, fourth = writers
        for writer, at in ((second, "10:00"), (third, "11:00")):
            await writer.execute(BY_HAND, demo_office.practice_id, f"{next_monday()} {at}", demo_office.time_zone)
            await writer.execute("COMMIT")
        before = await slots(demo_office)
        await demo_office.house.owner.execute("DELETE FROM visit WHERE practice_id = $1", demo_office.practice_id)
        for writer, at in ((first, "14:00"), (fourth, "15:00")):
            await writer.execute(BY_HAND, demo_office.practice_id, f"{next_monday()} {at}", demo_office.time_zone)
            await writer.execute("COMMIT")
        after = await slots(demo_office)

    assert numbers[0] + numbers[3] == numbers[1] + numbers[2]
    assert {"14:00:00", "15:00:00"} <= set(before)
    assert not {"14:00:00", "15:00:00"} & set(after)
    assert {"10:00:00", "11:00:00"} <= set(after)


@EACH_WAY
async def test_a_hold_that_ends_by_itself_is_noticed(
    demo_office: Office, still: Callable[[timedelta], None], asked: Asking
) -> None:
    await by_holding(demo_office)
    assert HALF_PAST_TEN not in await asked(demo_office)

    await demo_office.house.owner.execute(
        "UPDATE visit SET held_until = statement_timestamp() + interval '1 s' WHERE practice_id = $1",
        demo_office.practice_id,
    )
    assert HALF_PAST_TEN not in await asked(demo_office)
    await asyncio.sleep(1.1)  # nothing is written: only time passes
    assert HALF_PAST_TEN in await asked(demo_office)


@pytest.mark.parametrize("asked", [openings, openings_of_one])
async def test_a_month_is_computed_anew_only_when_something_has_changed(
    demo_office: Office, computed: list[int], still: Callable[[timedelta], None], asked: Asking
) -> None:
    first = await asked(demo_office)
    assert await asked(demo_office) == first
    assert len(computed) == 1

    await demo_office.house.owner.execute("UPDATE visit SET complaint = 'x' WHERE practice_id = 0")  # no rows
    assert await asked(demo_office) == first
    assert len(computed) == 1

    await by_hand(demo_office)
    assert await asked(demo_office) != first
    assert len(computed) == 2


async def traces(office: Office) -> list[int]:
    rows = await office.house.owner.fetch(
        "SELECT transaction_id::text::bigint AS trace FROM visit_written_elsewhere WHERE practice_id = $1",
        office.practice_id,
    )
    return [row["trace"] for row in rows]


async def test_rows_are_read_only_where_something_has_changed_in_the_practice(
    demo_office: Office, computed: list[int], still: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[queries.Seen | None] = []
    really = queries.glance

    async def noted(*arguments: Any) -> queries.Glance:
        found = await really(*arguments)
        seen.append(found.seen)
        return found

    monkeypatch.setattr(queries, "glance", noted)
    await by_hand(demo_office)
    for _ in range(4):
        await slots(demo_office)
    assert [one and one.number for one in seen] == [1, None, None]

    await demo_office.partner.post("/prospects", json={"FirstName": "Grace", "LastName": "Hopper"})
    await slots(demo_office)  # of another provider: the rows are the same, and the response stays valid
    await slots(demo_office)
    assert [one and one.number for one in seen[3:]] == [1, None]
    assert len(computed) == 1


@pytest.mark.parametrize("rooms", [[], [101]])
async def test_nothing_but_the_practice_is_asked_about_where_nothing_has_changed(
    demo_office: Office, straight_database: Database, rooms: list[int]
) -> None:
    asked: list[Question] = []

    class Noted(Together):
        async def ask(self, one: Asked) -> Row:
            asked.append(one.question)
            return await super().ask(one)

    visits, monday = Noted(straight_database), datetime.fromisoformat(f"{next_monday()}T00:00+00:00")
    look = queries.Look([2], rooms, monday, monday + timedelta(days=1))
    of_rows = queries._SEEN_PROVIDER_AND_ROOMS if rooms else queries._SEEN_PROVIDER
    first = await queries.glance(visits, demo_office.practice_id, look)
    again = await queries.glance(visits, demo_office.practice_id, look, first.changes)
    assert (again.changes, again.seen, asked) == (first.changes, None, [of_rows, queries._CHANGED])

    await by_hand(demo_office)
    then = await queries.glance(visits, demo_office.practice_id, look, first.changes)
    assert then.changes != first.changes
    assert then.seen is not None
    assert (then.seen.number, asked[2:]) == (1, [queries._CHANGED, of_rows])


async def test_whoever_knows_that_something_has_changed_does_not_ask_whether_it_has(
    demo_office: Office, still: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    since: list[queries.Seen | None] = []
    really = queries.glance

    async def noted(visits: Any, practice_id: int, look: Any, changes: queries.Seen | None) -> queries.Glance:
        since.append(changes)
        return await really(visits, practice_id, look, changes)

    monkeypatch.setattr(queries, "glance", noted)
    for _ in range(3):
        await slots(demo_office)
        await slots(demo_office, duration=60)
    assert [one is None for one in since] == [True, True, False, False]  # first without a version, then with one

    await by_hand(demo_office)
    taken = (await slots(demo_office), await slots(demo_office, duration=60))
    assert [one is None for one in since[4:]] == [False, True]  # only the first has to find the change
    assert taken == (await slots(demo_office), await slots(demo_office, duration=60))
    assert HALF_PAST_TEN not in taken[0]


async def test_others_leave_a_trace_and_take_away_those_they_find_without_waiting_for_one_another(
    demo_office: Office, berlin_office: Office, server: EmbeddedServer, database_name: str
) -> None:
    assert (await book(demo_office, VisitTime="09:00:00")).status_code == 201
    assert await traces(demo_office) == []
    await by_hand(demo_office)
    (earlier,) = await traces(demo_office)

    one, other = [await asyncpg.connect(server.url(database_name)) for _ in range(2)]
    for writer, at in ((one, "14:00"), (other, "15:00")):
        await writer.execute("BEGIN")
        await writer.execute("SET LOCAL lock_timeout = '2s'")
        await writer.execute(BY_HAND, demo_office.practice_id, f"{next_monday()} {at}", demo_office.time_zone)
    assert await traces(demo_office) == [earlier]
    for writer in (other, one):
        await writer.execute("COMMIT")
        await writer.close()
    both = await traces(demo_office)
    assert len(both) == 2
    assert earlier not in both

    await demo_office.house.owner.execute(
        "UPDATE visit SET complaint = 'x' WHERE practice_id = $1", demo_office.practice_id
    )
    (newest,) = await traces(demo_office)
    assert newest > max(both)
    assert await traces(berlin_office) == []


async def test_whoever_empties_the_table_leaves_a_trace_everywhere(demo_office: Office, berlin_office: Office) -> None:
    await demo_office.house.owner.execute("TRUNCATE visit CASCADE")

    assert len(await traces(demo_office)) == len(await traces(berlin_office)) == 1


async def test_what_the_practice_changes_in_its_set_up_is_told_at_once(
    demo_office: Office, still: Callable[[timedelta], None]
) -> None:
    assert await slots(demo_office)

    await demo_office.house.owner.execute(
        """
        WITH gone AS (DELETE FROM working_hours WHERE practice_id = $1)
        UPDATE practice_setup SET version = version + 1 WHERE practice_id = $1
        """,
        demo_office.practice_id,
    )
    assert await slots(demo_office) == []


async def test_one_practice_is_never_told_what_another_was(demo_office: Office, berlin_office: Office) -> None:
    for _ in range(2):
        ours = data_of(
            await demo_office.partner.get(
                "/availability/providers/2/slots", params={"date": next_monday(), "duration": 30}
            )
        )
        theirs = data_of(
            await berlin_office.partner.get(
                "/availability/providers/2/slots", params={"date": next_monday(), "duration": 30}
            )
        )
        assert (ours["TimeZone"], theirs["TimeZone"]) == ("America/New_York", "Europe/Berlin")


async def test_a_statement_that_binds_itself_sees_its_own_practice_whatever_the_connection_served_before(
    demo_office: Office, berlin_office: Office, straight: Settings
) -> None:
    await by_hand(demo_office)
    monday = datetime.fromisoformat(f"{next_monday()}T00:00Z")
    look = queries.Look([2], [], monday, monday + timedelta(days=2))
    database = await Database.connect(straight.database_url, pool_size=1)
    async with database.practice(berlin_office.practice_id):
        pass
    ours = await queries.glance(Together(database), demo_office.practice_id, look)
    theirs = await queries.glance(Together(database), berlin_office.practice_id, look)
    async with database.unbound() as db:
        bound = await db.fetchval("SELECT current_setting('app.practice')")
    await database.close()

    assert ours.seen
    assert theirs.seen
    assert (ours.seen.number, theirs.seen.number) == (1, 0)
    assert None not in (ours.changes.version, theirs.changes.version)
    assert bound == str(berlin_office.practice_id)


FOREVER = 10**9  # minute_of_booking in the year 3871


def answers(number: int) -> Iterator[tuple[tuple[Any, ...], Known]]:
    """Cache small responses with different keys, as `check` does."""
    for one in range(number):
        now = clock.now()
        day, hour = LocalDate.fromisoformat("2026-03-09"), LocalTime.fromisoformat("10:30:00")
        seen, changes = (queries.Seen(10**9 + one, 10**12 + one, 10**15 + one) for _ in range(2))
        known = Known(10**8 + one, FOREVER, queries.Look([10**6 + one], [], now, now), seen, changes, bytes(201))
        yield (10**6 + one, "check", 10**6 + one, day, hour, 30, None), known


def test_what_is_remembered_takes_no_more_room_than_it_may() -> None:
    remembered = Remembered(capacity_bytes=10 * (BESIDE_BYTES + 201))
    questions = []
    for question, known in answers(100):
        questions.append(question)
        remembered._remember(question, known)

    assert list(remembered._known) == questions[90:]
    assert remembered._bytes == 10 * (BESIDE_BYTES + 201)


def test_the_room_of_small_answers_is_told_with_all_that_is_kept_beside_them() -> None:
    remembered = Remembered(capacity_bytes=4_000_000)
    tracemalloc.start()
    try:
        for question, known in answers(10_000):
            remembered._remember(question, known)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.5 < taken / remembered._bytes < 1.1


async def test_what_was_not_asked_for_the_longest_time_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async def as_it_was(*arguments: Any) -> queries.Glance:
        return queries.Glance(queries.Seen(1, 0, 0), None)

    monkeypatch.setattr(queries, "glance", as_it_was)
    remembered = Remembered(capacity_bytes=3 * (BESIDE_BYTES + 201))
    (*first_three, last) = answers(4)
    for question, known in first_three:
        known.minute = 0
        remembered._remember(question, known)

    unused: Any = None  # a valid cached response needs neither rows nor configuration
    practice_id, *asked = first_three[0][0]
    await remembered.answer(unused, unused, practice_id, unused, unused, *asked)
    remembered._remember(*last)

    assert list(remembered._known) == [first_three[2][0], first_three[0][0], last[0]]
