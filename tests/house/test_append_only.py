"""What SECURITY.md says of the roles: which tables they can only append to, and which the system role cannot read."""

import asyncpg
import pytest

APPEND_ONLY = (
    "log",
    "disclosure",
    "request_log",
    "visit_history",
    "ticket_history",
    "ticket_comment",
    "product_change",
    "article_revision",
)
OF_PEOPLE = (
    "patient",
    "patient_picture",
    "patient_tag",
    "patient_token",
    "visit",
    "visit_history",
    "ticket",
    "ticket_comment",
    "ticket_history",
)


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_no_role_of_the_application_changes_or_removes_a_row(owner: asyncpg.Connection, table: str) -> None:
    for role in ("officepro_app", "officepro_system"):
        for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
            assert not await owner.fetchval("SELECT has_table_privilege($1, $2, $3)", role, table, privilege), role
            if privilege == "UPDATE":
                assert not await owner.fetchval("SELECT has_any_column_privilege($1, $2, $3)", role, table, privilege)


@pytest.mark.parametrize("table", OF_PEOPLE)
async def test_the_role_over_all_practices_has_no_grant_on_people(owner: asyncpg.Connection, table: str) -> None:
    for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        assert not await owner.fetchval("SELECT has_table_privilege('officepro_system', $1, $2)", table, privilege)


async def test_it_sees_no_stored_answer_of_a_practice(owner: asyncpg.Connection) -> None:
    """Stored answers of idempotency keys may be about people."""
    policies = await owner.fetch(
        "SELECT qual FROM pg_policies WHERE tablename = 'idempotency' AND 'officepro_system' = ANY(roles)"
    )
    assert [row["qual"] for row in policies] == ["(practice_id = 0)"]


async def test_the_control_a_grant_is_seen(owner: asyncpg.Connection) -> None:
    assert await owner.fetchval("SELECT has_table_privilege('officepro_app', 'visit', 'UPDATE')")
