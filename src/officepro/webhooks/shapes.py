"""Schemas of webhook, event and monitoring endpoints. (Source API specification: Webhooks; API.md: Webhook delivery)"""

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
    """The endpoint that receives events, and the scopes of the events."""

    hook_url: Annotated[str, Meta(min_length=1, max_length=MAXIMUM_URL_CHARACTERS, pattern=NO_NUL)]
    scopes: Annotated[list[EventScope], Meta(min_length=1, max_length=20)]


class SignedUp(msgspec.Struct, rename="camel"):
    """The created or updated subscription. `secret` is returned only once, when the subscription is created."""

    id: int
    hook_url: str
    scopes: list[str]
    status: Status
    secret: str | UnsetType = UNSET


class Subscription(msgspec.Struct, rename="camel"):
    """A subscription and the health of its endpoint."""

    id: int
    hook_url: str
    scopes: list[str]
    status: Status
    failing_since: datetime | None
    warned_at: datetime | None
    disabled_at: datetime | None
    disabled_reason: Annotated[
        Literal["gone", "failing"] | None,
        Meta(description="gone: the endpoint returned 410; failing: all attempts failed for 120 hours."),
    ]
    previous_secret_until: Annotated[
        datetime | None, Meta(description="Deliveries are also signed with the previous secret until this time.")
    ]
    created_at: datetime
    updated_at: datetime


class Deleted(msgspec.Struct):
    """The deleted subscription."""

    id: int


class Rotated(msgspec.Struct, rename="camel"):
    """The new secret, returned only once. Deliveries are also signed with the previous one until
    `previousSecretUntil`."""

    id: int
    previous_secret_until: datetime
    secret: str | UnsetType = UNSET


class Tested(msgspec.Struct, rename="camel"):
    """Result of a test delivery."""

    delivery_id: int
    success: bool
    status_code: int | None
    duration_ms: int | None
    error_message: str | None


class ReplayRequest(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Start of the replay: a log number or a time. Exactly one is required."""

    from_log_id: RecordId | UnsetType = UNSET
    since: Moment | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.from_log_id is UNSET) == (self.since is UNSET):
            raise ValueError("must contain either fromLogId or since")


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
    """A delivery of the partner's subscription, with its state."""

    state: State


class Summary(msgspec.Struct, rename="camel"):
    """Counts of subscriptions, attempted deliveries, and those of them that have not succeeded."""

    total_subscriptions: int
    active_subscriptions: int
    total_deliveries: int
    failed_deliveries: int
    success_rate: Annotated[float, Meta(description="Percentage with two decimals; 0 if there was no delivery.")]


class DispatchState(msgspec.Struct, rename="camel"):
    """Fan-out cursor of a practice: the last log number for which deliveries were created."""

    practicepass: str
    last_log_id: int


class Monitor(msgspec.Struct, rename="camel"):
    """Webhook health and delivery activity."""

    summary: Summary
    dispatch_states: Sequence[DispatchState]
    recent_deliveries: Sequence[Delivery]


class Begun(msgspec.Struct, rename="camel"):
    """Response stored under the Idempotency-Key of a manual delivery; a retry reads the result from the delivery."""

    delivery_id: int


class Retried(msgspec.Struct, rename="camel"):
    """The new delivery record and its result."""

    source_delivery_id: int
    retry_delivery_id: int
    success: bool
    status_code: int | None
    attempts: int
    error_message: str | None


class PulledEvent(msgspec.Struct, rename="camel"):
    """An event, in the same format as the body of a delivery."""

    event: str
    scope: str
    event_id: str
    log_id: int
    practicepass: str
    occurred_at: datetime
    data: dict[str, Any]


class Events(msgspec.Struct, rename="camel"):
    """Events in log order. `data` contains every event of your scopes after `after` up to `nextAfter`."""

    data: Sequence[PulledEvent]
    count: int
    next_after: Annotated[int, Meta(description="`after` of the next request. Equal to lastLogId: no more events.")]
    last_log_id: Annotated[int, Meta(description="Log number of the practice's newest event, of any scope.")]
    first_log_id: Annotated[int | None, Meta(description="Log number of the oldest event that has not been deleted.")]


class LogEntry(msgspec.Struct, rename={"scope": "Scope", "event": "Event", "data": "Data"}, forbid_unknown_fields=True):
    """An event to append to the event log."""

    scope: EventScope
    event: Annotated[str, Meta(pattern=EVENT_FORM)]
    entity_id: RecordId | None = msgspec.field(name="EntityID", default=None)
    data: dict[str, Any] = {}


LogEntries = LogEntry | Annotated[list[LogEntry], Meta(min_length=1, max_length=MAXIMUM_ENTRIES)]


class Appended(msgspec.Struct):
    """Log number and id of an appended event."""

    log_id: int = msgspec.field(name="LogID")
    event_id: str = msgspec.field(name="EventID")
