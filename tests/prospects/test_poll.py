"""A partner that asks again and again for what was changed since the last stamp it has seen misses nothing."""

import asyncio
import random

from officepro.foundation.database import Database
from officepro.prospects import queries
from tests.world import Office

WRITERS, CHANGES_EACH = 6, 12


async def changed_since(office: Office, since: str) -> tuple[dict[int, str], str]:
    """By number, the nickname that each had then; and the newest stamp, to go on from."""
    page = (await office.partner.get("/prospects", params={"updatedSince": since, "limit": 100})).json()["data"]
    return {person["PatientID"]: person["NickName"] for person in page}, max(person["UpdatedAt"] for person in page)


async def newest_stamp(office: Office) -> str:
    stamp = await office.house.owner.fetchval(
        "SELECT to_json(max(updated_at)) #>> '{}' FROM patient WHERE practice_id = $1", office.practice_id
    )
    return str(stamp)


async def test_a_change_that_was_long_under_way_is_stamped_when_it_comes(
    demo_office: Office, database: Database
) -> None:
    other = (await demo_office.partner.post("/prospects", json={"FirstName": "Grace"})).json()["data"]["PatientID"]
    async with database.practice_transaction(demo_office.practice_id) as slow:
        await slow.fetchval("SELECT now()")  # its transaction has begun
        await demo_office.partner.put(f"/prospects/{other}", json={"NickName": "quick"})
        seen = await newest_stamp(demo_office)
        await queries.update(slow, demo_office.practice_id, demo_office.ada, {"nick_name": "slow"}, None)

    assert (await changed_since(demo_office, seen))[0].get(demo_office.ada) == "slow"


async def test_who_writes_while_another_has_not_yet_committed_is_stamped_behind_it(
    demo_office: Office, database: Database
) -> None:
    async with database.practice_transaction(demo_office.practice_id) as first:
        await queries.update(first, demo_office.practice_id, demo_office.ada, {"nick_name": "first"}, None)
        creating = asyncio.create_task(demo_office.partner.post("/prospects", json={"FirstName": "Grace"}))
        await asyncio.sleep(0.3)
        assert not creating.done()
    made = (await creating).json()["data"]

    stamps = await demo_office.house.owner.fetch(
        "SELECT patient_id FROM patient WHERE practice_id = $1 ORDER BY updated_at", demo_office.practice_id
    )
    assert [row["patient_id"] for row in stamps] == [demo_office.ada, made["PatientID"]]
    assert made["CreatedAt"] == made["UpdatedAt"]


async def test_many_writers_and_one_who_polls(demo_office: Office, database: Database) -> None:
    made = [await demo_office.partner.post("/prospects", json={"FirstName": "Grace"}) for _ in range(WRITERS)]
    people = [answer.json()["data"]["PatientID"] for answer in made]
    heard: dict[int, str] = {}
    chance = random.Random(7)

    async def write(patient_id: int) -> None:
        for number in range(CHANGES_EACH):
            async with database.practice_transaction(demo_office.practice_id) as db:
                await db.fetchval("SELECT now()")
                await asyncio.sleep(chance.random() * 0.02)
                change = {"nick_name": str(number)}
                await queries.update(db, demo_office.practice_id, patient_id, change, None)
                await asyncio.sleep(chance.random() * 0.005)

    async def poll(until: asyncio.Event) -> None:
        seen = await newest_stamp(demo_office)
        while True:
            is_over = until.is_set()
            found, seen = await changed_since(demo_office, seen)
            heard.update(found)
            if is_over:
                return

    over = asyncio.Event()
    polling = asyncio.create_task(poll(over))
    await asyncio.gather(*(write(patient_id) for patient_id in people))
    over.set()
    await polling

    assert {patient_id: heard.get(patient_id) for patient_id in people} == dict.fromkeys(people, str(CHANGES_EACH - 1))
