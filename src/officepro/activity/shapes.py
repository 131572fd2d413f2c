"""Response schemas of activity and disclosures. (Source API specification: Dashboard Overview; API.md: Admin
endpoints)"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Generic, TypeVar

import msgspec

Record = TypeVar("Record")


class Stretch(msgspec.Struct, Generic[Record], rename="camel"):
    """A page of a long list, newest first. Pass `nextCursor` as `cursor` to get the next page; null at the end."""

    data: Sequence[Record]
    count: int
    next_cursor: str | None


class UsageOfDay(msgspec.Struct):
    """Calls of one UTC day."""

    date: date
    calls: int
    errors: int


class UsageOfEndpoint(msgspec.Struct, rename="camel"):
    """Calls of one endpoint."""

    method: str
    endpoint: str
    calls: int
    errors: int
    avg_duration_ms: float


class Overview(msgspec.Struct, rename="camel"):
    """Dashboard figures over whole UTC days, including today. Errors are responses of 400 and above: client errors are
    4xx, server errors 5xx. Percentiles are computed from a histogram, accurate to a few percent."""

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
    """One API request. `endpoint` is the route template, `(unknown)` if no route matched. `clientRequestId` is the
    client's X-Request-Id; null if there was none, or if it is not a UUID, a ULID or 24 to 64 hexadecimal digits."""

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
    """One response that contained patients. `partner`, `key`, `address` (the recipient's network address), `purpose`
    (of the key) and `kinds` (of fields) are as of the disclosure. Rows written before revision 0020 have the present
    names, and null for the other three."""

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
