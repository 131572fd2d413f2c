"""Retry schedule of deliveries, and rules for warning about and disabling failing endpoints.

Sources: API.md (schedule), Standard Webhooks specification 1.0.0 (same schedule, `Retry-After`, 410), RFC 9110 §10.2.3
(Retry-After) and §5.6.7 (dates). Pure functions on the standard library; time and random values are arguments.
"""

import re
from datetime import UTC, datetime, timedelta

# Each delay is measured from the end of the previous attempt: ten attempts over 75 h 35 min, without jitter.
DELAYS = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MAXIMUM_ATTEMPTS = len(DELAYS)
JITTER = 0.2  # a delay is changed by up to this fraction, so that retries do not coincide
MAXIMUM_RETRY_AFTER = timedelta(hours=24)
WARNING_AFTER = timedelta(hours=96)
DISABLE_AFTER = timedelta(hours=120)
GONE = 410

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Not strptime, because its names of days and months depend on the locale.
_IMF_FIXDATE = re.compile(
    r"([A-Z][a-z]{2}), ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)


def succeeded(status: int) -> bool:
    """Return True for 2xx. A redirect is a failure, because its target address is not checked."""
    return 200 <= status <= 299


def disables_the_subscription(status: int) -> bool:
    """Return True for 410 Gone: the receiver wants no more events (Standard Webhooks). No retry; disables the
    subscription."""
    return status == GONE


def next_attempt(
    attempts_made: int, now: datetime, random_value: float, retry_after: timedelta | None = None
) -> datetime | None:
    """Return the time of the next attempt, or None if all attempts have been made.

    `attempts_made` counts completed attempts (0: the first is due now), `random_value` is in [0, 1), and `retry_after`
    is the result of `parse_retry_after` for the last response. It can only lengthen the delay.
    """
    if attempts_made >= MAXIMUM_ATTEMPTS:
        return None
    delay = DELAYS[attempts_made] * (1 - JITTER + 2 * JITTER * random_value)
    asked = min(retry_after or timedelta(0), MAXIMUM_RETRY_AFTER)
    return now + max(delay, asked)


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Parse a Retry-After header into a delay of at most 24 h; None if it is absent or malformed.

    Accepts whole seconds or an IMF-fixdate. The two obsolete date formats are ignored: they are not used in practice,
    and a misread delay would be worse than the normal schedule.
    """
    if value is None:
        return None
    value = value.strip(" \t")
    if value.isascii() and value.isdigit():
        # More than nine digits (30 years) exceed the maximum in any case; a hostile number is not converted.
        return MAXIMUM_RETRY_AFTER if len(value) > 9 else min(timedelta(seconds=int(value)), MAXIMUM_RETRY_AFTER)
    moment = _parse_imf_fixdate(value)
    if moment is None:
        return None
    return min(max(moment - now, timedelta(0)), MAXIMUM_RETRY_AFTER)


def is_due_for_warning(failing_since: datetime | None, now: datetime) -> bool:
    """Return whether to warn the partner that the subscription will be disabled in 24 h; see `is_due_for_disabling`."""
    return failing_since is not None and now - failing_since >= WARNING_AFTER


def is_due_for_disabling(failing_since: datetime | None, now: datetime) -> bool:
    """Return whether the endpoint has had only failures for 120 h.

    `failing_since` is the first failure after the latest success, None while the latest attempt succeeded. Call after a
    failed attempt, not on a timer: an endpoint with one failure and no attempts since has not failed for 120 h.
    """
    return failing_since is not None and now - failing_since >= DISABLE_AFTER


def _parse_imf_fixdate(value: str) -> datetime | None:
    match = _IMF_FIXDATE.fullmatch(value)
    if match is None or match[3] not in _MONTHS:
        return None
    year, month, day = int(match[4]), _MONTHS.index(match[3]) + 1, int(match[2])
    seconds = min(int(match[7]), 59)  # RFC 9110 allows the leap second 60, datetime doesn't
    try:
        moment = datetime(year, month, day, int(match[5]), int(match[6]), seconds, tzinfo=UTC)
    except ValueError:
        return None
    return moment if match[1] == _WEEKDAYS[moment.weekday()] and int(match[7]) <= 60 else None
