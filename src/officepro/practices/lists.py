"""What the lists of a set-up have in common: an item with an id changes that one, an item without makes a new one.

PURE. `given` holds, for each item, the fields that were sent, by their names in the record; faults carry the item's
index in the body.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from officepro.foundation.errors import Fault, Impossible, Invalid
from officepro.foundation.wire import MAXIMUM_ID

Given = Mapping[str, Any]


class ImpossibleSetUp(Impossible):
    """The set-up cannot be so; `errors` names every fault with its place."""

    code = "impossible_set_up"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(None, errors=list(faults))


def refuse(*, invalid: Iterable[Fault] = (), impossible: Iterable[Fault] = ()) -> None:
    """Raises Invalid for what is wrong with the body by itself, else ImpossibleSetUp for what is in this practice."""
    of_itself, here = list(invalid), list(impossible)
    if of_itself:
        raise Invalid([*of_itself, *here])
    if here:
        raise ImpossibleSetUp(here)


def refuse_longer(given: Sequence[object], maximum: int) -> None:
    """Before anything else is looked at: what follows may compare every item with every other."""
    if len(given) > maximum:
        raise Invalid.at("body", f"must have at most {maximum} items")


def said_twice(values: Iterable[Hashable | None], field: str) -> Iterator[Fault]:
    """`field` as it is called on the wire; None is no value."""
    first: dict[Hashable, int] = {}
    for index, value in enumerate(values):
        if value is None:
            continue
        if value in first:
            yield Fault(f"body[{index}].{field}", f"is the same as in body[{first[value]}]")
        else:
            first[value] = index


def missing(given: Sequence[Given], field: str, new: Collection[int]) -> Iterator[Fault]:
    """A field that every new item needs; `new` are the indexes of those."""
    for index in new:
        if field not in given[index]:
            yield Fault(f"body[{index}].{field}", "is required for a new one")


def too_many(known: int, new: int, maximum: int, things: str) -> Iterator[Fault]:
    if known + new > maximum:
        yield Fault("body", f"would make {known + new} {things}; at most {maximum} are kept")


def numbered(ids: Sequence[int | None], known: Collection[int]) -> list[int]:
    """Each item's id; those without one get the numbers after the highest there is. Raises ImpossibleSetUp."""
    following = count(max([0, *known, *(one for one in ids if one is not None)]) + 1)
    found = [next(following) if one is None else one for one in ids]
    refuse(
        impossible=(
            Fault(f"body[{index}].id", "must be given: no higher number is left")
            for index, one in enumerate(found)
            if one > MAXIMUM_ID
        )
    )
    return found
