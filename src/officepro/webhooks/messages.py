"""Body and headers of a delivery. (API.md: Webhook delivery; source API specification: Webhooks)"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from officepro.foundation.clock import timestamp
from officepro.webhooks.signing import signature_header

_encoder = msgspec.json.Encoder()


class Event(msgspec.Struct, frozen=True):
    """One event as it is sent to a receiver."""

    event: str
    event_id: str
    practicepass: str
    scope: str | None  # None: an event about the subscription itself, such as webhook.test
    log_id: int | None
    occurred_at: datetime
    data: str  # JSON, unchanged from the log


def body_of(event: Event) -> bytes:
    """Return the JSON body of a delivery."""
    return _encoder.encode(
        {
            "event": event.event,
            "scope": event.scope,
            "eventId": event.event_id,
            "logId": event.log_id,
            "practicepass": event.practicepass,
            "occurredAt": timestamp(event.occurred_at),
            "data": msgspec.Raw(event.data.encode()),
        }
    )


def headers_of(event: Event, body: bytes, secrets: Sequence[str], now_seconds: int) -> Mapping[str, str]:
    """Return the headers of a delivery, with one signature per secret. `now_seconds` is Unix time."""
    return {
        "Content-Type": "application/json",
        "X-OfficePro-Event": event.event,
        "X-OfficePro-Event-Id": event.event_id,
        "webhook-id": event.event_id,
        "webhook-timestamp": str(now_seconds),
        "webhook-signature": signature_header(secrets, event.event_id, now_seconds, body),
    }
