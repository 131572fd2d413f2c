"""Request and response bodies of tickets. (source API specification: Tickets)"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.foundation.wire import SOME_TEXT, Name, Text100, Text200, Text10000
from officepro.tickets.states import Priority, Status

CommentText = Annotated[str, Meta(min_length=1, max_length=10_000, pattern=SOME_TEXT)]


class NewTicket(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A ticket to create."""

    subject: Name = msgspec.field(name="Subject")
    description: Text10000 = msgspec.field(name="Description", default="")
    priority: Priority = msgspec.field(name="Priority", default="Normal")
    category: Text100 = msgspec.field(name="Category", default="")
    author: Text200 = msgspec.field(name="Author", default="")


class TicketFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Fields to change; omitted fields are unchanged."""

    subject: Name | UnsetType = msgspec.field(name="Subject", default=UNSET)
    description: Text10000 | UnsetType = msgspec.field(name="Description", default=UNSET)
    status: Status | UnsetType = msgspec.field(name="Status", default=UNSET)
    priority: Priority | UnsetType = msgspec.field(name="Priority", default=UNSET)
    category: Text100 | UnsetType = msgspec.field(name="Category", default=UNSET)

    def columns(self) -> dict[str, Any]:
        """Return the columns that were sent."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}


class NewComment(msgspec.Struct, forbid_unknown_fields=True):
    """A comment to add."""

    comment: CommentText = msgspec.field(name="Comment")
    author: Name = msgspec.field(name="Author")


class Comment(msgspec.Struct):
    """A comment on a ticket."""

    comment_id: int = msgspec.field(name="CommentID")
    comment: str = msgspec.field(name="Comment")
    author: str = msgspec.field(name="Author")
    created_at: datetime = msgspec.field(name="CreatedAt")


class Change(msgspec.Struct):
    """A change of one field; `Version` is the ticket's version (ETag) after it."""

    version: int = msgspec.field(name="Version")
    field: str = msgspec.field(name="Field")
    was: str = msgspec.field(name="From")
    became: str = msgspec.field(name="To")
    changed_at: datetime = msgspec.field(name="ChangedAt")


class Ticket(msgspec.Struct):
    """A ticket as listed."""

    ticket_id: int = msgspec.field(name="TicketID")
    subject: str = msgspec.field(name="Subject")
    description: str = msgspec.field(name="Description")
    status: Status = msgspec.field(name="Status")
    priority: Priority = msgspec.field(name="Priority")
    category: str = msgspec.field(name="Category")
    author: str = msgspec.field(name="Author")
    created_at: datetime = msgspec.field(name="CreatedAt")
    updated_at: datetime = msgspec.field(name="UpdatedAt")


class WholeTicket(Ticket):
    """A ticket with its comments and change history, oldest first."""

    comments: list[Comment] = msgspec.field(name="Comments")
    history: list[Change] = msgspec.field(name="History")
