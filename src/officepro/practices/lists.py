"""Checks shared by the configuration lists: an item with an id changes that record, an item without one creates a
record.

PURE. `given` contains the fields sent for each item, by their record names; field errors contain the item's index in
the body.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from officepro.foundation.errors import Fault, Impossible, Invalid
from officepro.foundation.wire import MAXIMUM_ID

Given = Mapping[str, Any]


class ImpossibleSetUp(Impossible):
    """The practice configuration is invalid; `errors` lists every error with its field."""

    code = "impossible_set_up"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(None, errors=list(faults))


def refuse(*, invalid: Iterable[Fault] = (), impossible: Iterable[Fault] = ()) -> None:
    """Raise Invalid for errors within the body, otherwise ImpossibleSetUp for conflicts with the practice's records."""
    of_itself, here = list(invalid), list(impossible)
    if of_itself:
        raise Invalid([*of_itself, *here])
    if here:
        raise ImpossibleSetUp(here)


def refuse_longer(given: Sequence[object], maximum: int) -> None:
    """Raise Invalid for more than `maximum` items. Call first: later checks compare each item with every other."""
    if len(given) > maximum:
        raise Invalid.at("body", f"must have at most {maximum} items")


def said_twice(values: Iterable[Hashable | None], field: str) -> Iterator[Fault]:
    """Yield an error for each repeated value. `field` is the wire name; None values are ignored."""
    first: dict[Hashable, int] = {}
    for index, value in enumerate(values):
        if value is None:
            continue
        if value in first:
            yield Fault(f"body[{index}].{field}", f"duplicates body[{first[value]}]")
        else:
            first[value] = index


def missing(given: Sequence[Given], field: str, new: Collection[int]) -> Iterator[Fault]:
    """Yield an error for each new item without this field; `new` contains the indexes of new items."""
    for index in new:
        if field not in given[index]:
            yield Fault(f"body[{index}].{field}", "is required for a new item")


def too_many(known: int, new: int, maximum: int, things: str) -> Iterator[Fault]:
    """Yield an error if the new items exceed the maximum number of records."""
    if known + new > maximum:
        yield Fault("body", f"would result in {known + new} {things}; the maximum is {maximum}")


def numbered(ids: Sequence[int | None], known: Collection[int]) -> list[int]:
    """Return each item's id; items without one get numbers after the highest existing one. Raises ImpossibleSetUp."""
    following = count(max([0, *known, *(one for one in ids if one is not None)]) + 1)
    found = [next(following) if one is None else one for one in ids]
    refuse(
        impossible=(
            Fault(f"body[{index}].id", "is required: the highest possible id is in use")
            for index, one in enumerate(found)
            if one > MAXIMUM_ID
        )
    )
    return found
