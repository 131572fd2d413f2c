"""The clock. No other module reads it; rules receive `now` as an argument."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def from_seconds(seconds: float) -> datetime:
    """Return the time so many seconds after the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def timestamp(moment: datetime) -> str:
    """Return RFC 3339 text in UTC with milliseconds: `2026-03-09T14:15:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
