"""The reference of every error: what each `code` means, from the exception classes themselves."""

from collections.abc import Iterator
from http import HTTPStatus

import msgspec

from officepro.foundation.errors import OfficeProError


class ErrorMeaning(msgspec.Struct, frozen=True):
    """One code, as callers meet it."""

    status: int
    code: str
    title: str
    meaning: str


def every_error() -> list[ErrorMeaning]:
    """By status and code. A code has two entries where it comes with two statuses: `unknown_provider` is a 404 for a
    provider in the address and a 422 for one in the body.

    Of the faults of our own side callers see only `internal_error`; its other subclasses stop a process at its start.
    What sends a browser elsewhere is no error.
    """
    found: dict[tuple[int, str], ErrorMeaning] = {}
    for error in every_error_class():
        if error is OfficeProError or (error.status >= 400 and error.status != OfficeProError.status):
            found.setdefault((error.status, error.code), meaning_of(error))
    return [found[key] for key in sorted(found)]


def meaning_of(error: type[OfficeProError]) -> ErrorMeaning:
    sentence = " ".join((error.__doc__ or "").split())
    return ErrorMeaning(error.status, error.code, HTTPStatus(error.status).phrase, sentence)


def every_error_class(root: type[OfficeProError] = OfficeProError) -> Iterator[type[OfficeProError]]:
    """The root, then its subclasses, parents before children; only our own."""
    yield root
    for error in root.__subclasses__():
        if error.__module__.startswith("officepro."):
            yield from every_error_class(error)
