"""Searches of the same moment share a statement, and nothing else; each is on record when it is answered."""

import asyncio
from typing import Any

import msgspec
import pytest

from officepro.activity.verification import verify
from officepro.foundation.database import Database
from officepro.foundation.joining import write_together
from officepro.foundation.paging import Page
from officepro.prospects import queries
from officepro.prospects.queries import Filter
from officepro.prospects.searches import SEARCH
from officepro.prospects.shapes import Prospect, ProspectFields
from tests.activity.conftest import ledger_of
from tests.prospects.test_newcomers import EVERYTHING
from tests.world import House, Office

AWKWARD = {
    "FirstName": 'Ada "Countess" \\ Lovelace',
    "LastName": "O'Neil\t\u00fc\u2028",
    "NickName": "<&>",
    "EMail": "ada@example.com",
    "Address": "line\nline",
    "Notes": "{}[]:,\u0001\U0001f600",
    "DOB": "1915-12-10",
    "Prospect": 0,
}
NEARLY_NOBODY = {"FullName": "Adam"}


def found_by(beginning: str, office: Office, **others: object) -> dict[str, Any]:
    low, high = queries.range_of(beginning)
    asked: dict[str, Any] = {"api_key_id": 7, "partner_id": 8, "method": "GET", "endpoint": "/", "request_id": "r"}
    asked |= {"practice_id": office.practice_id, "beginning": low, "ending": high}
    return asked | {"only_prospects": False, "most": 25, "before": 0} | others


async def add(office: Office, **fields: object) -> int:
    answer = await office.partner.post("/prospects", json=fields)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["data"]["PatientID"])


async def search(office: Office, word: str, **others: int) -> dict[str, Any]:
    answer = await office.partner.get("/prospects", params={"search": word, **others})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def everything() -> dict[str, Any]:
    names = {field.name: field.encode_name for field in msgspec.structs.fields(ProspectFields)}
    return {names[column]: value for column, value in EVERYTHING.items()} | {"DOB": "1915-12-10"}


@pytest.mark.parametrize("fields", [everything(), AWKWARD, NEARLY_NOBODY])
@pytest.mark.parametrize("query", [{"search": "ada"}, {"search": "ad"}, {}])
async def test_a_person_in_a_list_reads_to_the_byte_as_the_person_alone(
    demo_office: Office, fields: dict[str, Any], query: dict[str, str]
) -> None:
    """The one is told by the database, the other by us."""
    fields = fields | {"EMail": "ada.of.this.test@example.com"}
    patient_id = await add(demo_office, **fields)
    for tag_id in (demo_office.vip, demo_office.newsletter):
        worn = await demo_office.partner.post(f"/tags/prospects/{patient_id}", json={"tagId": tag_id})
        assert worn.status_code == 200, worn.text

    alone = (await demo_office.partner.get(f"/prospects/{patient_id}")).text
    listed = (await demo_office.partner.get("/prospects", params=query)).text

    body = alone.removeprefix('{"data":').removesuffix(',"PtImg":null}}')
    assert body != alone
    told, rest = body.split(',"Tags":')
    assert f"{told}," in listed
    assert msgspec.json.decode(rest) in [one["Tags"] for one in msgspec.json.decode(listed)["data"]]


async def test_every_field_of_the_shape_is_told(demo_office: Office) -> None:
    answer = await search(demo_office, "ada")
    names = [field.encode_name for field in msgspec.structs.fields(Prospect) if field.name != "picture"]
    assert list(answer["data"][0]) == names


async def test_it_finds_whom_the_statement_for_one_finds(
    demo_office: Office, straight_database: Database, house: House
) -> None:
    for number in range(7):
        await add(demo_office, FirstName="Adam", LastName=f"Adamson{number}", EMail=f"adam{number}@example.com")
        await add(demo_office, FirstName="Adaline", Prospect=0)

    for beginning in ("ada", "adam", "adamson3", "adal", "zzz"):
        for only in (False, True):
            for number in (1, 2, 9):
                wanted, page = Filter(beginnings=[beginning], only_prospects=only), Page(number, 3)
                asked = found_by(beginning, demo_office, only_prospects=only, most=3, before=page.offset)
                async with straight_database.practice(demo_office.practice_id) as db:
                    theirs = await queries.some(db, demo_office.practice_id, wanted, page)
                async with straight_database.unbound() as db:
                    [ours] = await write_together(db, SEARCH, [asked])
                assert (ours["patient_ids"] or [], ours["people"] or "") == (theirs.patient_ids, theirs.people)
                assert ours["total"] == theirs.total


