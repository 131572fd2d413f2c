"""A disclosure names its recipient as of the disclosure, and the hash covers that. (45 CFR 164.528(b)(2))"""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from officepro.access import key_states
from officepro.activity.ledger import Ledger
from officepro.foundation.database import Database, Mode
from officepro.foundation.embedded import EmbeddedServer
from tests.activity.conftest import ledger_of
from tests.activity.test_disclosures import disclosures
from tests.activity.test_every_disclosing_route import next_monday, visit
from tests.activity.test_ledger import disclosure, faults
from tests.activity.test_tampering import verify
from tests.world import House, Office

RECORD = "identity,contact,demographics,notes,tags"


def key_of(office: Office) -> int:
    return int(office.keys["partner"].split("_")[1])


@pytest.fixture
async def rewritten(demo_office: Office) -> AsyncIterator[Office]:
    yield demo_office
    owner = demo_office.house.owner  # other tests verify every practice
    await owner.execute("DELETE FROM disclosure WHERE practice_id = $1", demo_office.practice_id)
    await owner.execute("DELETE FROM disclosure_head WHERE practice_id = $1", demo_office.practice_id)


async def test_a_company_that_changes_its_name_does_not_change_it_in_rows_written_before(
    house: House, demo_office: Office, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_states, "KEY_STATE_SECONDS", 0.0)
    await demo_office.partner.get(f"/prospects/{demo_office.ada}")
    await house.owner.execute(
        """
        WITH renamed AS (UPDATE api_key SET name = 'renamed' WHERE api_key_id = $1 RETURNING partner_id)
        UPDATE partner SET company = 'Renamed Ltd' FROM renamed WHERE partner.partner_id = renamed.partner_id
        """,
        key_of(demo_office),
    )
    await demo_office.partner.get(f"/prospects/{demo_office.ada}")

    after, before = (await disclosures(house, demo_office))["data"]
    assert (before["partner"], before["key"]) == (f"partner of {demo_office.practicepass}", "key")
    assert (after["partner"], after["key"]) == ("Renamed Ltd", "renamed")
    file = await house.admin.get(f"/v1/admin/{demo_office.practicepass}/disclosures?format=csv")
    assert f"partner of {demo_office.practicepass}" in file.text
    assert await faults(database, demo_office) == []


async def test_every_way_of_writing_a_row_has_the_recipient(demo_office: Office, database: Database) -> None:
    """The log's own statement, and those that search, create and book."""
    owner = demo_office.house.owner
    await owner.execute("UPDATE api_key SET purpose = 'treatment' WHERE api_key_id = $1", key_of(demo_office))
    for call in (
        demo_office.partner.get(f"/prospects/{demo_office.ada}"),
        demo_office.partner.get("/prospects?search=ada"),
        demo_office.partner.post("/prospects", json={"FirstName": "John"}),
        demo_office.partner.post("/visits/book", json=visit(demo_office)),
        demo_office.partner.get(f"/visits?startDate={next_monday()}"),
    ):
        answer = await call
        assert answer.is_success, answer.text

    rows = await ledger_of(owner, demo_office)
    assert [row["kinds"] for row in rows] == [
        f"{RECORD},photo",
        RECORD,
        f"{RECORD},photo",
        "identity,appointments",
        "identity,appointments,notes",
    ]
    recipients = {(row["company"], row["key_name"], row["address"], row["purpose"]) for row in rows}
    assert recipients == {(f"partner of {demo_office.practicepass}", "key", "192.0.2.1", "treatment")}
    assert await faults(database, demo_office) == []


async def test_also_where_a_statement_may_concern_one_practice_only(
    demo_office: Office, server: EmbeddedServer, database_name: str
) -> None:
    database = await Database.connect(server.url(database_name, "officepro"), mode=Mode.POOLED, pool_size=1)
    try:
        recipient = {"company": "Example", "key_name": "key", "address": "2001:db8::1", "purpose": "payment"}
        await Ledger(database).record(replace(disclosure(demo_office, 1), kinds="identity", **recipient))
        assert await faults(database, demo_office) == []
    finally:
        await database.close()

    [row] = await ledger_of(demo_office.house.owner, demo_office)
    assert {**row, **recipient, "kinds": "identity"} == row


async def test_a_name_of_two_lines_is_one_line_in_the_row(
    house: House, demo_office: Office, database: Database
) -> None:
    """Every column is one line of what is hashed."""
    await house.owner.execute("UPDATE api_key SET name = E'two\nlines' WHERE api_key_id = $1", key_of(demo_office))

    assert (await demo_office.partner.get("/prospects")).status_code == 200
    assert (await ledger_of(house.owner, demo_office))[0]["key_name"] == "two lines"
    assert await faults(database, demo_office) == []


async def test_the_chain_continues_from_rows_without_a_recipient(
    house: House, rewritten: Office, database: Database
) -> None:
    """Those were written before revision 0020, or are written by a worker of the version before it."""
    for number in (1, 3):
        await _write_as_the_version_before(house, rewritten, f"old-{number}")
        await rewritten.partner.get(f"/prospects/{rewritten.ada}")

    rows = await ledger_of(house.owner, rewritten)
    assert [row["company"] is None for row in rows] == [True, False, True, False]
    assert await verify(rewritten) == (0, f"{rewritten.practicepass}: 4 rows, OK\n")
    old = (await disclosures(house, rewritten))["data"][-1]
    assert (old["partner"], old["key"]) == (f"partner of {rewritten.practicepass}", "key")
    assert (old["address"], old["purpose"], old["kinds"]) == (None, None, None)


@pytest.mark.parametrize("columns", ["company = 'x', key_name = 'x', address = 'x', purpose = 'x', kinds = 'x'"])
async def test_a_recipient_added_to_an_old_row_is_found(house: House, rewritten: Office, columns: str) -> None:
    await _write_as_the_version_before(house, rewritten, "old")
    await house.owner.execute(f"UPDATE disclosure SET {columns} WHERE practice_id = $1", rewritten.practice_id)

    assert "row 1 was changed" in (await verify(rewritten))[1]


async def _write_as_the_version_before(house: House, office: Office, request_id: str) -> None:
    key_id = key_of(office)
    partner_id = await house.owner.fetchval("SELECT partner_id FROM api_key WHERE api_key_id = $1", key_id)
    await house.owner.execute(
        "SELECT append_disclosures($1, $2, $3, $4, $5, $6, $7)",
        office.practice_id,
        [key_id],
        [partner_id],
        ["GET"],
        ["/v1/{PPass}/prospects"],
        [request_id],
        ["{1001}"],
    )
