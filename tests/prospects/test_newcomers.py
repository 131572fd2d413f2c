"""People who are created at the same moment share a statement, and nothing else."""

import asyncio
from datetime import date
from typing import Any

import pytest

from officepro.activity.ledger import Disclosure
from officepro.activity.verification import verify
from officepro.foundation.database import Database
from officepro.prospects import queries
from officepro.prospects.newcomers import Newcomers
from officepro.prospects.queries import COLUMNS, UnknownProvider
from tests.activity.conftest import ledger_of
from tests.world import Office

# What differs from one row to the next of its like.
OWN = {"practice_id", "patient_id", "entity_id", "data", "created_at", "updated_at", "occurred_at"}

EVERYTHING: dict[str, Any] = {name: f"{name} \u00fc {{}}'\\" for name in COLUMNS} | {
    "gender": "f",
    "dob": date(1815, 12, 10),
    "life_stage": "Adult",
    "type": "Cash",
    "mi": "K.",
    "email": "ada@example.com",
    "prospect": 0,
    "provider_id": 1,
}


def told(office: Office) -> Disclosure:
    return Disclosure(office.practice_id, 7, 8, "POST", "/v1/{PPass}/prospects", "request", [])


async def newest(office: Office, table: str) -> dict[str, Any]:
    order = {"patient": "patient_id", "log": "log_id"}[table]
    row = await office.house.owner.fetchrow(
        f"SELECT * FROM {table} WHERE practice_id = $1 ORDER BY {order} DESC LIMIT 1", office.practice_id
    )
    assert row is not None
    return dict(row)


async def tokens_of(office: Office, patient_id: int) -> list[str]:
    rows = await office.house.owner.fetch(
        "SELECT token FROM patient_token WHERE practice_id = $1 AND patient_id = $2 ORDER BY token",
        office.practice_id,
        patient_id,
    )
    return [row["token"] for row in rows]


@pytest.mark.parametrize("columns", [EVERYTHING, {"first_name": "Ada", "last_name": "Byron", "prospect": 1}])
async def test_it_writes_what_the_statement_for_one_writes(
    demo_office: Office, berlin_office: Office, straight_database: Database, columns: dict[str, Any]
) -> None:
    tokens = ["ada", 'qu"ote,{}']

    made = await Newcomers(straight_database).create(columns, tokens, told(demo_office))
    async with straight_database.practice(berlin_office.practice_id, is_writing=True) as db:
        row = await queries.create(db, berlin_office.practice_id, columns, tokens, None)

    assert made["full_name"] == row["full_name"]
    for table in ("patient", "log"):
        ours, theirs = await newest(demo_office, table), await newest(berlin_office, table)
        assert {name: ours[name] for name in ours.keys() - OWN} == {name: theirs[name] for name in theirs.keys() - OWN}
    assert (await newest(demo_office, "patient"))["created_at"] == made["created_at"]
    assert eval((await newest(demo_office, "log"))["data"]) == {"PatientID": made["patient_id"]}  # noqa: S307
    assert await tokens_of(demo_office, made["patient_id"]) == tokens
    assert await tokens_of(berlin_office, row["patient_id"]) == tokens


async def test_many_at_once_are_each_in_their_practice_and_on_record_and_one_that_is_refused_harms_no_other(
    demo_office: Office, berlin_office: Office, straight_database: Database
) -> None:
    newcomers, before = Newcomers(straight_database), [office.ada for office in (demo_office, berlin_office)]
    assert before[0] == before[1]
    offices = (berlin_office, demo_office, demo_office, berlin_office, demo_office)
    people: list[dict[str, Any]] = [{"first_name": f"Ada{number}", "prospect": 1} for number in range(5)]
    people[2]["provider_id"] = 99

    made = await asyncio.gather(
        *(newcomers.create(person, ["ada"], told(office)) for person, office in zip(people, offices, strict=True)),
        return_exceptions=True,
    )

    assert isinstance(made[2], UnknownProvider)
    for office, mine in ((demo_office, (1, 4)), (berlin_office, (0, 3))):
        ids = [made[number]["patient_id"] for number in mine]  # type: ignore[index]
        rows = await office.house.owner.fetch(
            "SELECT patient_id, first_name FROM patient WHERE practice_id = $1 AND first_name LIKE 'Ada_' ORDER BY 1",
            office.practice_id,
        )
        assert [tuple(row) for row in rows] == list(zip(ids, (f"Ada{number}" for number in mine), strict=True))
        assert [(row["log_id"], row["entity_id"]) for row in await office.log()] == list(enumerate(ids, 1))
        ledger = await ledger_of(office.house.owner, office)
        assert [(row["number"], row["patient_ids"]) for row in ledger] == [(n, [one]) for n, one in enumerate(ids, 1)]
        [verified] = [one async for one in verify(straight_database, office.practicepass)]
        assert verified.faults == []


@pytest.mark.parametrize(
    "body",
    [
        {"FirstName": "Ada", "LastName": "Byron", "DOB": "1915-12-10", "ProviderID": 1, "Prospect": 0, "Notes": "é\n"},
        {"EMail": "ada@example.com", "MI": "", "FullName": None},
    ],
)
async def test_the_answer_is_the_record(demo_office: Office, body: dict[str, Any]) -> None:
    created = await demo_office.partner.post("/prospects", json=body)
    again = await demo_office.partner.get(f"/prospects/{created.json()['data']['PatientID']}")
    with_key = await demo_office.partner.post("/prospects", json=body, headers={"Idempotency-Key": "another way"})

    assert created.json()["data"] == again.json()["data"]
    assert created.headers["etag"] == again.headers["etag"]
    own = {"PatientID", "CreatedAt", "UpdatedAt"}
    ours, theirs = created.json()["data"], with_key.json()["data"]
    assert {name: ours[name] for name in ours.keys() - own} == {name: theirs[name] for name in theirs.keys() - own}
