"""Event log endpoints: pull for partners, append for the EMR. (API.md: /v1/{PPass}/events, /v1/admin/{PPass}/log)"""

from typing import Annotated, Any

import msgspec
from litestar import Router, get, post
from litestar.params import JSONBody, QueryParameter

from officepro import events
from officepro.access.asked import TheCaller, TheDatabase, TheOnce
from officepro.access.gate import MissingScope
from officepro.access.guards import any_partner, requires_admin
from officepro.access.scopes import EVENT_SCOPES, TICKETS
from officepro.activity.asked import TheDisclosures, patients_in
from officepro.events.appending import MAXIMUM_DATA_BYTES
from officepro.foundation.answers import Written
from officepro.foundation.documented import documented
from officepro.foundation.errors import Fault, Invalid
from officepro.foundation.fault_messages import MAXIMUM_DEPTH
from officepro.foundation.json_body import is_too_deep
from officepro.foundation.paging import DEFAULT_LIMIT
from officepro.foundation.parameters import PageLimit
from officepro.foundation.wire import MAXIMUM_ID
from officepro.practices.asked import PRACTICE_PROVIDED, ThePractice
from officepro.practices.queries import UnknownPractice
from officepro.webhooks.asked import ONCE_OF_PRACTICE
from officepro.webhooks.shapes import Appended, Events, LogEntries, LogEntry, PulledEvent

PULLED_SCOPES = EVENT_SCOPES | {TICKETS}

After = Annotated[int, QueryParameter(ge=0, le=MAXIMUM_ID, description="Previous `nextAfter`; 0 at first.")]


@get(
    "/events",
    summary="Pull events",
    opt=documented(
        query_example={"after": 14656635, "limit": 25},
        example_response={
            "data": [
                {
                    "event": "patient.updated",
                    "scope": "Patients",
                    "eventId": "evt_1_14656636",
                    "logId": 14656636,
                    "practicepass": "DemoOffice",
                    "occurredAt": "2026-03-09T14:15:00.000Z",
                    "data": {"PatientID": 1001},
                }
            ],
            "count": 1,
            "nextAfter": 14656636,
            "lastLogId": 14656636,
            "firstLogId": 1,
        },
        errors=[MissingScope],
    ),
)
async def pull_events(
    caller: TheCaller,
    database: TheDatabase,
    disclosures: TheDisclosures,
    after: After = 0,
    limit: PageLimit = DEFAULT_LIMIT,
) -> Events:
    """Returns the same events as webhooks, in log order, for the scopes of the key (Patients, Encounters, Claims,
    Payments, Documents; and Tickets, whose events can only be pulled). Log numbers have no gaps over all scopes: when
    `nextAfter` equals `lastLogId` you have received every event, unless `firstLogId` is greater than your first
    `after` + 1: older events are past their retention."""
    scopes = sorted(caller.scopes & PULLED_SCOPES)
    if not scopes:
        raise MissingScope("This key has no scope with events. Ask the practice to grant one, such as Patients.")
    async with database.practice(caller.practice_id) as db:
        found = await events.feed(db, caller.practice_id, scopes, after, limit)
    shown = [
        PulledEvent(
            event=row["event"],
            scope=row["scope"],
            event_id=events.event_id(caller.practice_id, row["log_id"]),
            log_id=row["log_id"],
            practicepass=caller.practicepass,
            occurred_at=row["occurred_at"],
            data=msgspec.json.decode(row["data"]),
        )
        for row in found.rows
    ]
    await disclosures.record(*patients_in([event.data for event in shown]))
    return Events(shown, len(shown), found.next_after, found.last_log_id, found.first_log_id)


@post(
    "/log",
    summary="Append events of the EMR",
    status_code=201,
    opt=documented(
        path_example={"PPass": "DemoOffice"},
        example_request={"Scope": "Claims", "Event": "claim.paid", "EntityID": 4711, "Data": {"ClaimID": 4711}},
        example_response={
            "message": "Events appended successfully",
            "data": [{"LogID": 14656637, "EventID": "evt_1_14656637"}],
        },
        errors=[UnknownPractice],
    ),
)
async def append_events(data: JSONBody[LogEntries], practice: ThePractice, once: TheOnce) -> Written[list[Appended]]:
    """Appends one event or a list of up to 100, atomically, numbered in the given order. `Data` holds ids and the kind
    of change, never clinical content; at most 16 KiB each. Partners receive the events by webhook and by /events. An
    EMR that writes directly to the database calls the SQL function `append_to_log` instead."""
    given = data if isinstance(data, list) else [data]
    places = [f"body[{index}].Data" for index in range(len(given))] if isinstance(data, list) else ["body.Data"]
    entries = [_entry(entry) for entry in given]
    faults = [
        Fault(place, fault)
        for place, entry, text in zip(places, given, entries, strict=True)
        if (fault := _fault_of(entry.data, text.data))
    ]
    if faults:
        raise Invalid(faults)
    async with once.transaction() as db:
        numbers = await events.append(db, practice.practice_id, entries)
        appended = [Appended(number, events.event_id(practice.practice_id, number)) for number in numbers]
        return await once.settled(db, Written("Events appended successfully", appended))


def _entry(entry: LogEntry) -> events.Entry:
    return events.Entry(entry.scope, entry.event, entry.entity_id, msgspec.json.encode(entry.data).decode())


def _fault_of(data: dict[str, Any], text: str) -> str | None:
    if is_too_deep(data, MAXIMUM_DEPTH - 1):
        return f"is nested deeper than {MAXIMUM_DEPTH} levels"
    if len(text.encode()) > MAXIMUM_DATA_BYTES:
        return f"must be at most {MAXIMUM_DATA_BYTES} bytes as JSON"
    return "must not contain the NUL character" if "\\u0000" in text else None


feed = Router("/v1/{practicepass:str}", guards=[any_partner], route_handlers=[pull_events], tags=["Webhooks"])
log = Router(
    "/v1/admin/{practicepass:str}",
    guards=[requires_admin],
    dependencies={**PRACTICE_PROVIDED, **ONCE_OF_PRACTICE},
    route_handlers=[append_events],
    tags=["Webhooks"],
)
