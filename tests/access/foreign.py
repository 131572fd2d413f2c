"""Ids of another practice, in every place of every route that takes one: path, query and body.

A request with one must be answered as if the record did not exist, and must not return or change data of the other
practice. Generated from the route table: an id with a new name must be added here first."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import httpx
import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from officepro.access.guards import Requires, RequiresAdmin
from officepro.documentation.document import handlers
from officepro.door import Door
from officepro.foundation.documented import documented_of
from officepro.foundation.input import query_parameters
from tests.access.callers import from_everywhere
from tests.access.matrix import ABSENT, guard_of
from tests.world import Office, client

MARK = "Onlyberlinknows"
OF_NO_PRACTICE = {
    "article_id": "the knowledge base is everybody's",
    "delivery_id": "the admin's",
    "key_id": "the admin's",
    "partner_id": "the admin's",
    "request_id": "the admin's",
    "vendor_code": "a partner's",
    "name": "a file of the portal",
}
# The names of each id of a practice: in the path, in the query and in bodies.
NAMES = {
    "patient": {"patient_id", "patientId", "PatientID"},
    "provider": {"provider_id", "providerId", "ProviderID", "providers"},
    "room": {"RoomID", "resources"},
    "visit": {"visit_id", "VisitID"},
    "hold": {"hold_id", "HoldID"},
    "tag": {"tag_id", "tagId"},
    "ticket": {"ticket_id"},
    "time off": {"time_off_id"},
    "extra hours": {"extra_hours_id"},
}
KIND = {name: kind for kind, names in NAMES.items() for name in names}
# Removing a tag that is not assigned is no error, for any tag.
NO_ERROR = {("DELETE", "/v1/{practicepass}/tags/prospects/{patient_id}/{tag_id}", "tag_id")}
_IN_PATH = re.compile(r"{(\w+)}")
Ids = dict[str, int]


@dataclass
class Outcome:
    """Lists that must be empty, and the number of requests."""

    faults: list[str] = field(default_factory=list)
    places: int = 0
    absent: int = 0  # of these, ids in paths that were answered 404

    def __str__(self) -> str:
        return f"foreign ids in {self.places} places, {self.absent} of them addresses: {len(self.faults)} faults"


@dataclass(frozen=True)
class Place:
    """Where an id is sent."""

    where: str
    name: str


async def foreign_ids(app: Litestar, office: Office, other: Office) -> Outcome:
    own, foreign = await furnish(office, "Own"), await furnish(other, MARK)
    before = await digest(other)
    outcome = Outcome()
    token = {"Authorization": f"Bearer {await office.token()}"}
    admin = {"X-Admin-Secret": office.house.settings.admin_secret}
    async with client(from_everywhere(Door(app))) as caller:
        for route, method, handler in handlers(app):
            guard = guard_of(handler)
            if "{practicepass}" not in route.path_format or not isinstance(guard, Requires | RequiresAdmin):
                continue
            for place in places_of(route.path_format, handler):
                outcome.places += 1
                answers = []
                for one in (foreign, dict.fromkeys(NAMES, ABSENT)):
                    request = request_with(route.path_format, method, handler, office, own, place, one)
                    request.headers.update(token if isinstance(guard, Requires) else admin)
                    answers.append(await caller.send(request))
                for fault in _faults(method, route.path_format, place, answers, foreign):
                    outcome.faults.append(f"{method} {route.path_format}, {place.name} in the {place.where}: {fault}")
                outcome.absent += answers[0].status_code == 404
    after = await digest(other)
    outcome.faults += [
        f"{table} of the other practice was changed" for table in before if before[table] != after[table]
    ]
    return outcome


def places_of(path: str, handler: HTTPRouteHandler) -> Iterator[Place]:
    for name in _IN_PATH.findall(path):
        if name not in {*OF_NO_PRACTICE, "practicepass"}:
            assert name in KIND, f"{name}: whose id is it? Sort it into NAMES or OF_NO_PRACTICE"
            yield Place("address", name)
    for name in query_parameters(handler):
        if name in KIND:
            yield Place("query", name)
    for name in sorted(_names_in(_example(handler))):
        if name in KIND:
            yield Place("body", name)


def _example(handler: HTTPRouteHandler) -> Any:
    body = documented_of(handler).example_request
    return None if body is msgspec.UNSET else body


def _names_in(body: Any) -> set[str]:
    if isinstance(body, dict):
        return {*body, *(name for value in body.values() for name in _names_in(value))}
    return {name for item in body for name in _names_in(item)} if isinstance(body, list) else set()


def request_with(
    path: str, method: str, handler: HTTPRouteHandler, office: Office, own: Ids, place: Place, ids: Ids
) -> httpx.Request:
    """Return the documented example of the route, with the practice's own ids except in one place."""

    def id_at(where: str, name: str) -> int:
        return (ids if place == Place(where, name) else own).get(KIND.get(name, ""), ABSENT)

    address = _IN_PATH.sub(
        lambda found: office.practicepass if found[1] == "practicepass" else str(id_at("address", found[1])), path
    )
    said = documented_of(handler)
    query = {name: value for name, value in said.query_example.items() if query_parameters(handler)[name].required}
    query = _filled(query, lambda name: id_at("query", name))
    if place.where == "query":
        query[place.name] = id_at("query", place.name)
    body = _filled(_example(handler), lambda name: id_at("body", name))
    if body is not None and place.where == "body" and isinstance(body, dict):
        body.setdefault(place.name, id_at("body", place.name))
    return httpx.Request(method, f"http://officepro.test{address}", params=query, json=body)


