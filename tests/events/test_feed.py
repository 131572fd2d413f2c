"""GET /v1/{PPass}/events: the log to pull, by number."""

import pytest

from officepro.access.scopes import DEFAULT_SCOPES
from tests.activity.conftest import ledger_of
from tests.webhooks.acts import happen
from tests.world import BASE_URL, House, Office, client, make_key


async def test_events_come_in_order_of_the_log_with_the_ids_that_deliveries_have(demo_office: Office) -> None:
    await demo_office.partner.post("/tags/prospects/1001", json={"tagId": 1})
    await happen(demo_office)
    answer = (await demo_office.partner.get("/events?after=0&limit=10")).json()

    first, second = answer["data"]
    occurred = first.pop("occurredAt")
    assert occurred <= second["occurredAt"]
    assert first == {
        "event": "patient.tagged",
        "scope": "Patients",
        "eventId": f"evt_{demo_office.practice_id}_1",
        "logId": 1,
        "practicepass": demo_office.practicepass,
        "data": {"PatientID": 1001, "TagID": 1},
    }
    assert second["event"] == "claim.paid"
    del answer["data"]
    assert answer == {"count": 2, "nextAfter": 2, "lastLogId": 2, "firstLogId": 1}


async def test_whoever_follows_next_after_misses_nothing(demo_office: Office) -> None:
    numbers = await happen(demo_office, 25)
    after, seen = 0, []
    while True:
        answer = (await demo_office.partner.get(f"/events?after={after}&limit=4")).json()
        seen += [event["logId"] for event in answer["data"]]
        after = answer["nextAfter"]
        if after == answer["lastLogId"]:
            break

    assert seen == numbers


async def test_only_the_scopes_of_the_key_are_told_and_the_rest_is_passed_over(demo_office: Office) -> None:
    key = await make_key(demo_office.house, "payments alone", frozenset({"Payments"}), demo_office.practice_id)
    demo_office.keys["payments"] = key
    await happen(demo_office, 3)
    await happen(demo_office, scope="Payments", event="payment.received")
    await happen(demo_office, 3)
    bearer = {"Authorization": f"Bearer {await demo_office.token('payments')}"}
    async with client(demo_office.house.app, BASE_URL + demo_office.path, bearer) as partner:
        answer = (await partner.get("/events")).json()

    assert [event["logId"] for event in answer["data"]] == [4]
    assert (answer["nextAfter"], answer["lastLogId"]) == (7, 7)


async def test_one_request_looks_at_so_much_of_the_log_and_no_more(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("officepro.events.reading.MAXIMUM_LOOKED_AT", 5)
    await happen(demo_office, 12)
    await happen(demo_office, scope="Payments", event="payment.received")
    after, found = 0, []
    for _ in range(3):
        answer = (await demo_office.partner.get(f"/events?after={after}")).json()
        after = answer["nextAfter"]
        found.append(after)

    assert found == [5, 10, 13]


async def test_a_key_without_any_scope_of_events_is_told_so(demo_office: Office) -> None:
    assert not DEFAULT_SCOPES & {"Patients", "Claims"}
    answer = await demo_office.newcomer.get("/events")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


async def test_another_practice_s_log_is_out_of_reach(demo_office: Office, berlin_office: Office) -> None:
    answer = await demo_office.partner_global.get(f"/{berlin_office.practicepass}/events")
    assert answer.status_code == 403


async def test_an_empty_log_is_no_error(demo_office: Office) -> None:
    answer = (await demo_office.partner.get("/events?after=7")).json()
    assert answer == {"data": [], "count": 0, "nextAfter": 7, "lastLogId": 0, "firstLogId": None}


@pytest.mark.parametrize("query", ["after=-1", "after=9223372036854775808", "limit=0", "limit=101", "before=7"])
async def test_what_is_no_place_in_the_log_is_refused(demo_office: Office, query: str) -> None:
    assert (await demo_office.partner.get(f"/events?{query}")).status_code == 400


async def test_what_an_emr_puts_into_data_is_recorded_as_disclosed_too(house: House, demo_office: Office) -> None:
    """At any depth, one or several, as numbers or as digits; what is no id of a patient is left out."""
    data = [
        {"ClaimID": 1, "Patient": {"PatientID": 1001}},
        {"PatientID": [1002, 1003], "lines": [{"PatientID": "1004"}]},
        {"PatientID": None, "note": {"PatientID": {"deep": 1}}, "more": [{"PatientID": 2**70}, {"PatientID": "x"}]},
    ]
    entries = [{"Scope": "Claims", "Event": "claim.paid", "Data": one} for one in data]
    appended = await house.admin.post(f"/v1/admin/{demo_office.practicepass}/log", json=entries)
    assert appended.status_code == 201, appended.text

    answer = await demo_office.partner.get("/events")

    [row] = await ledger_of(house.owner, demo_office)
    assert row["patient_ids"] == [1001, 1002, 1003, 1004]
    assert (row["endpoint"], row["request_id"]) == ("/v1/{PPass}/events", answer.headers["x-request-id"])


async def test_events_about_no_patient_are_no_disclosure(house: House, demo_office: Office) -> None:
    entry = {"Scope": "Claims", "Event": "claim.paid", "Data": {"ClaimID": 1}}
    await house.admin.post(f"/v1/admin/{demo_office.practicepass}/log", json=entry)

    assert (await demo_office.partner.get("/events")).json()["count"] == 1
    assert await ledger_of(house.owner, demo_office) == []
