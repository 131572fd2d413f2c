"""Activity and disclosures on the wire. (seeds: Dashboard Overview; API.md: Admin endpoints)"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Generic, TypeVar

import msgspec

Record = TypeVar("Record")


class Stretch(msgspec.Struct, Generic[Record], rename="camel"):
    """Part of a long list, newest first; `cursor={nextCursor}` goes on from there, and null is its end."""

    data: Sequence[Record]
    count: int
    next_cursor: str | None


class UsageOfDay(msgspec.Struct):
    """The calls of one UTC day."""

    date: date
    calls: int
    errors: int


class UsageOfEndpoint(msgspec.Struct, rename="camel"):
    """The calls of one endpoint."""

    method: str
    endpoint: str
    calls: int
    errors: int
    avg_duration_ms: float


class Overview(msgspec.Struct, rename="camel"):
    """The dashboard's figures, of whole UTC days, today included. An error is any answer of 400 and above: those of
    callers are 4xx, our own 5xx. Percentiles are drawn from a histogram and exact to a few per cent."""

    total_calls: int
    success_rate: float  # per cent
    avg_duration_ms: float
    p50_duration_ms: float = msgspec.field(name="p50DurationMs")
    p95_duration_ms: float = msgspec.field(name="p95DurationMs")
    p99_duration_ms: float = msgspec.field(name="p99DurationMs")
    error_count: int
    caller_errors: int
    own_errors: int
    usage: list[UsageOfDay]
    top_endpoints: list[UsageOfEndpoint]


class Activity(msgspec.Struct, rename="camel"):
    """One call. `endpoint` is the route's template, `(unknown)` where no route was met. `clientRequestId` is the
    caller's X-Request-Id; null where there was none, or none that is a UUID, a ULID or 24 to 64 hexadecimal digits."""

    time: datetime
    method: str
    endpoint: str
    status: int
    duration_ms: float
    partner: str | None
    partner_id: int | None
    key_id: int | None
    practicepass: str | None
    ip: str
    request_id: str
    client_request_id: str | None


class DisclosedAnswer(msgspec.Struct, rename="camel"):
    """One answer about patients. `partner`, `key`, `address` (the recipient's network address), `purpose` (of the key)
    and `kinds` (of fields) are as of the disclosure; rows written before revision 0020 have the present names, and null
    for the other three."""

    number: int
    time: datetime
    partner: str | None
    partner_id: int
    key: str | None
    key_id: int
    address: str | None
    purpose: str | None
    kinds: list[str] | None
    method: str
    endpoint: str
    request_id: str
    patient_ids: list[int]
