"""Envelopes of response bodies: one record, a list, a write. (API.md: Conventions)"""

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

Record = TypeVar("Record")


class Encoded(msgspec.Struct):
    """A response body that is encoded already: JSON of the type that the handler declares."""

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
    """Result of a write: a message, and the record after the change."""

    message: str
    data: Record


def listed(records: Sequence[Record]) -> Listed[Record]:
    """Return the envelope of a whole list."""
    return Listed(records, len(records))
