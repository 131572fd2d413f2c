"""What the EMR appends: by the API, and by SQL. (API.md: POST /v1/admin/{PPass}/log)"""

import json
from typing import Any

import asyncpg
import pytest

from tests.webhooks.acts import happen
from tests.world import Office

CLAIM = {"Scope": "Claims", "Event": "claim.paid", "EntityID": 4711, "Data": {"ClaimID": 4711}}


async def append(office: Office, body: Any, **headers: str) -> Any:
    return await office.house.admin.post(f"/v1/admin/{office.practicepass}/log", json=body, headers=headers)


async def test_one_event(demo_office: Office) -> None:
    answer = await append(demo_office, CLAIM)

    assert answer.status_code == 201
    assert answer.json() == {
        "message": "Events appended successfully",
        "data": [{"LogID": 1, "EventID": f"evt_{demo_office.practice_id}_1"}],
    }
    [row] = await demo_office.log()
    assert (row["scope"], row["event"], row["entity_id"], json.loads(row["data"])) == (
        "Claims",
        "claim.paid",
        4711,
        {"ClaimID": 4711},
    )


async def test_a_list_is_numbered_in_its_order_all_or_nothing(demo_office: Office) -> None:
    events = [{**CLAIM, "EntityID": number} for number in (3, 1, 2)]
    answer = await append(demo_office, events)
    refused = await append(demo_office, [CLAIM, {**CLAIM, "Scope": "Secrets"}])

    assert [entry["LogID"] for entry in answer.json()["data"]] == [1, 2, 3]
    assert refused.status_code == 400
    assert [fault["location"] for fault in refused.json()["errors"]] == ["body[1].Scope"]
    assert [row["entity_id"] for row in await demo_office.log()] == [3, 1, 2]


async def test_a_repeat_appends_once(demo_office: Office) -> None:
    first = await append(demo_office, CLAIM, **{"Idempotency-Key": "one"})
    again = await append(demo_office, CLAIM, **{"Idempotency-Key": "one"})

    assert again.json() == first.json()
    assert len(await demo_office.log()) == 1


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"Scope": "Providers"}, "body.Scope"),
        ({"Event": "claim"}, "body.Event"),
        ({"Event": "Claim.Paid"}, "body.Event"),
        ({"Event": "claim.paid.twice"}, "body.Event"),
        ({"EntityID": 0}, "body.EntityID"),
        ({"EntityID": 2**63}, "body.EntityID"),
        ({"Data": "none"}, "body.Data"),
        ({"Data": {"Note": "x" * 17_000}}, "body.Data"),
        ({"Data": {"Note": "\0"}}, "body.Data"),
        ({"Patient": 7}, "body.Patient"),
    ],
)
async def test_what_is_no_event_is_refused_by_name(demo_office: Office, change: dict[str, Any], place: str) -> None:
    answer = await append(demo_office, {**CLAIM, **change})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["location"] == place
    assert await demo_office.log() == []


@pytest.mark.parametrize("levels", [31, 32, 40, 5000])
async def test_data_is_not_deep(demo_office: Office, levels: int) -> None:
    nested = '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)
    answer = await demo_office.house.admin.post(
        f"/v1/admin/{demo_office.practicepass}/log",
        content='{"Scope": "Claims", "Event": "claim.paid", "Data": ' + nested + "}",
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == (201 if levels <= 31 else 400)


@pytest.mark.parametrize("body", [[], [CLAIM] * 101])
async def test_a_list_has_its_bounds(demo_office: Office, body: Any) -> None:
    assert (await append(demo_office, body)).status_code == 400


async def test_an_unknown_practice_is_told(demo_office: Office) -> None:
    answer = await demo_office.house.admin.post("/v1/admin/NoSuchOffice/log", json=CLAIM)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_practice")


async def test_only_the_admin_may_append(demo_office: Office) -> None:
    answer = await demo_office.partner_global.post(f"/admin/{demo_office.practicepass}/log", json=CLAIM)
    assert answer.status_code == 401


SQL = "SELECT append_to_log($1, 'Claims', 'claim.paid', 4711, $2::text::jsonb)"


async def test_an_emr_appends_by_sql_under_a_role_that_may_do_nothing_else(
    demo_office: Office, owner: asyncpg.Connection
) -> None:
    await happen(demo_office, 2)
    await owner.execute("SET ROLE officepro_emr")
    try:
        assert await owner.fetchval(SQL, demo_office.practice_id, '{"ClaimID": 4711}') == 3
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute("SELECT * FROM log")
        with pytest.raises(asyncpg.RaiseError, match="there is no practice"):
            await owner.fetchval(SQL, 2**62, "{}")
        with pytest.raises(asyncpg.RaiseError, match="JSON object"):
            await owner.fetchval(SQL, demo_office.practice_id, "[]")
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.fetchval(SQL.replace("'Claims'", "'Secrets'"), demo_office.practice_id, "{}")
    finally:
        await owner.execute("RESET ROLE")
    await happen(demo_office)

    assert [row["log_id"] for row in await demo_office.log()] == [1, 2, 3, 4]


async def test_the_function_works_for_an_owner_who_is_no_superuser(
    demo_office: Office, owner: asyncpg.Connection
) -> None:
    """On a server of one's own the schema's owner is an ordinary login, whom the forced wall holds as well."""
    transaction = owner.transaction()
    await transaction.start()
    try:
        await owner.execute(
            """
            CREATE ROLE plain_owner;
            GRANT CREATE, USAGE ON SCHEMA public TO plain_owner;
            ALTER TABLE log OWNER TO plain_owner; ALTER TABLE log_head OWNER TO plain_owner;
            ALTER FUNCTION append_to_log OWNER TO plain_owner;
            ALTER POLICY appended_by_function ON log TO plain_owner;
            ALTER POLICY appended_by_function ON log_head TO plain_owner;
            """
        )
        await owner.execute("SET LOCAL ROLE officepro_emr")
        assert await owner.fetchval(SQL, demo_office.practice_id, "{}") == 1
    finally:
        await transaction.rollback()
