"""Times as they are written on the wire."""

from datetime import timedelta
from functools import lru_cache

from officepro.scheduling.openings import DAY_MINUTES, Window

_TIMES = [f"{minute // 60:02}:{minute % 60:02}:00" for minute in range(DAY_MINUTES)]


def time_text(minute_of_day: int) -> str:
    """`09:00:00`"""
    return _TIMES[minute_of_day]


def moment_text(window: Window, minute: int) -> str:
    """A UTC minute in the practice's own time: `2026-03-09T09:00:00-04:00`."""
    day, minute_of_day, offset = window.local_time(minute)
    return f"{day.isoformat()}T{_TIMES[minute_of_day]}{_offset_text(offset)}"


@lru_cache(maxsize=256)
def _offset_text(offset_minutes: int) -> str:
    sign, minutes = ("-", -offset_minutes) if offset_minutes < 0 else ("+", offset_minutes)
    return f"{sign}{timedelta(minutes=minutes).seconds // 3600:02}:{minutes % 60:02}"
