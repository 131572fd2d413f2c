"""The retry schedule of API.md, and the rules that end it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from officepro.webhooks.retries import (
    DELAYS,
    MAXIMUM_ATTEMPTS,
    disables_the_subscription,
    is_due_for_disabling,
    is_due_for_warning,
    next_attempt,
    parse_retry_after,
    succeeded,
)

NOW = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
DICE = st.floats(min_value=0, max_value=1, exclude_max=True)


def wait(attempts_made: int, random_value: float = 0.5, retry_after: timedelta | None = None) -> timedelta:
    """Return the delay until the next attempt."""
    moment = next_attempt(attempts_made, NOW, random_value, retry_after)
    assert moment is not None
    return moment - NOW


def test_ten_attempts_are_made_over_three_days() -> None:
    minute = timedelta(minutes=1)
    assert [wait(made) for made in range(MAXIMUM_ATTEMPTS)] == [
        *(0 * minute, timedelta(seconds=5), 5 * minute, 30 * minute, 2 * HOUR),
        *(5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR),
    ]
    assert sum(DELAYS, timedelta(0)) == timedelta(hours=75, minutes=35, seconds=5)


@given(st.integers(min_value=0, max_value=9), DICE)
def test_the_jitter_stays_within_a_fifth(attempts_made: int, random_value: float) -> None:
    delay, tick = DELAYS[attempts_made], timedelta(microseconds=1)
    assert 0.8 * delay - tick <= wait(attempts_made, random_value) <= 1.2 * delay + tick


def test_the_dice_are_used_in_full() -> None:
    assert wait(3, 0.0) == timedelta(minutes=24)
    assert wait(3, 0.999_999) == pytest.approx(timedelta(minutes=36), abs=timedelta(seconds=1))


@given(st.integers(min_value=10, max_value=10_000), DICE, st.none() | st.timedeltas())
def test_after_the_tenth_attempt_a_delivery_is_exhausted(made: int, dice: float, retry_after: timedelta | None) -> None:
    assert next_attempt(made, NOW, dice, retry_after) is None


@given(st.integers(min_value=0, max_value=9), DICE, st.timedeltas())
def test_retry_after_only_ever_lengthens_the_wait_and_at_most_to_a_day(
    made: int, dice: float, retry_after: timedelta
) -> None:
    ours = wait(made, dice)
    assert wait(made, dice, retry_after) == max(ours, min(retry_after, 24 * HOUR))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(seconds=120)),
        (" 120\t", timedelta(seconds=120)),
        ("86400", 24 * HOUR),
        ("86401", 24 * HOUR),
        ("9" * 100_000, 24 * HOUR),
        ("Mon, 09 Mar 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 09 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Mon, 09 Mar 2026 12:59:60 GMT", timedelta(minutes=59, seconds=59)),
        ("Sat, 01 Jan 2050 00:00:00 GMT", 24 * HOUR),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, expected: timedelta) -> None:
    assert parse_retry_after(value, NOW) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "-5", "+5", "5.5", "1e3", "٣", "²", "5 s", "soon", "NaN", "\x00", "5, 10"),
        "Tue, 09 Mar 2026 12:05:00 GMT",  # it is a Monday
        "Mon, 09 Mar 2026 12:05:00 UTC",
        "Mon, 09 Mar 2026 12:05:00 +0000",
        "Mon, 9 Mar 2026 12:05:00 GMT",
        "mon, 09 mar 2026 12:05:00 gmt",
        "Mon, 31 Feb 2026 12:05:00 GMT",
        "Mon, 09 Mrz 2026 12:05:00 GMT",
        "Mon, 09 Mar 2026 24:00:00 GMT",
        "Mon, 09 Mar 2026 12:05:61 GMT",
        "Mon, 09 Mar 0000 12:05:00 GMT",
        "Monday, 09-Mar-26 12:05:00 GMT",
        "Mon Mar  9 12:05:00 2026",
        "2026-03-09T12:05:00Z",
        "Mon, 09 Mar 2026 12:05:00 GMT\n",
    ],
)
def test_a_malformed_retry_after_is_ignored(value: str | None) -> None:
    assert parse_retry_after(value, NOW) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"))
def test_no_retry_after_can_raise_or_pass_its_bounds(value: str) -> None:
    parsed = parse_retry_after(value, NOW)
    assert parsed is None or timedelta(0) <= parsed <= 24 * HOUR


def test_only_2xx_is_a_success() -> None:
    assert [status for status in range(100, 600) if succeeded(status)] == list(range(200, 300))


def test_only_gone_stops_the_subscription_at_once() -> None:
    assert [status for status in range(100, 600) if disables_the_subscription(status)] == [410]


@pytest.mark.parametrize(
    ("hours", "warning", "disabling"),
    [(0, False, False), (95.99, False, False), (96, True, False), (119.99, True, False), (120, True, True)],
)
def test_after_96_hours_of_failures_comes_the_warning_and_after_120_the_end(
    hours: float, warning: bool, disabling: bool
) -> None:
    failing_since = NOW - hours * HOUR
    assert is_due_for_warning(failing_since, NOW) is warning
    assert is_due_for_disabling(failing_since, NOW) is disabling


def test_an_endpoint_that_works_is_left_alone() -> None:
    assert not is_due_for_warning(None, NOW)
    assert not is_due_for_disabling(None, NOW)
