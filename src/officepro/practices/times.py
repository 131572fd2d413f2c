"""Times of the practice configuration on the wire: minutes of the day, and local times of the practice."""

import re
from datetime import datetime
from typing import Any, ClassVar

from officepro.foundation.wire import EARLIEST_YEAR, LATEST_YEAR, Moment

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:00)?")
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")


class ClockMinute(int):
    """A whole minute of the day, `HH:MM`, as minutes since midnight."""

    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": f"^{_CLOCK.pattern}$",
        "examples": ["09:00"],
    }

    @classmethod
    def parse(cls, text: object) -> "ClockMinute":
        """Parse `HH:MM`. Raises ValueError."""
        if not isinstance(text, str) or not _CLOCK.fullmatch(text):
            raise ValueError("must be a time of day in whole minutes as HH:MM, 00:00 to 23:59")
        return cls(int(text[:2]) * 60 + int(text[3:5]))

    @staticmethod
    def written(minute: int) -> str:
        """Format minutes since midnight as `HH:MM`; 1440 and above wrap around."""
        return f"{minute // 60 % 24:02}:{minute % 60:02}"


class LocalDateTime(datetime):
    """A local time of the practice, `YYYY-MM-DDTHH:MM:SS` without an offset, or an instant as RFC 3339."""

    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "description": "Local time of the practice (YYYY-MM-DDTHH:MM:SS), or an instant with an offset (RFC 3339).",
        "examples": ["2026-03-09T09:00:00"],
    }

    @classmethod
    def parse(cls, text: object) -> "LocalDateTime":
        """Parse a local time or an instant. Raises ValueError."""
        if not isinstance(text, str) or not _LOCAL.fullmatch(text):
            return cls._of_moment(text)
        try:
            local = cls.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text} is not a valid date and time") from None
        if not EARLIEST_YEAR <= local.year <= LATEST_YEAR:
            raise ValueError(f"must be a time in the years {EARLIEST_YEAR} to {LATEST_YEAR}")
        return local

    @classmethod
    def _of_moment(cls, text: object) -> "LocalDateTime":
        try:
            moment = Moment.parse(text)
        except ValueError as error:
            if "RFC 3339" not in str(error):
                raise
            raise ValueError(
                "must be a local time as YYYY-MM-DDTHH:MM:SS, or an instant with an offset as RFC 3339"
            ) from None
        return cls.combine(moment.date(), moment.timetz())
