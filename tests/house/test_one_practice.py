"""Every statement that writes or locks a practice's rows names that practice by equality, as a distributed database
requires, and so does every read but a few. (ARCHITECTURE.md: Growing past one machine)"""

from collections import defaultdict

import asyncpg
import pytest

from officepro.foundation.distribution import TABLES_WITHOUT_CITUS, wanted
from tests.house.composed import OF_CONSTANTS, composed
from tests.house.statements import faults_of, in_source

# Plain reads over all practices, each with its reason; a distributed database hands them on to every node. None of
# them is on a partner's way there, but for the second look-up of a practice by its name.
ACROSS_PRACTICES = {
    "activity.disclosure_queries.heads": "a worker's daily anchors",
    "practices.queries.practice_named": "finds a practice by its name, before its number is known",
    "practices.queries.practices": "the admin's list of practices with the versions of their set-ups",
    "practices.queries._SELECT": "the beginning of the two above",
    "webhooks.fan_out.practices_with_work": "a worker asks which practices have work, and takes it one by one",
    "webhooks.fan_out._waiting": "the same, of the practices in which it has just come to an end",
    "webhooks.maintenance_jobs.practices_with_wrong_due_times": "the worker corrects them one practice at a time",
    "maintenance.partitions.drop_deliveries": "the oldest delivery that is open, of any practice",
    "webhooks.queries.practices_waiting": "a subscription to every practice is taken up again: whom to wake",
    "webhooks.delivery_queries.dispatch_states": "the admin's monitor",
    "webhooks.delivery_queries.some": "the admin's monitor; a partner's list names its practice",
    "webhooks.delivery_queries.recent": "the admin's monitor",
    "webhooks.delivery_queries.counts": "the admin's monitor",
    "webhooks.figures_queries.dispatch_figures": "/metrics",
    "webhooks.manual.queue_retry": "the admin names a delivery by its number alone; the new one names its practice",
    "webhooks.manual.read_result": "the admin names a delivery by its number alone",
    "webhooks.replay._latest": "a subscription to every practice has one replay at a time: of any practice",
    "webhooks.replay.subscriptions_in_progress": "the portal's list of subscriptions",
}


@pytest.fixture
async def tenants(owner: asyncpg.Connection) -> frozenset[str]:
    return await _tables(owner, "tenant")


@pytest.fixture
async def global_tables(owner: asyncpg.Connection) -> frozenset[str]:
    return await _tables(owner, "reference")


async def _tables(owner: asyncpg.Connection, kind: str) -> frozenset[str]:
    rows = await owner.fetch(TABLES_WITHOUT_CITUS)
    return frozenset(row["name"] for row in rows if wanted(row["name"], is_tenant=row["is_tenant"]) == kind)


async def test_every_statement_names_one_practice(tenants: frozenset[str], global_tables: frozenset[str]) -> None:
    assert {"visit", "log", "webhook_delivery", "idempotency"} <= tenants
    read, _ = in_source()
    statements = [*read, *(await composed())]
    assert len(statements) > 230

    faults, across = defaultdict(set), set()
    for statement in statements:
        for fault in faults_of(statement.text, tenants, global_tables):
            if fault.startswith("reads ") and statement.where in ACROSS_PRACTICES:
                across.add(statement.where)
            else:
                faults[statement.where].add(fault)

    assert not faults
    assert across == set(ACROSS_PRACTICES), "reads that are listed and are no longer there"


async def test_no_statement_is_composed_unseen() -> None:
    _, at_run_time = in_source()
    seen = {statement.where for statement in await composed()} | OF_CONSTANTS
    assert set(at_run_time) == seen


# The control: what the test above would have found.
BAD = {
    "UPDATE visit SET status = 'cancelled' WHERE visit_id = $1": "updates visit of every practice",
    "UPDATE visit SET status = 'cancelled' WHERE practice_id = ANY ($1)": "updates visit of every practice",
    "UPDATE visit SET status = 'x' WHERE practice_id = $1 OR visit_id = $2": "updates visit of every practice",
    "DELETE FROM tag WHERE tag_id = $1": "deletes from tag of every practice",
    "DELETE FROM tag USING visit v WHERE v.practice_id = $1": "deletes from tag of every practice",
    "SELECT * FROM visit WHERE visit_id = $1": "reads visit of every practice",
    "SELECT * FROM visit v JOIN patient USING (patient_id) WHERE v.practice_id = $1": "reads patient of every practice",
    "SELECT EXISTS (SELECT FROM visit) FROM patient WHERE practice_id = $1": "reads visit of every practice",
    "SELECT (SELECT max(visit_id) FROM visit) FROM visit WHERE practice_id = $1": "reads visit of every practice",
    "SELECT last FROM log_head FOR UPDATE": "locks log_head of every practice",
    "SELECT 1 FROM log_head h JOIN visit v ON v.practice_id = $1 FOR UPDATE OF h": "locks log_head of every practice",
    "INSERT INTO tag (tag_id, tag) VALUES (1, 'x')": "inserts into tag without a practice",
    "INSERT INTO log_head (practice_id) SELECT practice_id FROM practice": "for many practices at once",
    "WITH gone AS (DELETE FROM visit RETURNING visit_id) SELECT * FROM gone": "deletes from visit of every practice",
    "UPDATE tag SET tag = (SELECT tag FROM tag t WHERE t.practice_id = $2) WHERE practice_id = $1": "more than one",
    "INSERT INTO tag (practice_id, tag_id, tag) VALUES ($1, 1, 'x') ON CONFLICT (practice_id, tag_id) "
    "DO UPDATE SET tag = now()::text": "calls now()",
    "INSERT INTO product (upc) VALUES ('x') ON CONFLICT (upc) DO UPDATE SET updated_at = now()": "calls now()",
    "UPDATE visit SET updated_at = clock_timestamp() WHERE practice_id = $1": "calls clock_timestamp()",
    "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 1 FROM a), b AS (DELETE FROM tag WHERE practice_id = $1) "
    "SELECT * FROM a": "is recursive",
}


@pytest.mark.parametrize("statement", BAD)
async def test_a_statement_that_does_not_is_found(
    statement: str, tenants: frozenset[str], global_tables: frozenset[str]
) -> None:
    assert any(BAD[statement] in fault for fault in faults_of(statement, tenants, global_tables))


GOOD = (
    "UPDATE visit v SET status = 'x' FROM room r WHERE v.practice_id = $1 AND r.practice_id = v.practice_id",
    "SELECT * FROM visit v JOIN patient p USING (practice_id, patient_id) WHERE practice_id = $1",
    "SELECT * FROM visit v WHERE v.practice_id = $1 AND EXISTS "
    "(SELECT FROM patient p WHERE p.practice_id = v.practice_id AND p.patient_id = v.patient_id)",
    "WITH head AS (SELECT last FROM log_head WHERE practice_id = $1 FOR UPDATE) "
    "INSERT INTO log (practice_id, log_id) SELECT $1, last FROM head",
    "INSERT INTO request_day (day) VALUES ($1) ON CONFLICT (day) DO UPDATE SET day = now()::date",
    "SELECT * FROM practice",
)


@pytest.mark.parametrize("statement", GOOD)
async def test_one_that_does_is_not(statement: str, tenants: frozenset[str], global_tables: frozenset[str]) -> None:
    assert faults_of(statement, tenants, global_tables) == []
