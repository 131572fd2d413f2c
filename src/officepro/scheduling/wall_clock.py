"""Times as they are written on the wire."""

from datetime import datetime, timedelta
from functools import lru_cache

from officepro.scheduling.openings import DAY_MINUTES, LocalTime, Window, local_time

_TIMES = [f"{minute // 60:02}:{minute % 60:02}:00" for minute in range(DAY_MINUTES)]


def time_text(minute_of_day: int) -> str:
    """`09:00:00`"""
    return _TIMES[minute_of_day]


def moment_text(window: Window, minute: int) -> str:
    """A UTC minute in the practice's own time: `2026-03-09T09:00:00-04:00`."""
    return _moment_text(window.local_time(minute))


def _moment_text(local: LocalTime) -> str:
    day, minute_of_day, offset = local
    return f"{day.isoformat()}T{_TIMES[minute_of_day]}{_offset_text(offset)}"


@lru_cache(maxsize=256)
def _offset_text(offset_minutes: int) -> str:
    sign, minutes = ("-", -offset_minutes) if offset_minutes < 0 else ("+", offset_minutes)
    return f"{sign}{timedelta(minutes=minutes).seconds // 3600:02}:{minutes % 60:02}"


class Clock:
    """A practice's wall clock, for times that come from the database."""

    def __init__(self, zone: str) -> None:
        self.zone = zone

    def local(self, moment: datetime) -> LocalTime:
        return local_time(self.zone, int(moment.timestamp()) // 60)

    def time(self, moment: datetime) -> str:
        """`09:00:00`"""
        return time_text(self.local(moment).minute_of_day)

    def moment(self, moment: datetime) -> str:
        """`2026-03-09T09:00:00-04:00`"""
        return _moment_text(self.local(moment))
