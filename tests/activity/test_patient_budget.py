"""The daily budget of patients per key: what a key can copy in a day is bounded, over all processes of a machine."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from officepro.access.limits import DAY_SECONDS, Limit, Limiter
from officepro.app import create_inner_app, enclose
from officepro.foundation.secrets import key_id_of
from officepro.settings import Settings
from tests.activity.conftest import ledger_of
from tests.conftest import alive
from tests.world import BASE_URL, House, Office, client, issue_token

BUDGET = 5
NOON = 20_000 * DAY_SECONDS + DAY_SECONDS / 2
PATIENTS = Limit("patients", 100, window_seconds=DAY_SECONDS)


@pytest.fixture
async def limited(house: House, demo_office: Office, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The partner's client at an application whose keys have a budget of five patients a day."""
    app = create_inner_app(settings.but(patient_budget_per_day=str(BUDGET)))
    async with alive(app):
        bearer = {"Authorization": f"Bearer {await issue_token(demo_office)}"}
        async with client(enclose(app), BASE_URL + demo_office.path, bearer) as partner:
            yield partner


async def give(office: Office, **fields: Any) -> httpx.Response:
    """A change of the partner's key, by an admin."""
    return await office.house.admin.patch(f"/v1/admin/keys/{key_id_of(office.keys['partner'])}", json=fields)


async def test_a_key_is_refused_when_its_patients_of_the_day_are_used_up(
    demo_office: Office, limited: httpx.AsyncClient
) -> None:
    ada = f"/prospects/{demo_office.ada}"
    answers = [await limited.get(ada) for _ in range(BUDGET + 3)]

    assert [answer.status_code for answer in answers] == [200] * BUDGET + [429] * 3
    assert answers[-1].json()["code"] == "patient_budget_exceeded"
    left = DAY_SECONDS - time.time() % DAY_SECONDS
    assert abs(int(answers[-1].headers["Retry-After"]) - left) < 60
    assert len(await ledger_of(demo_office.house.owner, demo_office)) == BUDGET
    assert (await limited.get("/tags")).status_code == 200  # nobody is in that response
    bearer = {"Authorization": f"Bearer {await issue_token(demo_office, 'newcomer')}"}
    assert (await limited.get(ada, headers=bearer)).status_code == 200  # another key


async def test_a_change_is_refused_before_it_is_made(demo_office: Office, limited: httpx.AsyncClient) -> None:
    ada = f"/prospects/{demo_office.ada}"
    first = await limited.put(ada, json={"FirstName": "Augusta"})
    for _ in range(BUDGET - 1):
        assert (await limited.get(ada)).status_code == 200
    refused = await limited.put(ada, json={"FirstName": "Byron"})
    new = await limited.post("/prospects", json={"FirstName": "Grace", "LastName": "Hopper"})

    assert [answer.status_code for answer in (first, refused, new)] == [200, 429, 429]
    name = await demo_office.house.owner.fetchval(
        "SELECT first_name FROM patient WHERE practice_id = $1 AND patient_id = $2",
        demo_office.practice_id,
        demo_office.ada,
    )
    assert name == "Augusta"
    assert len(await ledger_of(demo_office.house.owner, demo_office)) == BUDGET


async def test_many_at_once_get_the_budget_and_no_more(demo_office: Office, limited: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(limited.get(f"/prospects/{demo_office.ada}") for _ in range(24)))

    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == BUDGET
    assert statuses.count(429) == 24 - BUDGET


