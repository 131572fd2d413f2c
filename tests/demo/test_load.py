from datetime import timedelta
from typing import Any

import pytest

from officepro.access.queries import KeyState, credentials
from officepro.access.scopes import EVERY_SCOPE
from officepro.demo import load as demo_load
from officepro.demo.load import demo_key, load
from officepro.foundation.paging import Page
from officepro.foundation.secrets import key_id_of
from officepro.practices.setup import load as load_setup
from officepro.prospects import queries as prospects
from officepro.prospects.tokens import searched, tokens_of
from tests.demo.conftest import NOW, Fresh

TABLES = (
    "practice", "practice_setup", "partner", "api_key", "log_head", "log", "provider", "working_hours", "extra_opening",
    "time_off", "room", "visit_type", "visit_type_provider", "visit_type_room", "tag", "patient", "patient_token",
    "patient_tag", "visit", "visit_history",
)  # fmt: skip
FOUND_BY = ("first_name", "mi", "last_name", "nick_name", "email", "phone", "cell_phone", "sms_phone")


async def _content(fresh: Fresh, *, but: str = "") -> dict[str, str]:
    """A fingerprint of each table; `but` is a column that may differ from one database to another."""
    return {
        table: await fresh.owner.fetchval(
            f"SELECT md5(coalesce(string_agg(line, chr(10) ORDER BY line), '')) "
            f"FROM (SELECT (to_jsonb(t) - $1::text)::text AS line FROM {table} t) AS lines",
            but,
        )
        for table in TABLES
    }


async def _count(fresh: Fresh, table: str) -> int:
    return int(await fresh.owner.fetchval(f"SELECT count(*) FROM {table}"))


async def _state(fresh: Fresh, key: str) -> KeyState:
    key_id = key_id_of(key)
    assert key_id is not None
    async with fresh.database.system() as db:
        [found] = await credentials(db, [(key_id, "DemoOffice")])
    assert found.state is not None
    return found.state


async def test_the_demo_office_is_furnished_as_the_seeds_tell(demo: Fresh) -> None:
    practice_id = await demo.practice_id("DemoOffice")
    async with demo.database.practice(practice_id) as db:
        setup = await load_setup(db, practice_id)
    assert (setup.zone, setup.slot_minutes, setup.active) == ("America/New_York", 15, True)
    assert list(setup.providers) == [1, 2, 3, 4, 5, 6]
    jane = setup.providers[1]
    assert (jane.name, jane.title, jane.specialty) == ("Jane Smith", "PA-C", "Aesthetics")
    assert list(setup.rooms) == [101, 102, 103, 104, 105, 106]
    consult = setup.visit_types["Consult"]
    assert (consult.active, consult.provider_ids, consult.room_ids) == (True, (1, 2), (101, 102))
    assert len(setup.visit_types) == 8
    assert "FOLLOWUP" in setup.visit_types
    assert [one.active for one in setup.visit_types.values()].count(False) == 1


async def test_three_hundred_people_and_tag_123(demo: Fresh) -> None:
    practice_id = await demo.practice_id("DemoOffice")
    row = await demo.owner.fetchrow(
        "SELECT min(patient_id), max(patient_id), count(*), sum(prospect) FROM patient WHERE practice_id = $1",
        practice_id,
    )
    assert tuple(row or ()) == (1001, 1300, 300, 100)
    worn = await demo.owner.fetchval("SELECT count(*) FROM patient_tag WHERE tag_id = 123")
    assert worn > 10


async def test_berlin_is_small_and_in_its_own_zone(demo: Fresh) -> None:
    practice_id = await demo.practice_id("BerlinOffice")
    async with demo.database.practice(practice_id) as db:
        setup = await load_setup(db, practice_id)
        people = await db.fetchval("SELECT count(*) FROM patient")
        visits = await db.fetchval("SELECT count(*) FROM visit")
    assert (setup.zone, len(setup.providers), len(setup.rooms), len(setup.visit_types)) == ("Europe/Berlin", 2, 2, 3)
    assert people == 40
    assert 200 < visits < 1000


async def test_the_demos_numbers_stay_below_those_to_come(demo: Fresh) -> None:
    row = await demo.owner.fetchrow("SELECT min(visit_id), max(visit_id), count(*) FROM visit WHERE practice_id = 1")
    assert row is not None
    assert row["min"] == 101
    assert row["max"] < 1_000_001
    assert 3500 < row["count"] < 6000


async def test_the_log_is_empty(demo: Fresh) -> None:
    assert await _count(demo, "log") == 0
    heads = await demo.owner.fetch("SELECT last FROM log_head")
    assert [head["last"] for head in heads] == [0, 0]


async def test_everybody_is_found_by_what_a_search_makes_of_them(demo: Fresh) -> None:
    rows = await demo.owner.fetch(
        """
        SELECT *, ARRAY(SELECT token FROM patient_token t WHERE (t.practice_id, t.patient_id) = (p.practice_id,
                        p.patient_id) ORDER BY token) AS tokens FROM patient p
        """
    )
    for row in rows:
        first, middle, last, nick, email, *phones = (row[name] for name in FOUND_BY)
        assert sorted(row["tokens"]) == tokens_of([first, middle, last, nick], email, phones)


