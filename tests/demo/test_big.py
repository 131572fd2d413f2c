from collections.abc import Callable

import pytest

from officepro.access.queries import credentials
from officepro.access.scopes import EVERY_SCOPE
from officepro.demo import big
from officepro.demo.big import Made, NobodyToVisit, NotBigData, Wanted, grow
from officepro.foundation.secrets import key_id_of
from officepro.practices.queries import NewPractice, establish
from officepro.prospects.tokens import tokens_of
from tests.demo.conftest import NOW, Fresh

THREE = Wanted(practices=3, patients=301, visits=1000)


def _unnoted(what: str, rows: int) -> None:
    assert what in ("practices", "patients", "visits")
    assert rows > 0


async def _grow(fresh: Fresh, wanted: Wanted, noted: Callable[[str, int], None] = _unnoted) -> Made:
    return await grow(fresh.database, wanted, NOW, noted)


async def _per_practice(fresh: Fresh, table: str) -> list[int]:
    rows = await fresh.owner.fetch(
        f"""
        SELECT (SELECT count(*) FROM {table} WHERE {table}.practice_id = practice.practice_id) AS rows
        FROM practice ORDER BY practicepass
        """
    )
    return [row["rows"] for row in rows]


async def _assert_no_overlap(fresh: Fresh) -> None:
    """Past visits too, which the exclusion constraints leave alone."""
    overlaps = await fresh.owner.fetchval(
        """
        SELECT count(*) FROM visit one JOIN visit other USING (practice_id)
        WHERE one.visit_id < other.visit_id AND one.starts_at < other.ends_at AND other.starts_at < one.ends_at
          AND (one.provider_id = other.provider_id OR one.room_id = other.room_id)
        """
    )
    assert overlaps == 0


async def test_rows_are_spread_over_the_practices(fresh: Fresh) -> None:
    made = await _grow(fresh, THREE)
    assert (made.practices, made.patients, made.visits) == (3, 301, 1000)
    assert await _per_practice(fresh, "patient") == [101, 100, 100]
    assert await _per_practice(fresh, "visit") == [334, 333, 333]
    assert await _per_practice(fresh, "provider") == [6, 6, 6]
    assert await _per_practice(fresh, "log_head") == [1, 1, 1]
    assert await _per_practice(fresh, "practice_setup") == [1, 1, 1]
    await _assert_no_overlap(fresh)


async def test_visits_lie_in_opening_hours_and_leave_gaps(fresh: Fresh) -> None:
    await _grow(fresh, THREE)
    rows = await fresh.owner.fetch(
        """
        SELECT count(*) AS visits, max(extract(isodow FROM starts_at AT TIME ZONE time_zone)) AS weekday,
               min((starts_at AT TIME ZONE time_zone)::time)::text AS first,
               max((ends_at AT TIME ZONE time_zone)::time)::text AS last
        FROM visit JOIN practice USING (practice_id)
        GROUP BY practice_id, provider_id, (starts_at AT TIME ZONE time_zone)::date
        """
    )
    assert max(row["visits"] for row in rows) == 11
    assert max(row["weekday"] for row in rows) == 5
    assert min(row["first"] for row in rows) == "09:00:00"
    assert max(row["last"] for row in rows) == "17:00:00"


async def test_everybody_is_found_by_what_a_search_makes_of_them(fresh: Fresh) -> None:
    await _grow(fresh, THREE)
    rows = await fresh.owner.fetch(
        """
        SELECT first_name, last_name, email, phone,
               ARRAY(SELECT token FROM patient_token t WHERE t.practice_id = p.practice_id
                     AND t.patient_id = p.patient_id) AS tokens FROM patient p
        """
    )
    assert len({(row["first_name"], row["last_name"]) for row in rows}) > 250
    for row in rows:
        assert sorted(row["tokens"]) == tokens_of([row["first_name"], row["last_name"]], row["email"], [row["phone"]])


async def test_the_same_again_adds_nothing_and_more_adds_what_is_missing(fresh: Fresh) -> None:
    await _grow(fresh, THREE)
    again = await _grow(fresh, THREE)
    assert (again.patients, again.visits, again.patients_per_second) == (0, 0, None)
    more = await _grow(fresh, Wanted(practices=4, patients=800, visits=2000))
    assert (more.patients, more.visits) == (800 - 301, 2000 - 1000)
    assert await _per_practice(fresh, "patient") == [200, 200, 200, 200]
    assert await _per_practice(fresh, "visit") == [500, 500, 500, 500]
    await _assert_no_overlap(fresh)


async def test_an_interrupted_run_is_continued(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big, "BATCH", 40)
    left = iter(range(6))

    def interrupt(what: str, rows: int) -> None:
        if what == "visits" and next(left, None) is None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await _grow(fresh, THREE, interrupt)
    there = sum(await _per_practice(fresh, "visit"))
    assert 240 <= there < 1000
    assert (await _grow(fresh, THREE)).visits == 1000 - there
    assert await _per_practice(fresh, "visit") == [334, 333, 333]
    await _assert_no_overlap(fresh)


async def test_one_practice_can_have_everything(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big, "WORKDAYS", 10)
    await _grow(fresh, Wanted(practices=2, patients=300, visits=2000, in_one_practice=True))
    assert await _per_practice(fresh, "patient") == [300, 0]
    assert await _per_practice(fresh, "visit") == [2000, 0]
    assert await _per_practice(fresh, "provider") == [19, 6]
    await _assert_no_overlap(fresh)


async def test_the_newest_key_opens_every_practice(fresh: Fresh) -> None:
    first, second = [await _grow(fresh, Wanted(practices=2, patients=0, visits=0)) for _ in range(2)]
    for made, is_usable in ((first, False), (second, True)):
        key_id = key_id_of(made.api_key)
        assert key_id is not None
        async with fresh.database.system() as db:
            [found] = await credentials(db, [(key_id, "Demo0002")])
        assert found.state is not None
        assert (found.state.usable, found.state.practice_id, found.state.scopes) == (is_usable, None, EVERY_SCOPE)


async def test_a_practice_that_is_not_big_data_is_left_alone(fresh: Fresh) -> None:
    async with fresh.database.system_transaction() as db:
        await establish(db, NewPractice(practicepass="Demo0002", name="Dr. Demo", time_zone="UTC"))
    with pytest.raises(NotBigData, match="Demo0002"):
        await _grow(fresh, THREE)
    assert await _per_practice(fresh, "provider") == [0]


async def test_visits_need_people(fresh: Fresh) -> None:
    with pytest.raises(NobodyToVisit):
        await _grow(fresh, Wanted(practices=3, patients=2, visits=3))
    assert await _per_practice(fresh, "provider") == []
