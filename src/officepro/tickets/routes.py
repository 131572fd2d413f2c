"""Routes for tickets: list, create, get, update, comment. (source API specification: Tickets)"""

from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get, post, put
from litestar.params import JSONBody, QueryParameter

from officepro import events
from officepro.access.asked import TheCaller, TheDatabase, TheOnce
from officepro.access.guards import requires
from officepro.access.scopes import TICKETS
from officepro.foundation.answers import One, Paged, Written
from officepro.foundation.database import Connection, Row
from officepro.foundation.documented import ETAG, documented
from officepro.foundation.errors import Conflict
from officepro.foundation.etags import StaleVersion, etag, version_of
from officepro.foundation.paging import DEFAULT_LIMIT, Page, paged
from officepro.foundation.parameters import IfMatch, PageLimit, PageNumber, PathId, Search
from officepro.tickets import queries
from officepro.tickets.queries import FIELDS_OF_A_LIST, Filter, UnknownTicket
from officepro.tickets.shapes import Change, Comment, NewComment, NewTicket, Ticket, TicketFields, WholeTicket
from officepro.tickets.states import Priority, Status, allowed_after, can_follow

OfStatus = Annotated[list[Status] | None, QueryParameter(name="status", description="Filter by status; repeatable.")]
OfPriority = Annotated[
    list[Priority] | None,
    QueryParameter(name="priority", description="Filter by priority; repeatable."),
]


class TicketStateCannotFollow(Conflict):
    """This status transition is not allowed; `allowed` lists the possible statuses."""

    code = "ticket_state_cannot_follow"


_COMMENT = {"Comment": "This is a new comment", "Author": "Support Agent"}
_COMMENTED = {"CommentID": 1000001, **_COMMENT, "CreatedAt": "2026-03-09T15:00:00.000Z"}
_TICKET = {
    "TicketID": 12,
    "Subject": "Labels print blank",
    "Description": "Since this morning.",
    "Status": "Open",
    "Priority": "High",
    "Category": "Hardware",
    "Author": "Front Desk",
    "CreatedAt": "2026-03-09T14:15:00.000Z",
    "UpdatedAt": "2026-03-09T14:15:00.000Z",
}
_CHANGE = {
    "Version": 3,
    "Field": "Status",
    "From": "Open",
    "To": "In Progress",
    "ChangedAt": "2026-03-09T15:10:00.000Z",
}
_WHOLE = {
    **_TICKET,
    "Status": "In Progress",
    "UpdatedAt": "2026-03-09T15:10:00.000Z",
    "Comments": [_COMMENTED],
    "History": [_CHANGE],
}


@get(
    "/tickets",
    summary="List tickets",
    opt=documented(
        query_example={"status": ["Open"], "priority": ["High"], "search": "labels"},
        example_response={"data": [_TICKET], "count": 1, "page": 1, "limit": 25, "total": 1},
    ),
)
async def list_tickets(
    caller: TheCaller,
    database: TheDatabase,
    status: OfStatus = None,
    priority: OfPriority = None,
    search: Search = None,
    page: PageNumber = 1,
    limit: PageLimit = DEFAULT_LIMIT,
) -> Paged[Ticket]:
    """All tickets of the practice, most recently changed first. `search` matches any part of number, subject,
    description or category. `total` counts up to 10,000."""
    wanted = Filter(statuses=status or (), priorities=priority or (), search=search)
    async with database.practice(caller.practice_id) as db:
        rows, total = await queries.some(db, caller.practice_id, wanted, Page(page, limit))
    return paged([Ticket(*row.values()) for row in rows], Page(page, limit), total)


@post(
    "/tickets",
    summary="Create a ticket",
    opt=documented(
        example_request={
            "Subject": "Labels print blank",
            "Description": "Since this morning.",
            "Priority": "High",
            "Category": "Hardware",
            "Author": "Front Desk",
        },
        example_response={
            "message": "Ticket created successfully",
            "data": {**_TICKET, "Comments": [], "History": []},
        },
        answer_headers=ETAG,
    ),
)
async def create_ticket(data: JSONBody[NewTicket], caller: TheCaller, once: TheOnce) -> Response[Written[WholeTicket]]:
    """The new ticket is Open; `Priority` defaults to Normal."""
    async with once.transaction() as db:
        row = await queries.create(db, caller.practice_id, caller.key_id, msgspec.structs.asdict(data))
        ticket_id = row["ticket_id"]
        await events.record(db, caller.practice_id, "ticket.created", ticket_id, {"TicketID": ticket_id})
        answer = await once.settled(
            db, Written("Ticket created successfully", _whole(row, [], [])), version=row["version"]
        )
    return Response(answer, headers=etag(row["version"]))


