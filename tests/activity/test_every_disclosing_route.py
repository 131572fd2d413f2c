"""Each route whose answer may tell of a person is called, and has put on record whom it told of."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar

from officepro.documentation.document import handlers
from tests.activity.conftest import ledger_of
from tests.world import Office

Call = Callable[[Office], Awaitable[httpx.Response]]


def next_monday() -> str:
    today = date.today()  # noqa: DTZ011
    return (today + timedelta(days=7 - today.weekday())).isoformat()


def visit(office: Office, **changes: Any) -> dict[str, Any]:
    return {
        "PatientID": office.ada,
        "ProviderID": 1,
        "VisitType": "Consult",
        "VisitDate": next_monday(),
        "VisitTime": "10:00:00",
        "VisitDuration": 30,
    } | changes


async def booked(office: Office) -> int:
    answer = await office.partner.post("/visits/book", json=visit(office))
    assert answer.status_code == 201, answer.text
    await office.house.owner.execute("DELETE FROM disclosure WHERE practice_id = $1", office.practice_id)
    await office.house.owner.execute("DELETE FROM disclosure_head WHERE practice_id = $1", office.practice_id)
    return int(answer.json()["data"]["VisitID"])


async def move(office: Office) -> httpx.Response:
    return await office.partner.patch(f"/visits/{await booked(office)}", json={"VisitTime": "11:00:00"})


async def get_visit(office: Office) -> httpx.Response:
    return await office.partner.get(f"/visits/{await booked(office)}")


async def list_visits(office: Office) -> httpx.Response:
    await booked(office)
    return await office.partner.get("/visits")


async def cancel(office: Office) -> httpx.Response:
    return await office.partner.post(f"/visits/{await booked(office)}/cancel", json={"Reason": "called"})


async def book_held(office: Office) -> httpx.Response:
    asked = {name: value for name, value in visit(office).items() if name != "PatientID"}
    held = await office.partner.post("/visits/hold", json=asked)
    return await office.partner.post("/visits/book", json=visit(office, HoldID=held.json()["data"]["HoldID"]))


async def pull_events(office: Office) -> httpx.Response:
    await booked(office)
    return await office.partner.get("/events?limit=100")


# Another that tells of a person comes here, under its handler's name.
CALLS: dict[str, list[Call]] = {
    "list_prospects": [
        lambda office: office.partner.get("/prospects"),
        lambda office: office.partner.get("/prospects?search=ada"),
    ],
    "search_prospects": [
        lambda office: office.partner.post("/prospects/search", json={}),
        lambda office: office.partner.post("/prospects/search", json={"search": "ada"}),
    ],
    "get_prospect": [lambda office: office.partner.get(f"/prospects/{office.ada}")],
    "create_prospect": [lambda office: office.partner.post("/prospects", json={"FirstName": "John"})],
    "update_prospect": [
        lambda office: office.partner.put(f"/prospects/{office.ada}", json={"NickName": "Ada"}),
        lambda office: office.partner.put(f"/prospects/{office.ada}", json={}),
    ],
    "assign_tag": [lambda office: office.partner.post(f"/tags/prospects/{office.ada}", json={"tagId": office.vip})],
    "remove_tag": [lambda office: office.partner.delete(f"/tags/prospects/{office.ada}/{office.vip}")],
    "remove_all_tags": [lambda office: office.partner.delete(f"/tags/prospects/{office.ada}")],
    "list_visits": [list_visits],
    "get_visit": [get_visit],
    "book_visit": [
        lambda office: office.partner.post("/visits/book", json=visit(office)),
        lambda office: office.partner.post("/visits/book?dryRun=true", json=visit(office)),
        book_held,
    ],
    "move_visit": [move],
    "cancel_visit": [cancel],
    "pull_events": [pull_events],
}


def told_of(part: Any) -> set[int]:
    if isinstance(part, list):
        return {one for item in part for one in told_of(item)}
    if isinstance(part, dict):
        own = {part["PatientID"]} if part.get("PatientID") else set()
        return own | {one for item in part.values() for one in told_of(item)}
    return set()


def test_every_route_that_asks_for_the_ledger_is_called_here(inner_app: Litestar) -> None:
    asking = {
        handler.fn.__name__
        for _, _, handler in handlers(inner_app)
        if "disclosures" in handler.parsed_fn_signature.parameters
    }

    assert asking == CALLS.keys()


@pytest.mark.parametrize(
    ("name", "call"), [(name, call) for name, calls in CALLS.items() for call in calls], ids=lambda one: str(one)[:20]
)
async def test_whom_it_tells_of_is_on_record(demo_office: Office, name: str, call: Call) -> None:
    answer = await call(demo_office)

    assert answer.is_success, answer.text
    rows = await ledger_of(demo_office.house.owner, demo_office)
    assert [row["request_id"] for row in rows] == [answer.headers["x-request-id"]]
    assert set(rows[0]["patient_ids"]) == told_of(answer.json()) != set()


@pytest.mark.parametrize(
    "address",
    [
        "/visit-types",
        "/tags",
        "/availability/providers",
        "/availability/providers/1/schedule?startDate={0}&endDate={0}",
    ],
)
async def test_times_without_a_person_are_no_disclosure(demo_office: Office, address: str) -> None:
    await booked(demo_office)

    answer = await demo_office.partner.get(address.format(next_monday()))

    assert answer.is_success, answer.text
    assert told_of(answer.json()) == set()
    assert await ledger_of(demo_office.house.owner, demo_office) == []
