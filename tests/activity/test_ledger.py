"""Every answer about a person has its row before it leaves; many share a commit, and none leaves without."""

import asyncio

import asyncpg
import httpx
import pytest
from litestar import Litestar

from officepro.activity import disclosure_queries
from officepro.activity.ledger import Disclosure, Ledger, NotOnRecord
from officepro.activity.verification import verify
from officepro.foundation.database import Database, DatabaseUnavailable
from tests.activity.conftest import ledger_of
from tests.world import House, Office


def disclosure(office: Office, number: int, patient_ids: list[int] | None = None) -> Disclosure:
    return Disclosure(
        office.practice_id, 7, 8, "GET", "/v1/{PPass}/prospects", f"request-{number}", patient_ids or [1001]
    )


async def faults(database: Database, office: Office) -> list[str]:
    [found] = [one async for one in verify(database, office.practicepass)]
    return found.faults


async def test_an_answer_has_its_row(demo_office: Office) -> None:
    answer = await demo_office.partner.get(f"/prospects/{demo_office.ada}")

    [row] = await ledger_of(demo_office.house.owner, demo_office)
    assert (row["number"], row["method"], row["endpoint"]) == (1, "GET", "/v1/{PPass}/prospects/{id}")
    assert row["patient_ids"] == [demo_office.ada]
    assert row["request_id"] == answer.headers["x-request-id"]
    assert row["api_key_id"] == int(demo_office.keys["partner"].split("_")[1])


async def test_a_list_is_one_row_with_everybody_on_it(demo_office: Office) -> None:
    john = (await demo_office.partner.post("/prospects", json={"FirstName": "John"})).json()["data"]["PatientID"]
    await demo_office.partner.get("/prospects")

    assert (await ledger_of(demo_office.house.owner, demo_office))[-1]["patient_ids"] == [demo_office.ada, john]


async def test_an_empty_list_tells_of_nobody(demo_office: Office) -> None:
    await demo_office.partner.get("/prospects?search=nobody")
    await demo_office.partner.get("/prospects/77")

    assert await ledger_of(demo_office.house.owner, demo_office) == []


async def test_a_repeated_answer_is_a_disclosure_of_its_own(demo_office: Office) -> None:
    _, answer = [
        await demo_office.partner.post("/prospects", json={"FirstName": "John"}, headers={"Idempotency-Key": "once"})
        for _ in range(2)
    ]

    assert answer.headers["idempotent-replay"] == "true"
    first, second = await ledger_of(demo_office.house.owner, demo_office)
    assert first["patient_ids"] == second["patient_ids"] == [answer.json()["data"]["PatientID"]]
    assert second["request_id"] == answer.headers["x-request-id"]


async def test_what_is_read_at_once_is_all_there_in_few_commits(
    demo_office: Office, berlin_office: Office, inner_app: Litestar, database: Database
) -> None:
    ledger: Ledger = inner_app.state.ledger
    rows, writes = ledger.rows, ledger.writes

    reads = [
        office.partner.get(f"/prospects/{office.ada}") for office in (demo_office, berlin_office) for _ in range(30)
    ]
    answers = await asyncio.gather(*reads)

    assert {answer.status_code for answer in answers} == {200}
    assert ledger.rows - rows == 60
    assert ledger.writes - writes < 30
    assert ledger.waiting == 0
    told = {answer.headers["x-request-id"] for answer in answers}
    kept = [row for office in (demo_office, berlin_office) for row in await ledger_of(office.house.owner, office)]
    assert {row["request_id"] for row in kept} == told
    assert len(kept) == 60
    assert await faults(database, demo_office) == await faults(database, berlin_office) == []


async def test_workers_that_write_at_once_make_one_chain(demo_office: Office, database: Database) -> None:
    """Three ledgers, as three workers have them; each statement finds the head that the one before it left."""
    ledgers = [Ledger(database) for _ in range(3)]

    async def read(ledger: Ledger, first: int) -> None:
        for number in range(40):
            await ledger.record(disclosure(demo_office, first + number, [number + 1, number + 2]))

    await asyncio.gather(*(read(ledger, 1000 * place) for place in range(12) for ledger in [ledgers[place % 3]]))

    rows = await ledger_of(demo_office.house.owner, demo_office)
    assert [row["number"] for row in rows] == list(range(1, 481))
    assert [row["happened_at"] for row in rows] == sorted(row["happened_at"] for row in rows)
    assert await faults(database, demo_office) == []