async def test_whom_several_words_lead_to_comes_once_whatever_the_page(demo_office: Office) -> None:
    adams = [await add(demo_office, FirstName="Adamo", LastName="Adamos", EMail=f"adamo{n}@x.org") for n in range(5)]

    pages = [await search(demo_office, "adamo", limit=2, page=number) for number in (1, 2, 3, 4)]

    assert [page["total"] for page in pages] == [5] * 4
    assert [one["PatientID"] for page in pages for one in page["data"]] == adams


async def test_at_once_each_is_in_its_practice_and_on_record(
    demo_office: Office, berlin_office: Office, straight_database: Database
) -> None:
    """They come in no order of practices, and twice of each."""
    offices = [berlin_office, demo_office, berlin_office, demo_office]
    for office, name in ((demo_office, "Adademo"), (berlin_office, "Adaberlin")):
        await add(office, FirstName=name)
    before = {office.practice_id: len(await ledger_of(office.house.owner, office)) for office in offices}

    async with straight_database.unbound() as db:
        found = await write_together(
            db, SEARCH, [found_by("ada", office, request_id=f"r{place}") for place, office in enumerate(offices)]
        )

    for place, (office, row) in enumerate(zip(offices, found, strict=True)):
        mine, other = ("Adademo", "Adaberlin") if office is demo_office else ("Adaberlin", "Adademo")
        assert mine in row["people"]
        assert other not in row["people"]
        rows = (await ledger_of(office.house.owner, office))[before[office.practice_id] :]
        assert [one["patient_ids"] for one in rows if one["request_id"] == f"r{place}"] == [row["patient_ids"]]
        assert len(rows) == 2
        [verified] = [one async for one in verify(straight_database, office.practicepass)]
        assert verified.faults == []


async def test_the_wall_holds_though_the_statement_forgets_the_practice(
    demo_office: Office, berlin_office: Office, straight_database: Database, house: House
) -> None:
    await add(berlin_office, FirstName="Adaberlin")
    forgetful = SEARCH
    for alias in ("token", "p", "pt"):
        assert f"{alias}.practice_id = this.practice_id" in forgetful
        forgetful = forgetful.replace(f"{alias}.practice_id = this.practice_id", f"{alias}.practice_id > 0")
    # Not "ada", whom every practice of the tests has: a page holds 25 of them.
    asked = msgspec.json.encode([found_by("adaberlin", demo_office)]).decode()

    async with straight_database.unbound() as db:
        [walled] = await db.fetch(forgetful, asked)
    control = house.owner.transaction()
    await control.start()
    try:
        [unwalled] = await house.owner.fetch(forgetful, asked)
    finally:
        await control.rollback()

    assert "Adaberlin" not in (walled["people"] or "")
    assert "Adaberlin" in unwalled["people"]


async def test_who_finds_nobody_leaves_no_record(demo_office: Office) -> None:
    answer = await search(demo_office, "nobody")

    assert (answer["data"], answer["count"], answer["total"]) == ([], 0, 0)
    assert await ledger_of(demo_office.house.owner, demo_office) == []


async def test_what_cannot_be_put_on_record_is_not_told(demo_office: Office, house: House) -> None:
    """Neither by a word that is searched for together, nor by one that is not; and not to who searched beside it."""
    await house.owner.execute("ALTER TABLE disclosure ADD CONSTRAINT nothing_goes CHECK (false) NOT VALID")
    try:
        words = ["ada", "ada", "love", "a", "ada love"]
        params = [{"search": word} for word in words]
        answers = await asyncio.gather(*(demo_office.partner.get("/prospects", params=one) for one in params))
    finally:
        await house.owner.execute("ALTER TABLE disclosure DROP CONSTRAINT nothing_goes")

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "not_on_record")
        assert "Ada" not in answer.text
        assert answer.headers["retry-after"] == "1"
    assert len((await search(demo_office, "ada"))["data"]) == 1


def test_several_words_or_a_tag_are_not_for_that_statement() -> None:
    assert Filter(beginnings=["ada"]).is_one_word
    assert Filter(beginnings=["a"], only_prospects=True).is_one_word
    others = [Filter(), Filter(beginnings=[]), Filter(beginnings=["ada", "love"]), Filter(beginnings=["ada"], tag_id=1)]
    assert not any(other.is_one_word for other in others)