def _filled(part: Any, id_of: Any) -> Any:
    """Return the example with the ids that `id_of` returns, on a future day."""
    if isinstance(part, list):
        return [_filled(item, id_of) for item in part]
    if not isinstance(part, dict):
        return part
    filled = {}
    for name, value in part.items():
        if name in KIND:
            filled[name] = [id_of(name)] if isinstance(value, list) else id_of(name)
        elif isinstance(value, str) and re.fullmatch(r"2026-\d\d-\d\d", value):
            filled[name] = next_monday()
        else:
            filled[name] = _filled(value, id_of)
    return filled


def _faults(method: str, path: str, place: Place, answers: list[httpx.Response], foreign: Ids) -> Iterator[str]:
    theirs, nobodys = (_without_the_id(answer, foreign) for answer in answers)
    if theirs != nobodys:
        yield f"a foreign id is answered {theirs}, an absent one {nobodys}"
    if any(MARK in answer.text for answer in answers):
        yield f"shows what is another practice's: {answers[0].text}"
    if any(answer.status_code >= 500 for answer in answers):
        yield f"fails: {theirs}"
    if place.where == "address" and theirs[0] != 404 and (method, path, place.name) not in NO_ERROR:
        yield f"should be absent: {theirs}"


def _without_the_id(answer: httpx.Response, foreign: Ids) -> tuple[int, str]:
    text = re.sub(r'"requestId":"[^"]*"', "", answer.text)
    text = re.sub(r'"(CreatedAt|UpdatedAt|HoldID|VisitID|HeldUntil)":("[^"]*"|\d+)', "", text)
    return answer.status_code, re.sub("|".join(map(str, {ABSENT, *foreign.values()} - {1, 2})), "#", text)


async def furnish(office: Office, mark: str) -> Ids:
    """Create a record of every kind, whose ids no other practice has and whose texts contain the mark."""
    owner, practice_id = office.house.owner, office.practice_id
    base = 70_000 + practice_id * 10
    await owner.execute(
        f"""
        INSERT INTO provider (practice_id, provider_id, name) VALUES ({practice_id}, {base}, '{mark}');
        INSERT INTO working_hours (practice_id, provider_id, weekday, starts_minute, ends_minute)
            SELECT {practice_id}, {base}, weekday, 540, 1020 FROM generate_series(0, 4) AS weekday;
        INSERT INTO room (practice_id, room_id, name) VALUES ({practice_id}, {base}, '{mark}');
        INSERT INTO visit_type_provider VALUES ({practice_id}, 'Consult', {base});
        INSERT INTO visit_type_room VALUES ({practice_id}, 'Consult', {base});
        INSERT INTO tag (practice_id, tag_id, tag) VALUES ({practice_id}, {base}, '{mark}');
        """
    )
    day = date.fromisoformat(next_monday()) + timedelta(days=7)
    time_off = await owner.fetchval(
        """
        INSERT INTO time_off (practice_id, provider_id, starts_at, ends_at, reason)
        VALUES ($1, $2, $3::date + 20, $3::date + 21, $4) RETURNING time_off_id
        """,
        *(practice_id, base, day, mark),
    )
    extra = await owner.fetchval(
        """
        INSERT INTO extra_opening (practice_id, provider_id, day, starts_minute, ends_minute)
        VALUES ($1, $2, $3, 60, 120) RETURNING extra_opening_id
        """,
        *(practice_id, base, day),
    )
    patient = await _made(office, "/prospects", "PatientID", {"FirstName": mark, "Notes": mark})
    asked = {"ProviderID": base, "VisitType": "Consult", "VisitDate": day.isoformat(), "VisitDuration": 30}
    visit = {**asked, "PatientID": patient, "VisitTime": "10:00:00", "VisitComplaint": mark, "VisitNotes": mark}
    return {
        **dict.fromkeys(("provider", "room", "tag"), base),
        "patient": patient,
        "time off": time_off,
        "extra hours": extra,
        "visit": await _made(office, "/visits/book", "VisitID", visit),
        "hold": await _made(office, "/visits/hold", "HoldID", {**asked, "VisitTime": "11:00:00", "ttlSeconds": 900}),
        "ticket": await _made(office, "/tickets", "TicketID", {"Subject": mark, "Description": mark, "Author": mark}),
    }


async def _made(office: Office, address: str, name: str, body: dict[str, Any]) -> int:
    answer = await office.partner.post(address, json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["data"][name])


def next_monday() -> str:
    today = date.today()  # noqa: DTZ011
    return (today + timedelta(days=7 - today.weekday())).isoformat()


async def digest(office: Office) -> dict[str, str]:
    """Return all data of the practice, table by table, except those about its requests and keys."""
    owner = office.house.owner
    tables = await owner.fetch(
        """
        SELECT attrelid::regclass::text AS name FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE attname = 'practice_id' AND relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
          AND NOT relispartition AND relname !~ '^(request|api_key|portal)'
        """
    )
    found = {}
    for (name,) in tables:
        rows = await owner.fetch(f"SELECT t::text FROM {name} t WHERE practice_id = $1", office.practice_id)
        found[name] = json.dumps(sorted(row[0] for row in rows))
    return found
