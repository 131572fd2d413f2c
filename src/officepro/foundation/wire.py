"""Types of the wire format: strict dates, times, ids and text.

PostgreSQL would accept `24:00:00`, `infinity` and `tomorrow`, and rejects NUL: so everything is parsed strictly here.
(API.md: Conventions)"""

import re
from datetime import date, datetime, time
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from officepro.foundation.clock import timestamp

EARLIEST_YEAR, LATEST_YEAR = 1900, 2100
MAXIMUM_ID = 2**63 - 1
MINUTES_OF_DAY = 1440

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)


class LocalDate(date):
    """A day in the practice's own time zone: `YYYY-MM-DD`, years 1900 to 2100."""

    @classmethod
    def parse(cls, text: object) -> "LocalDate":
        """Parse a date. Raises ValueError."""
        if not isinstance(text, str) or not _DATE.fullmatch(text):
            raise ValueError("must be a date as YYYY-MM-DD")
        try:
            day = cls.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text} is not a calendar date") from None
        if not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
            raise ValueError(f"must be a date in the years {EARLIEST_YEAR} to {LATEST_YEAR}")
        return day


class LocalTime(time):
    """A time of day in the practice's own time zone: `HH:MM:SS` (or `HH:MM`), 00:00:00 to 23:59:59."""

    @classmethod
    def parse(cls, text: object) -> "LocalTime":
        """Parse a time of day. Raises ValueError."""
        if not isinstance(text, str) or not _TIME.fullmatch(text):
            raise ValueError("must be a time of day as HH:MM:SS, 00:00:00 to 23:59:59")
        return cls.fromisoformat(text)


class Moment(datetime):
    """An instant: RFC 3339 with an offset, `2026-03-09T14:15:00Z`, years 1900 to 2100."""

    @classmethod
    def parse(cls, text: object) -> "Moment":
        """Parse an instant. Raises ValueError."""
        if not isinstance(text, str) or not _MOMENT.fullmatch(text):
            raise ValueError("must be an RFC 3339 date and time with an offset, such as 2026-03-09T14:15:00Z")
        try:
            moment = cls.fromisoformat(text.upper())
        except ValueError:
            raise ValueError(f"{text} is not a valid date and time") from None
        if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            raise ValueError(f"must be a date and time in the years {EARLIEST_YEAR} to {LATEST_YEAR}")
        return moment


# Blanks, listed for the OpenAPI document: `\s` differs between Python and the document's readers.
_BLANKS = r"\s\x1c-\x1f\x85\ufeff"
VISIBLE = rf"\x00-\x1f{_BLANKS}"  # after [^: excludes blanks and control characters

END = r"\Z"  # Python's `$` also matches before a final newline; the OpenAPI document has `$`, as its readers expect
NO_NUL = r"^[^\x00]*$"
SOME_TEXT = rf"^[^\x00]*[^\x00{_BLANKS}][^\x00]*$"  # no NUL, and not blank

# Something, an at, a host with a dot.
E_MAIL = rf"^[^{VISIBLE}@]+@[^{VISIBLE}@]+\.[^{VISIBLE}@.]+{END}"
WEB_ADDRESS = rf"https?://[^{VISIBLE}/]+[^{VISIBLE}]*"
E_MAIL_OR_EMPTY = f"^{END}|{E_MAIL}"
WEB_ADDRESS_OR_EMPTY = f"^({WEB_ADDRESS})?{END}"
DIGITS_OR_EMPTY = rf"^[0-9]{{0,18}}{END}"  # of an id: every such number is one that PostgreSQL's bigint holds

RecordId = Annotated[int, Meta(ge=1, le=MAXIMUM_ID)]
DurationMinutes = Annotated[int, Meta(ge=1, le=MINUTES_OF_DAY)]

Text20 = Annotated[str, Meta(max_length=20, pattern=NO_NUL)]
Text50 = Annotated[str, Meta(max_length=50, pattern=NO_NUL)]
Text100 = Annotated[str, Meta(max_length=100, pattern=NO_NUL)]
Text200 = Annotated[str, Meta(max_length=200, pattern=NO_NUL)]
Text500 = Annotated[str, Meta(max_length=500, pattern=NO_NUL)]
Text2000 = Annotated[str, Meta(max_length=2000, pattern=NO_NUL)]
Text10000 = Annotated[str, Meta(max_length=10_000, pattern=NO_NUL)]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=SOME_TEXT)]
Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=SOME_TEXT)]

# Types that are parsed from text by their own strict `parse`.
PARSED: tuple[type[Any], ...] = (LocalDate, LocalTime, Moment)


def decode_hook(wanted: type[Any], value: object) -> Any:
    """Convert a value to a type that msgspec does not support. Raises ValueError with the message for the caller."""
    if isinstance(value, wanted):
        return value
    parse = getattr(wanted, "parse", None)
    if parse is None:
        raise NotImplementedError(wanted)
    return parse(value)


def encode_hook(value: object) -> Any:
    """Convert a value of a type that msgspec does not support."""
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    raise NotImplementedError(type(value))


def schema_hook(wanted: type[Any]) -> dict[str, Any]:
    """Return the JSON schema of a type that msgspec does not support, for the OpenAPI document."""
    if wanted is LocalDate:
        return {"type": "string", "format": "date", "examples": ["2026-03-09"]}
    if wanted is LocalTime:
        return {"type": "string", "pattern": f"^{_TIME.pattern}$", "examples": ["10:15:00"]}
    if wanted is Moment:
        return {"type": "string", "format": "date-time", "examples": ["2026-03-09T14:15:00Z"]}
    schema = getattr(wanted, "json_schema", None)
    if schema is None:
        raise NotImplementedError(wanted)
    return dict(schema)


_encoder = msgspec.json.Encoder(enc_hook=encode_hook)


def encode(value: object) -> bytes:
    """Encode a value as JSON."""
    return _encoder.encode(value)
