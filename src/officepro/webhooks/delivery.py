"""One delivery attempt: HTTP request and result. (ARCHITECTURE.md: Webhooks)"""

import time
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from officepro.foundation import clock
from officepro.foundation.outbound.client import OutboundClient
from officepro.foundation.outbound.failures import OutboundError
from officepro.webhooks.messages import Event, body_of, headers_of
from officepro.webhooks.retries import disables_the_subscription, parse_retry_after, succeeded

BAD_STATUS = "bad_status"
MAXIMUM_MESSAGE_CHARACTERS = 500


class Delivered(NamedTuple):
    """A successful attempt: end time, HTTP status, duration in milliseconds."""

    at: datetime
    status_code: int
    duration_ms: int


class Failed(msgspec.Struct, frozen=True):
    """A failed attempt. `status_code` is None if no response was received; `gone` means 410 Gone."""

    at: datetime
    duration_ms: int
    error_code: str
    error_message: str
    status_code: int | None = None
    retry_after: timedelta | None = None
    gone: bool = False


async def attempt(
    client: OutboundClient, hook_url: str, secrets: list[str], event: Event, now: datetime
) -> Delivered | Failed:
    """Send one signed event and return the result. Network errors and error responses are returned, not raised.

    `now` is the start of the attempt, which is the signed timestamp.
    """
    body = body_of(event)
    started = time.perf_counter()  # monotonic: a clock change does not affect the duration
    try:
        answer = await client.post(hook_url, body, headers_of(event, body, secrets, int(now.timestamp())))
    except OutboundError as error:
        took = round((time.perf_counter() - started) * 1000)
        return Failed(clock.now(), took, error.code, str(error)[:MAXIMUM_MESSAGE_CHARACTERS])
    ended = clock.now()
    if succeeded(answer.status):
        return Delivered(ended, answer.status, answer.duration_ms)
    return Failed(
        ended,
        answer.duration_ms,
        BAD_STATUS,
        f"The endpoint returned status {answer.status}; a 2xx status is required.",
        status_code=answer.status,
        retry_after=parse_retry_after(answer.headers.get("retry-after"), ended),
        gone=disables_the_subscription(answer.status),
    )
