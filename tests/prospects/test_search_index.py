"""A search stays on its index under row-level security, however many people a practice has."""

from typing import Any, cast

import pytest

from officepro.foundation.database import Connection, Database
from officepro.foundation.paging import Page
from officepro.prospects.queries import Filter, some
from officepro.prospects.searches import SEARCH
from tests.world import House, Office

PEOPLE = 5_000
MADE = """
WITH person AS (
    INSERT INTO patient (practice_id, patient_id, first_name, last_name)
    SELECT $1, 2000 + number, 'Grace', 'Hopper' || number FROM generate_series(1, $2::bigint) AS number
    RETURNING patient_id, first_name, last_name)
INSERT INTO patient_token (practice_id, token, patient_id)
SELECT $1, token, patient_id FROM person, unnest(ARRAY[lower(first_name), lower(last_name)]) AS token
"""


class Explained:
    """A connection that has the database tell its plan instead of running a query."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        self.plan = ""

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        rows = await self.db.fetch(f"EXPLAIN (COSTS OFF) {query}", *arguments)
        self.plan = "\n".join(row[0] for row in rows)
        return []

    async def fetchrow(self, query: str, *arguments: Any) -> dict[str, Any]:
        await self.fetch(query, *arguments)
        return {"patient_ids": None, "people": None, "last_updated_at": None, "total": 0}


@pytest.fixture
async def big_office(house: House, demo_office: Office) -> Office:
    await house.owner.execute(MADE, demo_office.practice_id, PEOPLE)
    await house.owner.execute("VACUUM ANALYZE patient_token")
    await house.owner.execute("VACUUM ANALYZE patient")
    return demo_office


async def plan_of(database: Database, office: Office, beginnings: list[str], **filters: Any) -> str:
    async with database.practice(office.practice_id) as db:
        explained = Explained(db)
        wanted, page = Filter(beginnings=beginnings, **filters), Page(1, 25)
        await some(cast(Connection, explained), office.practice_id, wanted, page)
    return explained.plan


@pytest.mark.parametrize("beginnings", [["hopper42"], ["hop"], ["grace", "hopper42"], ["g", "h", "hop"]])
async def test_each_word_is_a_range_of_the_index(database: Database, big_office: Office, beginnings: list[str]) -> None:
    plan = await plan_of(database, big_office, beginnings)

    assert "Seq Scan on patient_token" not in plan
    assert "Seq Scan on patient " not in plan
    # Each word is looked up; and a person whom the longest has found is asked for those that find too many.
    asked = len(beginnings) - 1
    assert plan.count("Index Only Scan using patient_token_key") == len(beginnings)
    assert plan.count("Index Only Scan using patient_token_by_patient") == asked
    assert plan.count("AND (token >= ") == len(beginnings) + asked, "the words narrow the index, not what it has found"


async def test_so_it_is_among_prospects_alone(database: Database, big_office: Office) -> None:
    plan = await plan_of(database, big_office, ["hopper42"], only_prospects=True)
    assert "Index Only Scan using patient_token_key" in plan
    assert "Seq Scan" not in plan.replace("Seq Scan on patient_tag", "").replace("Seq Scan on tag", "")


async def test_so_it_is_for_those_who_search_together(straight_database: Database, big_office: Office) -> None:
    """The plan is made once, for whatever they search for."""
    async with straight_database.unbound() as db:
        await db.execute("SET plan_cache_mode = force_generic_plan")
        rows = await db.fetch(f"EXPLAIN (COSTS OFF) {SEARCH}", "[]")
        await db.execute("RESET plan_cache_mode")
    plan = "\n".join(row[0] for row in rows)

    assert plan.count("Index Only Scan using patient_token_key") == 1
    assert "AND (token >= asked.beginning) AND (token < asked.ending)" in plan
    assert "Seq Scan" not in plan.replace("Seq Scan on patient_tag", "").replace("Seq Scan on tag", "")


async def test_a_search_by_likeness_could_not(database: Database, big_office: Office) -> None:
    """The control, and why the words are ranges: LIKE is not leakproof, so the wall comes before it."""
    async with database.practice(big_office.practice_id) as db:
        explained = Explained(db)
        await explained.fetch(
            "SELECT patient_id FROM patient_token WHERE practice_id = $1 AND token LIKE 'hopper42%'",
            big_office.practice_id,
        )
    assert "token ~~ 'hopper42%'" in explained.plan
    assert "token >=" not in explained.plan


async def test_a_broad_word_beside_a_rare_one_loses_nobody(big_office: Office) -> None:
    answer = await big_office.partner.get("/prospects", params={"search": "g hopper4999"})
    assert [one["LastName"] for one in answer.json()["data"]] == ["Hopper4999"]
    answer = await big_office.partner.get("/prospects", params={"search": "hopper4999 g"})
    assert [one["LastName"] for one in answer.json()["data"]] == ["Hopper4999"]
