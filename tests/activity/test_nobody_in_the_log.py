"""Canaries: a marked person is led through every feature, and whatever we keep of that, nothing of it knows them.

Looked through are every table but those that are about people, the service's own output, PostgreSQL's log, the
metrics, what webhooks were sent, what admins are shown, and every refusal.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, timedelta

import asyncpg
import httpx
import msgspec
import pytest

from officepro.activity.recorder import Done, Recorder
from officepro.app import create_inner_app, enclose
from officepro.foundation.embedded import EmbeddedServer
from officepro.prospects.shapes import ProspectFields
from officepro.settings import Settings
from officepro.webhooks.dispatcher import Dispatcher, dispatcher
from tests.activity.conftest import Written
from tests.conftest import alive
from tests.portal.test_pages import log_in
from tests.webhooks.acts import sign_up
from tests.webhooks.receivers import Receiver, receiving
from tests.world import BASE_URL, House, Office, client

# About people: this is where a person belongs. Every other table is looked through, also one that is added tomorrow.
ABOUT_PEOPLE = {
    "patient": "the person",
    "patient_token": "what the person is found by",
    "patient_picture": "the person's picture",
    "visit": "its complaint, notes and the reason of its end",
    "visit_history": "the reasons of its changes",
    "ticket": "what somebody wrote about it",
    "ticket_comment": "what somebody wrote",
    "ticket_history": "what was changed",
    "idempotency": "answers that are kept for a day, behind the practice's wall",
}
PHONE = "555-0177-4242"
Life = Callable[[Office, str], Awaitable[list[str]]]


def person(mark: str) -> dict[str, str]:
    """The mark in every field that takes text."""
    found = {}
    for field in msgspec.structs.fields(ProspectFields):
        for value in (f"{mark}{field.name}", f"{mark}@{mark}.example"):
            try:
                msgspec.convert(value, field.type)
            except (msgspec.ValidationError, NotImplementedError, ValueError):
                continue
            found[field.encode_name] = value[:20]
            break
    return {**found, "EMail": f"{mark}@{mark}.example", "Phone": PHONE, "FirstName": f"{mark}first"}


def next_monday() -> str:
    today = date.today()  # noqa: DTZ011
    return (today + timedelta(days=7 - today.weekday())).isoformat()


async def live_a_life(office: Office, mark: str) -> list[str]:
    """What was answered with an error."""
    partner, fields = office.partner, person(mark)
    patient_id = _made(await partner.post("/prospects", json=fields, headers={"Idempotency-Key": f"{mark} 1"}))
    refused = [*await _asked_after(office, patient_id, mark), *await _refused(office, patient_id, fields)]
    for key in ("one", "two"):
        await partner.put(f"/prospects/{patient_id}", json={"NickName": f"{mark}{key}", "Notes": f"{mark} coughs"})
    for answer in (
        await partner.post(f"/tags/prospects/{patient_id}", json={"tagId": office.vip}),
        await partner.delete(f"/tags/prospects/{patient_id}/{office.vip}"),
        await partner.post("/prospects", json=fields, headers={"Idempotency-Key": f"{mark} 1"}),
    ):
        assert answer.is_success, answer.text
    refused += await _seen_by_a_doctor(office, patient_id, mark)
    refused += await _complained_of(office, mark)
    await _looked_at_in_the_portal(office, mark)
    return refused


def _made(answer: httpx.Response) -> int:
    assert answer.status_code == 201, answer.text
    return int(next(value for name, value in answer.json()["data"].items() if name.endswith("ID")))


async def _asked_after(office: Office, patient_id: int, mark: str) -> list[str]:
    answers = [
        await office.partner.get(address)
        for address in (
            f"/prospects/{patient_id}",
            f"/prospects?search={mark}first",
            f"/prospects?search={PHONE}",
            f"/prospects/{mark}",
            f"/prospects?cursor={mark}",
            f"/{mark}/nothing?name={mark}",
            f"/availability/providers/1/check?date={mark}&time=10:00&duration=30",
            f"/visits?patientId={mark}",
            "/events",
        )
    ]
    named = await office.partner.get(f"/prospects?{mark}@{mark}.example=1")  # whoever makes up a name is told of it
    assert (named.status_code, mark in named.text) == (400, True)
    return [answer.text for answer in answers if answer.is_error]


async def _refused(office: Office, patient_id: int, fields: dict[str, str]) -> list[str]:
    partner = office.partner
    answers = [
        await partner.post("/prospects", json={**fields, "Gender": "x"}),
        await partner.post("/prospects", json={**fields, "ProviderID": 77}),
        await partner.put(f"/prospects/{patient_id}", json={**fields, "DOB": "2999-01-01"}),
        await partner.put("/prospects/77", json=fields),
        await partner.put(f"/prospects/{patient_id}", json=fields, headers={"If-Match": '"77"'}),
        await partner.post("/prospects", content=json.dumps(fields).encode()[:-9]),
        await partner.post(f"/tags/prospects/{patient_id}", json={"tagId": 77}),
    ]
    assert {answer.is_error for answer in answers} == {True}
    return [answer.text for answer in answers]


async def _seen_by_a_doctor(office: Office, patient_id: int, mark: str) -> list[str]:
    partner = office.partner
    time = {"ProviderID": 1, "VisitType": "Consult", "VisitDate": next_monday(), "VisitDuration": 30}
    told = {"PatientID": patient_id, "VisitComplaint": f"{mark} coughs", "VisitNotes": f"{mark} smokes"}
    assert (await partner.post("/visits/book?dryRun=true", json={**time, **told, "VisitTime": "10:00:00"})).is_success
    visit = _made(await partner.post("/visits/book", json={**time, **told, "VisitTime": "10:00:00"}))
    hold = _made(await partner.post("/visits/hold", json={**time, "VisitTime": "11:00:00"}))
    held = await partner.post("/visits/book", json={**time, **told, "VisitTime": "11:00:00", "HoldID": hold})
    taken = await partner.post("/visits/book", json={**time, **told, "VisitTime": "10:00:00"})
    moved = await partner.patch(f"/visits/{visit}", json={"VisitTime": "14:00:00", "VisitNotes": f"{mark} is better"})
    ended = await partner.post(f"/visits/{visit}/cancel", json={"Reason": f"{mark} is well"})
    again = await partner.post(f"/visits/{visit}/cancel", json={"Reason": f"{mark} is well"})
    assert [answer.status_code for answer in (held, taken, moved, ended, again)] == [201, 409, 200, 200, 409]
    return [taken.text, again.text]


async def _complained_of(office: Office, mark: str) -> list[str]:
    partner = office.partner
    ticket = _made(await partner.post("/tickets", json={"Subject": mark, "Description": mark, "Author": mark}))
    await partner.put(f"/ticket/{ticket}", json={"Status": "In Progress", "Subject": f"{mark} again"})
    await partner.post(f"/tickets/{ticket}/comment", json={"Comment": f"{mark} called", "Author": mark})
    wrong = await partner.put(f"/ticket/{ticket}", json={"Status": mark})
    assert wrong.status_code == 400
    return [] if mark in wrong.request.content.decode() and mark not in wrong.text else [wrong.text]


async def _looked_at_in_the_portal(office: Office, mark: str) -> None:
    async with client(office.house.app) as browser:
        await log_in(browser, f"opk_1_{mark}")
        await log_in(browser, office.house.settings.admin_secret)
        for page in ("calendar", "activity", "webhooks", "disclosures"):
            await browser.get(f"/portal/{page}?practice={office.practicepass}&search={mark}&patient={mark}")
        await browser.get(f"/portal/{mark}")


@pytest.fixture
async def heard(demo_office: Office, settings: Settings) -> AsyncIterator[tuple[Receiver, Dispatcher]]:
    """An endpoint that hears of everything, and at first fails."""
    async with receiving(statuses=[500, 302]) as receiver, dispatcher(settings) as worker:
        await sign_up(demo_office, receiver)
        yield receiver, worker


async def kept_of(office: Office, server: EmbeddedServer, receiver: Receiver) -> dict[str, str]:
    """All that we keep or send on of what happened, by where."""
    owner, admin = office.house.owner, office.house.admin
    tables = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm')"
        " AND NOT relispartition"
    )
    names = {row["relname"] for row in tables}
    assert ABOUT_PEOPLE.keys() <= names
    texts = {}
    for name in sorted(names - ABOUT_PEOPLE.keys()):
        texts[name] = "\n".join(row[0] for row in await owner.fetch(f"SELECT t::text FROM {name} t"))
    for log in (server.directory / "log").iterdir():
        texts[log.name] = log.read_text(errors="replace")
    texts["deliveries"] = repr(receiver.received)
    for address in (
        "/metrics",
        "/v1/admin/overview",
        "/v1/admin/activity?limit=100",
        "/v1/admin/webhooks/monitor",
        f"/v1/admin/{office.practicepass}/disclosures",
    ):
        texts[address] = (await admin.get(address)).text
    return texts


def found(texts: dict[str, str], mark: str) -> list[tuple[str, str]]:
    marks = (mark, PHONE, PHONE.replace("-", ""), "coughs", "smokes")
    return [(where, one) for where, text in texts.items() for one in marks if one in text.lower()]


async def test_no_name_and_no_number_is_kept_of_a_call(
    demo_office: Office,
    server: EmbeddedServer,
    written: Written,
    heard: tuple[Receiver, Dispatcher],
    capfd: pytest.CaptureFixture[str],
) -> None:
    receiver, worker = heard
    errors = await live_a_life(demo_office, "canary")
    for _ in range(3):
        await worker.settle()
    await written()

    texts = await kept_of(demo_office, server, receiver)
    texts["errors"] = "\n".join(errors)
    texts["output"] = "".join(capfd.readouterr())
    assert texts["request_log"].count("/v1/{PPass}") > 25
    assert texts["disclosure"]
    assert {"patient.created", "visit.rescheduled", "visit.cancelled"} <= set(receiver.events)
    assert "500" in texts["webhook_delivery"]
    assert len(errors) > 10
    assert [one for one in errors if "canary" in one.lower()] == []
    assert found(texts, "canary") == []


async def test_the_canaries_are_where_they_belong(demo_office: Office, owner: asyncpg.Connection) -> None:
    """The control: they were there to be found."""
    await live_a_life(demo_office, "kestrel")

    for table in ABOUT_PEOPLE.keys() - {"patient_picture", "ticket_history"}:
        rows = await owner.fetch(f"SELECT t::text FROM {table} t WHERE practice_id = $1", demo_office.practice_id)
        texts = "\n".join(row[0] for row in rows)
        if table == "idempotency":
            texts = bytes.fromhex("".join(row[0].split("\\\\x")[-1].split('"')[0] for row in rows)).decode()
        assert "kestrel" in texts.lower(), table


async def test_the_control_a_leak_into_a_table_or_a_log_is_found(
    demo_office: Office,
    server: EmbeddedServer,
    straight: Settings,
    database_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request log that keeps raw addresses, and a PostgreSQL that logs statements with what they were given; without
    a pooler, whose sessions would not take up what is set here."""
    owner = demo_office.house.owner
    really = Recorder.note

    def note_all(self: Recorder, done: Done) -> None:
        done.route = (done.route[0], done.scope["path"] + str(done.scope["query_string"]))
        really(self, done)

    monkeypatch.setattr(Recorder, "note", note_all)
    await owner.execute(f"ALTER ROLE officepro IN DATABASE {database_name} SET log_min_error_statement = 'error'")
    await owner.execute(f"ALTER ROLE officepro IN DATABASE {database_name} SET log_min_messages = 'error'")
    await owner.execute(f"ALTER ROLE officepro IN DATABASE {database_name} SET log_error_verbosity = 'default'")
    try:
        app = create_inner_app(straight)
        async with alive(app), House.open(enclose(app), owner, straight) as house:
            token = await demo_office.token()
            async with client(house.app, BASE_URL + demo_office.path, {"Authorization": f"Bearer {token}"}) as caller:
                await caller.get("/prospects?search=magpie")
            async with app.state.database.practice(demo_office.practice_id) as db:
                with pytest.raises(asyncpg.PostgresError):
                    await db.execute("SELECT 'magpie'::int")
    finally:
        await owner.execute(f"ALTER ROLE officepro IN DATABASE {database_name} RESET ALL")

    texts = await kept_of(demo_office, server, Receiver())
    leaks = {where for where, _ in found(texts, "magpie")}
    assert "request_log" in leaks
    assert any(where.startswith("postgresql-") for where in leaks)
