"""Webhooks, events and their monitoring on the wire. (seeds: Webhooks; API.md: Webhook delivery)"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.events.appending import EVENT_FORM
from officepro.foundation.outbound.urls import MAXIMUM_URL_CHARACTERS
from officepro.foundation.wire import NO_NUL, Moment, RecordId

EventScope = Literal["Patients", "Encounters", "Claims", "Payments", "Documents"]
Status = Literal["active", "paused", "disabled"]
State = Literal["queued", "sending", "pending", "delivered", "failed", "cancelled"]
MAXIMUM_ENTRIES = 100


class SignUp(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Where events shall go, and which."""

    hook_url: Annotated[str, Meta(min_length=1, max_length=MAXIMUM_URL_CHARACTERS, pattern=NO_NUL)]
    scopes: Annotated[list[EventScope], Meta(min_length=1, max_length=20)]


class SignedUp(msgspec.Struct, rename="camel"):
    """A subscription after sign-up; `secret` is shown when it is new, and never again."""

    id: int
    hook_url: str
    scopes: list[str]
    status: Status
    secret: str | UnsetType = UNSET


class Subscription(msgspec.Struct, rename="camel"):
    """A subscription and how its endpoint stands."""

    id: int
    hook_url: str
    scopes: list[str]
    status: Status
    failing_since: datetime | None
    warned_at: datetime | None
    disabled_at: datetime | None
    disabled_reason: Annotated[
        Literal["gone", "failing"] | None,
        Meta(description="gone: the endpoint answered 410; failing: nothing but failures for 120 hours."),
    ]
    previous_secret_until: Annotated[
        datetime | None, Meta(description="Until then the secret before the last rotation signs as well.")
    ]
    created_at: datetime
    updated_at: datetime


class Deleted(msgspec.Struct):
    """The subscription that is no more."""

    id: int


class Rotated(msgspec.Struct, rename="camel"):
    """The new secret, shown once; the previous one signs as well until then."""

    id: int
    previous_secret_until: datetime
    secret: str | UnsetType = UNSET


class Tested(msgspec.Struct, rename="camel"):
    """What came of a test delivery."""

    delivery_id: int
    success: bool
    status_code: int | None
    duration_ms: int | None
    error_message: str | None


class ReplayRequest(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Where to begin: at a log number, or at a moment."""

    from_log_id: RecordId | UnsetType = UNSET
    since: Moment | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.from_log_id is UNSET) == (self.since is UNSET):
            raise ValueError("must hold either fromLogId or since")


class Delivery(msgspec.Struct, rename="camel"):
    """One delivery; `success` is null until the first attempt has ended."""

    id: int
    practicepass: str
    subscription_id: int
    event: str
    event_id: str
    log_id: int | None
    hook_url: str
    success: bool | None
    status_code: int | None
    attempts: int
    error_message: str | None
    duration_ms: int | None
    created_at: datetime
    next_attempt_at: datetime | None


class OwnDelivery(Delivery, rename="camel"):
    """A delivery as its partner sees it."""

    state: State


class Summary(msgspec.Struct, rename="camel"):
    """Deliveries that were attempted, and how many of them have not been received."""

    total_subscriptions: int
    active_subscriptions: int
    total_deliveries: int
    failed_deliveries: int
    success_rate: Annotated[float, Meta(description="Per cent, with two decimals; 0 where there was no delivery.")]


class DispatchState(msgspec.Struct, rename="camel"):
    """How far a practice's log has been fanned out."""

    practicepass: str
    last_log_id: int


class Monitor(msgspec.Struct, rename="camel"):
    """Webhook health and delivery activity."""

    summary: Summary
    dispatch_states: Sequence[DispatchState]
    recent_deliveries: Sequence[Delivery]


class Begun(msgspec.Struct, rename="camel"):
    """What is kept for a repeat of a delivery by hand: its result is read from the record."""

    delivery_id: int


class Retried(msgspec.Struct, rename="camel"):
    """The new delivery record, and what came of it."""

    source_delivery_id: int
    retry_delivery_id: int
    success: bool
    status_code: int | None
    attempts: int
    error_message: str | None


class PulledEvent(msgspec.Struct, rename="camel"):
    """An event as a delivery's body has it."""

    event: str
    scope: str
    event_id: str
    log_id: int
    practicepass: str
    occurred_at: datetime
    data: dict[str, Any]


class Events(msgspec.Struct, rename="camel"):
    """Events in order of the log. Nothing of your scopes between `after` and `nextAfter` is missing from `data`."""

    data: Sequence[PulledEvent]
    count: int
    next_after: Annotated[int, Meta(description="Where to go on. Equal to lastLogId: you have everything.")]
    last_log_id: Annotated[int, Meta(description="The newest event of the practice, whatever its scope.")]
    first_log_id: Annotated[int | None, Meta(description="The oldest event that is still kept.")]


class LogEntry(msgspec.Struct, rename={"scope": "Scope", "event": "Event", "data": "Data"}, forbid_unknown_fields=True):
    """An event of the EMR's own."""

    scope: EventScope
    event: Annotated[str, Meta(pattern=EVENT_FORM)]
    entity_id: RecordId | None = msgspec.field(name="EntityID", default=None)
    data: dict[str, Any] = {}


LogEntries = LogEntry | Annotated[list[LogEntry], Meta(min_length=1, max_length=MAXIMUM_ENTRIES)]


class Appended(msgspec.Struct):
    """An event's place in the log."""

    log_id: int = msgspec.field(name="LogID")
    event_id: str = msgspec.field(name="EventID")
