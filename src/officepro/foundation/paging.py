"""Pagination: `page` from 1, `limit` 1 to 100."""

from collections.abc import Sequence

import msgspec

from officepro.foundation.answers import Paged, Record

DEFAULT_LIMIT = 25
MAXIMUM_LIMIT = 100
MAXIMUM_PAGE = 1_000_000
MAXIMUM_TOTAL = 10_000  # counting stops here, so that a list of a million costs no more than one of ten thousand


class Page(msgspec.Struct, frozen=True):
    """One page of a list."""

    number: int = 1
    limit: int = DEFAULT_LIMIT

    @property
    def offset(self) -> int:
        """Number of records before the page."""
        return (self.number - 1) * self.limit


def paged(records: Sequence[Record], page: Page, total: int) -> Paged[Record]:
    """Return the envelope of a page."""
    return Paged(records, len(records), page.number, page.limit, total)
