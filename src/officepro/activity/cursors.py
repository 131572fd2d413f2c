"""Pagination cursors: the end of a page (time and row number), encoded as an opaque string."""

import base64
from datetime import datetime

from officepro.foundation.errors import Invalid
from officepro.foundation.wire import MAXIMUM_ID, Moment


def cursor_of(moment: datetime, number: int) -> str:
    """Return the cursor of the last row of a page."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {number}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> tuple[datetime, int]:
    """Decode a cursor into time and row number. Raises Invalid."""
    try:
        moment, _, number = base64.b64decode(cursor + "===", altchars=b"-_").decode("ascii").partition(" ")
        place = Moment.parse(moment), int(number)
    except ValueError:
        place = None
    if place is None or not 1 <= place[1] <= MAXIMUM_ID:
        raise Invalid.at("query.cursor", "invalid cursor; pass `nextCursor` unchanged")
    return place
