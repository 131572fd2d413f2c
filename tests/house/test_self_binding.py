"""Statements that bind themselves to one practice after the other have one layer of isolation where others have two.

They call set_config('app.practice', ...) in the row of each request (`each_asked`). A part that does not depend on that
row may be executed once, under whichever practice was bound first, so row-level security does not protect against a
missing predicate there. What protects them is that every practice's table is joined on `this.practice_id`, which the
grammar of each statement shows here. (docs/proof.md)
"""

import re
from collections.abc import Iterator

from officepro.foundation.database import Database, each_asked
from officepro.foundation.wire import encode
from tests.house.composed import composed
from tests.house.statements import Statement, faults_of, in_source
from tests.house.test_one_practice import global_tables, tenants
from tests.world import Office

__all__ = ["global_tables", "tenants"]

BINDING = "set_config('app.practice', asked.practice_id::text, true)"
# The ways in which a table is joined on the bound practice, and what takes that away.
PREDICATES = (
    (re.compile(r"(\w+\.)?practice_id = this\.practice_id"), "true"),
    (re.compile(r"USING \(practice_id, "), "USING ("),
)


async def self_binding() -> list[Statement]:
    statements = [*in_source()[0], *(await composed())]
    return [statement for statement in statements if BINDING in statement.text]


def mutations(text: str) -> Iterator[str]:
    """The statement with each of its predicates removed in turn."""
    for predicate, replacement in PREDICATES:
        for found in predicate.finditer(text):
            yield text[: found.start()] + replacement + text[found.end() :]


async def test_every_table_of_a_practice_is_joined_on_the_bound_practice(
    tenants: frozenset[str], global_tables: frozenset[str]
) -> None:
    statements = await self_binding()
    assert {statement.where for statement in statements} == {
        "prospects.searches.SEARCH",
        "scheduling.questions.ask_together",
    }
    for statement in statements:
        assert faults_of(statement.text, tenants, global_tables) == [], statement.where


async def test_every_predicate_that_is_removed_is_found(tenants: frozenset[str], global_tables: frozenset[str]) -> None:
    """The control of the test above."""
    removed = 0
    for statement in await self_binding():
        for mutated in mutations(statement.text):
            assert any(fault.startswith("reads ") for fault in faults_of(mutated, tenants, global_tables)), mutated
            removed += 1
    assert removed >= 10


async def test_the_layer_is_the_only_one(
    straight_database: Database, demo_office: Office, berlin_office: Office
) -> None:
    """Without its predicate, one practice is given the other's rows in spite of row-level security."""

    async def seen(predicate: str) -> list[list[int]]:
        statement = f"""
            SELECT found.practices FROM {each_asked({"practice_id": "bigint"})}, LATERAL (
                SELECT array_agg(DISTINCT p.practice_id) AS practices FROM patient p WHERE {predicate}) AS found
            ORDER BY place
        """
        asked = encode([{"practice_id": office.practice_id} for office in (demo_office, berlin_office)]).decode()
        async with straight_database.unbound() as db:
            return [row["practices"] for row in await db.fetch(statement, asked)]

    assert await seen("p.practice_id = this.practice_id") == [[demo_office.practice_id], [berlin_office.practice_id]]
    assert await seen("true") == [[demo_office.practice_id], [demo_office.practice_id]]


async def test_in_a_function_row_level_security_is_a_second_layer(
    straight_database: Database, demo_office: Office, berlin_office: Office
) -> None:
    """book_disclosed_visits and the others set the practice by a statement of its own before each read and write."""
    async with straight_database.unbound() as db, db.transaction():
        await db.execute(
            """
            CREATE FUNCTION pg_temp.seen(practices bigint[]) RETURNS SETOF bigint[] LANGUAGE plpgsql AS $$
            BEGIN
                FOR i IN 1..cardinality(practices) LOOP
                    PERFORM set_config('app.practice', practices[i]::text, true);
                    RETURN QUERY SELECT array_agg(DISTINCT practice_id) FROM patient;
                END LOOP;
            END $$
            """
        )
        practices = [demo_office.practice_id, berlin_office.practice_id]
        rows = await db.fetch("SELECT seen FROM pg_temp.seen($1) AS seen", practices)
    assert [row["seen"] for row in rows] == [[practice] for practice in practices]