@get(
    "/ticket/{ticket_id:str}",
    summary="Get one ticket",
    opt=documented(
        path_example={"id": 12}, example_response={"data": _WHOLE}, errors=[UnknownTicket], answer_headers=ETAG
    ),
)
async def get_ticket(ticket_id: PathId, caller: TheCaller, database: TheDatabase) -> Response[One[WholeTicket]]:
    """Returns the ticket with its comments and change history, oldest first; at most the newest 1,000 of each."""
    async with database.practice(caller.practice_id) as db:
        row = await queries.one(db, caller.practice_id, ticket_id)
        ticket = await _with_what_followed(db, caller.practice_id, row)
    return Response(One(ticket), headers=etag(row["version"]))


@put(
    "/ticket/{ticket_id:str}",
    summary="Update a ticket",
    opt=documented(
        path_example={"id": 12},
        example_request={"Status": "In Progress"},
        example_response={"message": "Ticket updated successfully", "data": _WHOLE},
        errors=[UnknownTicket, TicketStateCannotFollow],
    ),
)
async def update_ticket(
    ticket_id: PathId,
    data: JSONBody[TicketFields],
    caller: TheCaller,
    database: TheDatabase,
    if_match: IfMatch = None,
) -> Response[Written[WholeTicket]]:
    """Changes the fields that are sent; omitted fields are unchanged. Open, In Progress and Waiting can change to one
    another and to Resolved or Closed; Resolved to Closed or Open; Closed only to Open."""
    async with database.practice_transaction(caller.practice_id) as db:
        row = await queries.locked(db, caller.practice_id, ticket_id)
        if version_of(if_match) not in (None, row["version"]):
            raise StaleVersion(row["version"])
        changes = {column: value for column, value in data.columns().items() if row[column] != value}
        _refuse_impossible_step(row["status"], changes.get("status", row["status"]))
        if changes:
            row = await queries.update(db, caller.practice_id, caller.key_id, row, changes)
        ticket = await _with_what_followed(db, caller.practice_id, row)
        if changes:
            fields = [column.capitalize() for column in changes]
            told = {"TicketID": ticket_id, "Fields": fields}
            await events.record(db, caller.practice_id, "ticket.updated", ticket_id, told)
    return Response(Written("Ticket updated successfully", ticket), headers=etag(row["version"]))


@post(
    "/tickets/{ticket_id:str}/comment",
    summary="Add a comment to a ticket",
    opt=documented(
        path_example={"id": 12},
        example_request=_COMMENT,
        example_response={"message": "Comment added successfully", "data": _COMMENTED},
        errors=[UnknownTicket],
    ),
)
async def add_comment(
    ticket_id: PathId, data: JSONBody[NewComment], caller: TheCaller, once: TheOnce
) -> Written[Comment]:
    """Allowed in every status; the status is unchanged."""
    async with once.transaction() as db:
        row = await queries.comment(db, caller.practice_id, caller.key_id, ticket_id, data.comment, data.author)
        told = {"TicketID": ticket_id, "CommentID": row["comment_id"]}
        await events.record(db, caller.practice_id, "ticket.commented", ticket_id, told)
        return await once.settled(db, Written("Comment added successfully", Comment(*row.values())))


def _refuse_impossible_step(status: Status, wanted: Status) -> None:
    if not can_follow(status, wanted):
        allowed = allowed_after(status)
        raise TicketStateCannotFollow(
            f"Status {status} cannot change to {wanted}; allowed: {', '.join(allowed)}.", allowed=list(allowed)
        )


async def _with_what_followed(db: Connection, practice_id: int, row: Row) -> WholeTicket:
    said = await queries.comments(db, practice_id, row["ticket_id"])
    changed = await queries.history(db, practice_id, row["ticket_id"])
    return _whole(row, said, changed)


def _whole(row: Row, said: list[Row], changed: list[Row]) -> WholeTicket:
    fields: list[Any] = list(row.values())[:FIELDS_OF_A_LIST]
    fields += [[Comment(*one.values()) for one in said], [Change(*one.values()) for one in changed]]
    return WholeTicket(*fields)


router = Router(
    "/v1/{practicepass:str}",
    guards=[requires(TICKETS)],
    route_handlers=[list_tickets, create_ticket, get_ticket, update_ticket, add_comment],
    tags=["Tickets"],
)
