"""Between a practice's wall clock and instants. A local time that the clocks show twice means the first."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def instant(zone: str, local: datetime) -> datetime:
    """When the clocks of the zone show this local time, which has no offset; for a skipped one, when they would have
    shown it had they not gone forward."""
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def is_skipped(zone: str, local: datetime) -> bool:
    """Whether the clocks go forward over this local time, so that it does not exist."""
    return wall_clock(zone, instant(zone, local)).replace(fold=0) != local.replace(fold=0)


def wall_clock(zone: str, moment: datetime) -> datetime:
    """What the clocks of the zone show, without an offset; `fold` is 1 when they show it for the second time."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def written(zone: str, moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS` on the clocks of the zone; with its offset where that is needed to read it back."""
    local = wall_clock(zone, moment)
    return local.isoformat() if not local.fold else moment.astimezone(ZoneInfo(zone)).isoformat()