async def test_a_list_counts_everybody_on_it_and_the_one_that_crosses_the_budget_is_sent(
    demo_office: Office, limited: httpx.AsyncClient
) -> None:
    await demo_office.house.owner.execute(
        """
        INSERT INTO patient (practice_id, patient_id, first_name, last_name)
        SELECT $1, 5000 + n, 'Many', 'Patients' FROM generate_series(1, 3) AS n
        """,
        demo_office.practice_id,
    )
    answers = [await limited.get("/prospects") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [len(answer.json()["data"]) for answer in answers[:2]] == [4, 4]


async def test_a_key_can_have_a_budget_of_its_own(demo_office: Office, limited: httpx.AsyncClient) -> None:
    ada = f"/prospects/{demo_office.ada}"
    assert (await give(demo_office, patientBudgetPerDay=2)).json()["data"]["patientBudgetPerDay"] == 2
    assert [(await limited.get(ada)).status_code for _ in range(3)] == [200, 200, 429]

    unlimited = await give(demo_office, patientBudgetPerDay=0)
    assert unlimited.json()["data"]["purpose"] == "other"
    states = limited._transport.app._app.state.gate._states  # type: ignore[attr-defined]
    states._known.clear()
    assert [(await limited.get(ada)).status_code for _ in range(BUDGET + 2)] == [200] * (BUDGET + 2)

    assert (await give(demo_office, patientBudgetPerDay=None)).json()["data"]["patientBudgetPerDay"] is None
    states._known.clear()
    assert (await limited.get(ada)).status_code == 200  # two are counted; what came without a budget is not


@pytest.mark.parametrize("budget", [-1, 10_000_001, "many", 1.5])
async def test_a_budget_that_is_none_is_refused(demo_office: Office, budget: object) -> None:
    answer = await give(demo_office, patientBudgetPerDay=budget)

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == ["body.patientBudgetPerDay"]


async def test_a_new_key_has_the_budget_that_it_is_given_and_its_successor_too(demo_office: Office) -> None:
    house = demo_office.house
    partner_id = await house.owner.fetchval("INSERT INTO partner (company) VALUES ('Budget') RETURNING partner_id")
    new = {"partnerId": partner_id, "practicepass": demo_office.practicepass, "name": "k", "patientBudgetPerDay": 7}
    made = (await house.admin.post("/v1/admin/keys", json=new)).json()["data"]
    rotated = (await house.admin.post(f"/v1/admin/keys/{made['keyId']}/rotate", json={"graceSeconds": 0})).json()

    assert (made["patientBudgetPerDay"], rotated["data"]["patientBudgetPerDay"]) == (7, 7)


async def test_without_a_budget_nothing_is_counted(demo_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def count(*_: object, **__: object) -> None:
        raise AssertionError("counted")

    monkeypatch.setattr(Limiter, "spend_of_day", count)
    assert (await demo_office.partner.get(f"/prospects/{demo_office.ada}")).status_code == 200


async def test_refusals_are_a_figure(demo_office: Office, limited: httpx.AsyncClient) -> None:
    for _ in range(BUDGET + 2):
        await limited.get(f"/prospects/{demo_office.ada}")
    text = (await limited.get(f"{BASE_URL}/metrics")).text

    assert "officepro_patient_budget_exceeded_total 2.0" in text.splitlines()


@pytest.fixture
def limiters(tmp_path: Path) -> Iterator[list[Limiter]]:
    """Two processes' own, of one file."""
    both = [Limiter(tmp_path / "limits.bin"), Limiter(tmp_path / "limits.bin")]
    yield both
    for one in both:
        one.close()


def test_a_day_s_count_is_exact_over_processes_and_ends_with_the_day(limiters: list[Limiter]) -> None:
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        counted = [
            pool.submit(
                lambda limiter: [limiter.spend_of_day(PATIENTS, "7", 1, now=NOON).allowed for _ in range(80)], each
            )
            for pool, each in zip((one, other), limiters, strict=True)
        ]
        allowed = [is_allowed for future in counted for is_allowed in future.result()]

    assert allowed.count(True) == 100
    refused = limiters[0].spend_of_day(PATIENTS, "7", 1, now=NOON + 3600)
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert refused.retry_after_seconds == DAY_SECONDS / 2 - 3600
    assert limiters[0].spend_of_day(PATIENTS, "7", 1, now=NOON + DAY_SECONDS / 2).allowed
    assert limiters[1].spend_of_day(PATIENTS, "7", 0, now=NOON + DAY_SECONDS).remaining == 99


@pytest.mark.parametrize("amount", [1, 99, 10_000_000])
def test_counts_of_any_size_are_exact(limiters: list[Limiter], amount: int) -> None:
    limit, [limiter, _] = Limit(f"of {amount}", amount, window_seconds=DAY_SECONDS), limiters
    assert limiter.spend_of_day(limit, "7", amount - 1, now=NOON).remaining == 1
    assert limiter.spend_of_day(limit, "7", 100, now=NOON).allowed  # the last ones may exceed it
    assert not limiter.spend_of_day(limit, "7", 1, now=NOON).allowed
    assert not limiter.spend_of_day(limit, "7", 1, is_forced=True, now=NOON).allowed


def test_a_clock_that_jumps_a_day_and_back_loses_no_more_than_the_day_s_count(limiters: list[Limiter]) -> None:
    limiter = limiters[0]
    limiter.spend_of_day(PATIENTS, "7", 100, now=NOON + DAY_SECONDS)

    assert limiter.spend_of_day(PATIENTS, "7", 100, now=NOON).allowed
    assert not limiter.spend_of_day(PATIENTS, "7", 1, now=NOON).allowed