@pytest.mark.parametrize("field", ["first_name", "last_name", "email", "cell_phone"])
async def test_a_search_finds_who_is_looked_for(demo: Fresh, field: str) -> None:
    practice_id = await demo.practice_id("DemoOffice")
    async with demo.database.practice(practice_id) as db:
        text = await db.fetchval(f"SELECT {field} FROM patient WHERE {field} IS NOT NULL ORDER BY patient_id LIMIT 1")
        wanted = prospects.Filter(beginnings=searched(text))
        found = await prospects.some(db, practice_id, wanted, Page(number=1, limit=100))
        rows = await db.fetch(f"SELECT {field} FROM patient WHERE patient_id = ANY ($1)", found.patient_ids)
    assert text in [row[field] for row in rows]


async def test_visits_have_a_history(demo: Fresh) -> None:
    steps = await demo.owner.fetch(
        """
        SELECT status, array_agg(to_status ORDER BY visit_history_id) AS steps, count(DISTINCT visit_id) AS visits
        FROM visit JOIN visit_history USING (practice_id, visit_id) GROUP BY practice_id, visit_id, status
        """
    )
    assert {(row["status"], tuple(row["steps"])) for row in steps} == {
        ("booked", ("booked",)),
        ("completed", ("booked", "completed")),
        ("noshow", ("booked", "noshow")),
        ("cancelled", ("booked", "cancelled")),
    }


async def test_the_demo_key_does_everything_in_the_demo_office_alone(fresh: Fresh) -> None:
    loaded = await load(fresh.database, NOW)
    state = await _state(fresh, loaded.api_key)
    assert state.usable
    assert state.scopes == EVERY_SCOPE
    assert state.practice_id == await fresh.practice_id("DemoOffice")


async def test_a_second_partner_may_do_little_and_has_a_revoked_key(demo: Fresh) -> None:
    rows = await demo.owner.fetch(
        """
        SELECT cardinality(scopes) AS scopes, revoked_at IS NOT NULL AS is_revoked FROM api_key
        JOIN partner USING (partner_id) WHERE company = 'Harbor Call Center' ORDER BY api_key_id
        """
    )
    assert [tuple(row) for row in rows] == [(2, False), (2, True)]


async def test_a_second_start_changes_nothing(fresh: Fresh) -> None:
    first = await load(fresh.database, NOW)
    assert first.made == ["DemoOffice", "BerlinOffice"]
    before = await _content(fresh)
    second = await load(fresh.database, NOW + timedelta(days=3), first.api_key)
    assert second.made == []
    assert second.api_key == first.api_key
    assert await _content(fresh) == before


async def test_a_lost_demo_key_is_replaced_and_revoked(fresh: Fresh) -> None:
    lost = (await load(fresh.database, NOW)).api_key
    new = await demo_key(fresh.database, NOW)
    assert (await _state(fresh, new)).usable
    assert not (await _state(fresh, lost)).usable
    newest = (await load(fresh.database, NOW, lost)).api_key  # what was kept is of no use any more
    assert (await _state(fresh, newest)).usable
    assert not (await _state(fresh, new)).usable


async def test_the_same_day_makes_the_same_demo(demo: Fresh, fresh: Fresh) -> None:
    await load(fresh.database, NOW)
    for each in (demo, fresh):  # practices, partners and keys bear the moment at which they came about
        for table in ("practice", "partner", "api_key"):
            await each.owner.execute(f"UPDATE {table} SET created_at = $1", NOW)
        await each.owner.execute("UPDATE practice SET updated_at = $1", NOW + timedelta(seconds=1))
        await each.owner.execute("UPDATE partner SET updated_at = $1", NOW)
        await each.owner.execute("UPDATE api_key SET revoked_at = $1 WHERE revoked_at IS NOT NULL", NOW)
    assert await _content(demo, but="secret_sha256") == await _content(fresh, but="secret_sha256")


async def test_what_was_interrupted_is_made_whole(demo: Fresh, fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(demo_load, "make_visits", fail)
        with pytest.raises(ZeroDivisionError):
            await load(fresh.database, NOW)
    assert await _count(fresh, "patient") == 0
    assert not await fresh.owner.fetchval("SELECT active FROM practice")

    with monkeypatch.context() as patched:
        patched.setattr(demo_load, "change", fail)  # all is there, but it was not opened
        with pytest.raises(ZeroDivisionError):
            await load(fresh.database, NOW)
    assert await _count(fresh, "visit") > 1000
    assert await _count(fresh, "partner") == 1  # who keeps the demo's products; its keys come last

    assert (await load(fresh.database, NOW)).made == ["DemoOffice", "BerlinOffice"]
    for table in ("patient", "visit", "patient_token", "partner", "api_key", "visit_history"):
        assert await _count(fresh, table) == await _count(demo, table)


async def test_a_demo_that_an_admin_closed_stays_closed(fresh: Fresh) -> None:
    await load(fresh.database, NOW)
    await fresh.owner.execute("UPDATE practice SET active = false, updated_at = now() + interval '1 second'")
    assert (await load(fresh.database, NOW)).made == []
    assert not await fresh.owner.fetchval("SELECT bool_or(active) FROM practice")
