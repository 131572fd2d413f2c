"""The envelopes of the wire: one record, a list, a write. (API.md: Conventions)"""

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

Record = TypeVar("Record")


class Encoded(msgspec.Struct):
    """An answer as it goes over the wire already: JSON of the shape that the handler declares."""

    body: bytes


class One(msgspec.Struct, Generic[Record]):
    """One record."""

    data: Record


class Listed(msgspec.Struct, Generic[Record]):
    """A whole list; `count` is the number of items in `data`."""

    data: Sequence[Record]
    count: int


class Paged(msgspec.Struct, Generic[Record], rename="camel"):
    """One page of a list. `total` counts all pages, up to a bound that the list's description names."""

    data: Sequence[Record]
    count: int
    page: int
    limit: int
    total: int
    next_cursor: str | UnsetType | None = UNSET


class Written(msgspec.Struct, Generic[Record]):
    """What a write did, in words and as the record stands now."""

    message: str
    data: Record


def listed(records: Sequence[Record]) -> Listed[Record]:
    return Listed(records, len(records))
