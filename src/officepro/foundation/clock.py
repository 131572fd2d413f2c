"""The one place that reads the clock; rules are handed `now`."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def from_seconds(seconds: float) -> datetime:
    """The moment so many seconds after the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-03-09T14:15:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
