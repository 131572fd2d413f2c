"""Conversion between local times of a practice and instants. A local time that occurs twice means the first."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def instant(zone: str, local: datetime) -> datetime:
    """Return the instant of a local time without offset. A local time that is skipped is converted as if the clocks had
    not gone forward."""
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def is_skipped(zone: str, local: datetime) -> bool:
    """Return whether a local time does not exist because the clocks go forward."""
    return wall_clock(zone, instant(zone, local)).replace(fold=0) != local.replace(fold=0)


def wall_clock(zone: str, moment: datetime) -> datetime:
    """Return the local time of an instant, without an offset; `fold` is 1 for the second of two equal local times."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def written(zone: str, moment: datetime) -> str:
    """Return `YYYY-MM-DDTHH:MM:SS` in local time; with the offset where it is needed to parse it back."""
    local = wall_clock(zone, moment)
    return local.isoformat() if not local.fold else moment.astimezone(ZoneInfo(zone)).isoformat()
