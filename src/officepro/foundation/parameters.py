"""Path and query parameters that many routes share, with their bounds.

The bounds are given in Litestar's own PathParameter and QueryParameter (a msgspec Meta beside them is ignored)."""

from typing import Annotated

from litestar.params import HeaderParameter, PathParameter, QueryParameter

from officepro.foundation.paging import MAXIMUM_LIMIT, MAXIMUM_PAGE
from officepro.foundation.wire import MAXIMUM_ID, MINUTES_OF_DAY, NO_NUL, LocalDate, LocalTime

PathId = Annotated[int, PathParameter(ge=1, le=MAXIMUM_ID)]
PathText = Annotated[str, PathParameter(min_length=1, max_length=200, pattern=NO_NUL)]

PageNumber = Annotated[int, QueryParameter(ge=1, le=MAXIMUM_PAGE, description="Page number, from 1.")]
PageLimit = Annotated[int, QueryParameter(ge=1, le=MAXIMUM_LIMIT, description="Records per page.")]
Search = Annotated[str | None, QueryParameter(max_length=200, pattern=NO_NUL, description="Text to search for.")]

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", max_length=100, description="Apply only if the record's ETag still has this value."
    ),
]

Day = Annotated[LocalDate, QueryParameter(name="date", description="A day in the practice's own time zone.")]
StartDate = Annotated[LocalDate, QueryParameter(name="startDate", description="The first day, inclusive.")]
EndDate = Annotated[LocalDate, QueryParameter(name="endDate", description="The last day, inclusive.")]
TimeOfDay = Annotated[LocalTime, QueryParameter(name="time", description="A time in the practice's own time zone.")]
Duration = Annotated[int, QueryParameter(name="duration", ge=1, le=MINUTES_OF_DAY, description="Minutes.")]
VisitTypeName = Annotated[
    str | None,
    QueryParameter(name="visitType", min_length=1, max_length=100, pattern=NO_NUL, description="A visit type's name."),
]
