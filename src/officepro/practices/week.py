"""Weekly hours of a provider: spans of local time. PURE.

Minutes of day; an end of 1440 is midnight, a later end is on the next day. Weekday 0 is Monday. A span is valid for the
days on which it begins, both dates inclusive.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from officepro.foundation.errors import Fault

DAY_MINUTES = 1440
WEEK_MINUTES = 7 * DAY_MINUTES


class Span(NamedTuple):
    """Working hours on one weekday, in minutes of the day."""

    weekday: int
    starts_minute: int
    ends_minute: int
    valid_from: date | None = None
    valid_until: date | None = None


def end_of(starts_minute: int, clock_minute: int) -> int:
    """Return the end in minutes of the first day: a clock time at or before the start is on the next day."""
    return clock_minute if clock_minute > starts_minute else clock_minute + DAY_MINUTES


def faults_of(spans: Sequence[Span]) -> Iterator[Fault]:
    """Yield errors for reversed validity dates and overlapping spans."""
    for index, span in enumerate(spans):
        if span.valid_from and span.valid_until and span.valid_until < span.valid_from:
            yield Fault(f"body[{index}].validUntil", "must not be before validFrom")
    for later, other in enumerate(spans):
        for earlier, one in enumerate(spans[:later]):
            if are_valid_together(one, other) and overlap(one, other):
                yield Fault(f"body[{later}].start", f"overlaps the hours of body[{earlier}]")
                break


def are_valid_together(one: Span, other: Span) -> bool:
    """True if the validity periods of the two spans intersect."""
    first = max(one.valid_from or date.min, other.valid_from or date.min)
    last = min(one.valid_until or date.max, other.valid_until or date.max)
    return first <= last


def overlap(one: Span, other: Span) -> bool:
    """True if the spans overlap in any week, including across midnight between Sunday and Monday."""
    starts, others = (span.weekday * DAY_MINUTES + span.starts_minute for span in (one, other))
    ahead = (others - starts) % WEEK_MINUTES
    behind = (starts - others) % WEEK_MINUTES
    return ahead < one.ends_minute - one.starts_minute or behind < other.ends_minute - other.starts_minute
