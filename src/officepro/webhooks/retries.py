"""When a delivery is tried again, and when an endpoint is given up.

Sources: API.md (the schedule), the Standard Webhooks specification 1.0.0 (the same schedule, `Retry-After`, 410),
RFC 9110 §10.2.3 (Retry-After) and §5.6.7 (dates). Pure: the standard library alone; the time and the dice are passed
in.
"""

import re
from datetime import UTC, datetime, timedelta

# Each delay counts from the end of the previous attempt: ten attempts over 75 h 35 min, give or take the jitter.
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
JITTER = 0.2  # a delay is stretched or shortened by up to this part, so that retries don't come in step
MAXIMUM_RETRY_AFTER = timedelta(hours=24)
WARNING_AFTER = timedelta(hours=96)
DISABLE_AFTER = timedelta(hours=120)
GONE = 410

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Not strptime, whose names of days and months follow the locale.
_IMF_FIXDATE = re.compile(
    r"([A-Z][a-z]{2}), ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)


def succeeded(status: int) -> bool:
    """Only 2xx: a redirect is a failure, because following it would leave the checked address."""
    return 200 <= status <= 299


def disables_the_subscription(status: int) -> bool:
    """410 Gone: the receiver says that it wants no more (Standard Webhooks); no retry, and the subscription stops."""
    return status == GONE


def next_attempt(
    attempts_made: int, now: datetime, random_value: float, retry_after: timedelta | None = None
) -> datetime | None:
    """When to try again, or None when the delivery is exhausted.

    `attempts_made` counts those that have ended (0: the first is due at once), `random_value` lies in [0, 1), and
    `retry_after` is what `parse_retry_after` made of the last answer: a lower bound, never a reason to come sooner.
    """
    if attempts_made >= MAXIMUM_ATTEMPTS:
        return None
    delay = DELAYS[attempts_made] * (1 - JITTER + 2 * JITTER * random_value)
    asked = min(retry_after or timedelta(0), MAXIMUM_RETRY_AFTER)
    return now + max(delay, asked)


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """How long the receiver asks us to stay away, at most 24 h; None when the header is absent or malformed.

    Takes whole seconds or an IMF-fixdate. The two obsolete forms of dates are ignored: nobody sends them, and a
    wait that we misread would be worse than our own schedule.
    """
    if value is None:
        return None
    value = value.strip(" \t")
    if value.isascii() and value.isdigit():
        # Nine digits are thirty years: enough to know that the cap holds, without converting a hostile number.
        return MAXIMUM_RETRY_AFTER if len(value) > 9 else min(timedelta(seconds=int(value)), MAXIMUM_RETRY_AFTER)
    moment = _parse_imf_fixdate(value)
    if moment is None:
        return None
    return min(max(moment - now, timedelta(0)), MAXIMUM_RETRY_AFTER)


def is_due_for_warning(failing_since: datetime | None, now: datetime) -> bool:
    """Whether the partner should hear that the endpoint will be disabled in a day; see `is_due_for_disabling`."""
    return failing_since is not None and now - failing_since >= WARNING_AFTER


def is_due_for_disabling(failing_since: datetime | None, now: datetime) -> bool:
    """Whether there was nothing but failures for 120 h.

    `failing_since` is the first failure after the latest success, None while the latest attempt succeeded. Ask after an
    attempt has failed, not on a timer: an endpoint that failed once and was then left in peace hasn't failed for 120 h.
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
