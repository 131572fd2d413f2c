"""Whatever is done to the ledger behind our back, `officepro disclosure verify` finds it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from officepro.activity.ledger import Ledger
from officepro.foundation.database import Database
from tests.activity.test_ledger import disclosure
from tests.cli.command import officepro
from tests.world import House, Office


@pytest.fixture
async def ten_reads(demo_office: Office, database: Database) -> AsyncIterator[Office]:
    ledger = Ledger(database)
    for number in range(10):
        await ledger.record(disclosure(demo_office, number, [1001, 1002 + number]))
    yield demo_office
    owner = demo_office.house.owner  # so that other tests find every ledger as it was written
    await owner.execute("DELETE FROM disclosure WHERE practice_id = $1", demo_office.practice_id)
    await owner.execute("DELETE FROM disclosure_head WHERE practice_id = $1", demo_office.practice_id)


async def verify(office: Office, *options: str) -> tuple[int, str]:
    told = await officepro(office.house, "disclosure", "verify", "--practice", office.practicepass, *options)
    return told.exit_code, told.out


async def test_a_ledger_that_nobody_touched_is_as_written(ten_reads: Office) -> None:
    assert await verify(ten_reads) == (0, f"{ten_reads.practicepass}: 10 rows, OK\n")


async def test_one_in_which_nobody_was_read_is_too(berlin_office: Office) -> None:
    assert await verify(berlin_office) == (0, f"{berlin_office.practicepass}: 0 rows, OK\n")


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("UPDATE disclosure SET patient_ids = '{7}' WHERE number = 4", "row 4 was changed"),
        ("UPDATE disclosure SET api_key_id = 9 WHERE number = 4", "row 4 was changed"),
        ("UPDATE disclosure SET partner_id = 9 WHERE number = 4", "row 4 was changed"),
        ("UPDATE disclosure SET method = 'PUT' WHERE number = 4", "row 4 was changed"),
        ("UPDATE disclosure SET endpoint = '/' WHERE number = 4", "row 4 was changed"),
        ("UPDATE disclosure SET request_id = 'x' WHERE number = 4", "row 4 was changed"),
        (
            "UPDATE disclosure SET happened_at = happened_at - interval '1 microsecond' WHERE number = 4",
            "row 4 was changed",
        ),
        ("UPDATE disclosure SET sha256 = sha256('') WHERE number = 4", "row 4 was changed"),
        ("UPDATE disclosure SET company = 'Another' WHERE number = 4", "row 4 was changed"),
        ("UPDATE disclosure SET key_name = 'another' WHERE number = 4", "row 4 was changed"),
        ("UPDATE disclosure SET address = '192.0.2.9' WHERE number = 4", "row 4 was changed"),
        ("UPDATE disclosure SET purpose = 'treatment' WHERE number = 4", "row 4 was changed"),
        ("UPDATE disclosure SET kinds = 'identity' WHERE number = 4", "row 4 was changed"),
        (
            "UPDATE disclosure SET company = NULL, key_name = NULL, address = NULL, purpose = NULL, kinds = NULL "
            "WHERE number = 4",
            "row 4 was changed",
        ),
        ("DELETE FROM disclosure WHERE number = 1", "row 1 is missing"),
        ("DELETE FROM disclosure WHERE number IN (4, 5)", "rows 4 to 5 are missing"),
        ("DELETE FROM disclosure WHERE number > 7", "the last row is 7, expected 10"),
        ("DELETE FROM disclosure", "the last row is 0, expected 10"),
        (
            "INSERT INTO disclosure SELECT practice_id, 11, happened_at, api_key_id, partner_id, method, endpoint, "
            "request_id, patient_ids, sha256 FROM disclosure WHERE number = 10",
            "row 11 was changed",
        ),
        (
            "INSERT INTO disclosure SELECT practice_id, 0, happened_at, api_key_id, partner_id, method, endpoint, "
            "request_id, patient_ids, sha256 FROM disclosure WHERE number = 10",
            "row 0 is out of sequence",
        ),
    ],
)
async def test_what_was_done_to_it_is_found(ten_reads: Office, deed: str, told: str) -> None:
    mine = f"practice_id = {ten_reads.practice_id}"
    deed = f"{deed} AND {mine}" if "WHERE" in deed else f"{deed} WHERE {mine}"
    await ten_reads.house.owner.execute(deed)

    exit_code, out = await verify(ten_reads)

    assert exit_code == 1
    assert "FAILED" in out
    assert told in out


async def test_rows_that_changed_places_are_found(ten_reads: Office) -> None:
    owner, practice_id = ten_reads.house.owner, ten_reads.practice_id
    for before, after in ((4, 999), (5, 4), (999, 5)):
        await owner.execute(
            "UPDATE disclosure SET number = $2 WHERE practice_id = $1 AND number = $3", practice_id, after, before
        )

    exit_code, out = await verify(ten_reads)

    assert exit_code == 1
    assert "row 4 was changed, or does not follow" in out


async def test_who_rewrites_tail_and_head_is_found_by_the_anchor(
    ten_reads: Office, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    kept = tmp_path / "anchor"
    anchor = await officepro(ten_reads.house, "disclosure", "anchor", "--practice", ten_reads.practicepass)
    kept.write_text(anchor.out)
    assert json.loads(anchor.out)["number"] == 10
    assert (await verify(ten_reads, "--anchor", str(kept)))[0] == 0

    await _cut_tail_and_head(owner, ten_reads)

    assert (await verify(ten_reads))[0] == 0  # in itself the ledger is sound
    exit_code, out = await verify(ten_reads, "--anchor", str(kept))
    assert exit_code == 1
    assert "row 10 of the anchor is missing" in out


async def test_who_writes_the_tail_anew_is_found_by_the_anchor(
    ten_reads: Office, owner: asyncpg.Connection, database: Database, tmp_path: Path
) -> None:
    kept = tmp_path / "anchor"
    anchor = await officepro(ten_reads.house, "disclosure", "anchor", "--practice", ten_reads.practicepass)
    kept.write_text(anchor.out)

    await _cut_tail_and_head(owner, ten_reads)
    for number in range(7, 12):
        await Ledger(database).record(disclosure(ten_reads, number, [5]))

    assert (await verify(ten_reads))[0] == 0
    exit_code, out = await verify(ten_reads, "--anchor", str(kept))
    assert exit_code == 1
    assert "row 10 does not match the anchor" in out


async def _cut_tail_and_head(owner: asyncpg.Connection, office: Office) -> None:
    await owner.execute("DELETE FROM disclosure WHERE practice_id = $1 AND number > 7", office.practice_id)
    await owner.execute(
        """
        UPDATE disclosure_head SET last = 7, last_sha256 = (
            SELECT sha256 FROM disclosure WHERE practice_id = $1 AND number = 7) WHERE practice_id = $1
        """,
        office.practice_id,
    )


async def test_a_practice_that_there_is_none_of(house: House) -> None:
    told = await officepro(house, "disclosure", "verify", "--practice", "Nowhere")

    assert (told.exit_code, told.err) == (1, "officepro: Practice Nowhere not found.\n")


async def test_a_file_that_is_no_anchor(house: House, tmp_path: Path) -> None:
    (tmp_path / "anchor").write_text("nonsense")

    told = await officepro(house, "disclosure", "verify", "--anchor", str(tmp_path / "anchor"))

    assert told.exit_code == 1
    assert "Line 1 of the file of anchors is not an anchor" in told.err