async def test_what_cannot_be_put_on_record_is_not_told(demo_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> int:
        raise DatabaseUnavailable

    for write in ("append", "append_to_several"):
        monkeypatch.setattr(disclosure_queries, write, away)
    answers = await asyncio.gather(*(demo_office.partner.get(f"/prospects/{demo_office.ada}") for _ in range(5)))

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "not_on_record")
        assert "Ada" not in answer.text
        assert answer.headers["retry-after"] == "1"
    monkeypatch.undo()
    assert (await demo_office.partner.get(f"/prospects/{demo_office.ada}")).status_code == 200
    assert len(await ledger_of(demo_office.house.owner, demo_office)) == 1


async def test_a_change_that_cannot_be_put_on_record_says_that_it_was_made(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> int:
        raise DatabaseUnavailable

    async def create() -> httpx.Response:
        return await demo_office.partner.post(
            "/prospects", json={"FirstName": "Grace"}, headers={"Idempotency-Key": "once"}
        )

    for write in ("append", "append_to_several"):
        monkeypatch.setattr(disclosure_queries, write, away)
    for _ in range(2):
        answer = await create()
        assert (answer.status_code, answer.json()["code"]) == (503, "change_not_told")
        assert "Grace" not in answer.text
    monkeypatch.undo()
    told = await create()

    assert (told.status_code, told.headers["Idempotent-Replay"]) == (201, "true")
    assert len(await demo_office.log()) == 1
    assert len(await ledger_of(demo_office.house.owner, demo_office)) == 1


async def test_a_failure_that_nobody_foresaw_withholds_the_answer_too(demo_office: Office, database: Database) -> None:
    with pytest.raises(NotOnRecord):
        await Ledger(database).record(disclosure(demo_office, 1, [2**64]))


async def test_a_caller_who_has_gone_holds_up_nobody(demo_office: Office, database: Database) -> None:
    ledger = Ledger(database)
    waiting = [asyncio.create_task(ledger.record(disclosure(demo_office, number))) for number in range(6)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[3].cancel()

    ended = await asyncio.gather(*waiting, return_exceptions=True)

    assert [one for one in ended if one is not None and not isinstance(one, asyncio.CancelledError)] == []
    assert len(await ledger_of(demo_office.house.owner, demo_office)) == 6
    assert await faults(database, demo_office) == []


@pytest.mark.parametrize(
    "deed", ["UPDATE disclosure SET request_id = ''", "DELETE FROM disclosure", "TRUNCATE disclosure"]
)
@pytest.mark.parametrize("role", ["officepro_app", "officepro_system"])
async def test_neither_role_may_change_or_delete_a_row(
    house: House, demo_office: Office, database: Database, deed: str, role: str
) -> None:
    way = database.practice(demo_office.practice_id) if role == "officepro_app" else database.system()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with way as db:
            await db.execute(deed)


async def test_what_is_wrong_with_one_practice_harms_no_other(
    demo_office: Office, berlin_office: Office, inner_app: Litestar, owner: asyncpg.Connection
) -> None:
    ledger: Ledger = inner_app.state.ledger

    def told(office: Office, endpoint: str) -> Disclosure:
        return Disclosure(office.practice_id, 1, 1, "GET", endpoint, "r" * 24, [office.ada])

    outcomes = await asyncio.gather(
        ledger.record(told(demo_office, "/one")),
        ledger.record(told(demo_office, "/in\nthe/way")),  # no row may have two lines: the chain is made of lines
        ledger.record(told(berlin_office, "/two")),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [NotOnRecord, NotOnRecord, type(None)]
    assert [row["endpoint"] for row in await ledger_of(owner, demo_office)] == []
    assert [row["endpoint"] for row in await ledger_of(owner, berlin_office)] == ["/two"]


async def test_what_waits_to_be_sorted_in_is_soon_sorted_in(demo_office: Office) -> None:
    """The index by patient keeps a list of what is new; who makes it too long sorts it all in, and others wait."""
    owner = demo_office.house.owner
    async with owner.transaction():
        await owner.execute("SELECT gin_clean_pending_list('disclosure_of_patient')")
        await owner.execute(
            """
            INSERT INTO disclosure (practice_id, number, happened_at, api_key_id, partner_id, method, endpoint,
                                    request_id, patient_ids, sha256)
            SELECT $1, 1000 + number, now(), 7, 8, 'GET', '/v1/{PPass}/prospects', 'request',
                   ARRAY(SELECT generate_series(25 * number, 25 * number + 24)), sha256('')
            FROM generate_series(1, 1000) AS number
            """,
            demo_office.practice_id,
        )
        waiting_bytes = 8192 * await owner.fetchval("SELECT gin_clean_pending_list('disclosure_of_patient')")
        await owner.execute("DELETE FROM disclosure WHERE number > 1000")

    assert 0 < waiting_bytes <= 300 * 1024
