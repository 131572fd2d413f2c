"""Error reference: the meaning of each `code`, taken from the exception classes."""

from collections.abc import Iterator
from http import HTTPStatus

import msgspec

from officepro.foundation.errors import OfficeProError


class ErrorMeaning(msgspec.Struct, frozen=True):
    """One error code with its status and description."""

    status: int
    code: str
    title: str
    meaning: str


def every_error() -> list[ErrorMeaning]:
    """Return all errors that callers can receive, by status and code. A code with two statuses has two entries:
    `unknown_provider` is 404 for a provider in the path and 422 for one in the body.

    Of server errors callers receive only `internal_error`; its other subclasses end a process at startup. Redirects are
    not errors.
    """
    found: dict[tuple[int, str], ErrorMeaning] = {}
    for error in every_error_class():
        if error is OfficeProError or (error.status >= 400 and error.status != OfficeProError.status):
            found.setdefault((error.status, error.code), meaning_of(error))
    return [found[key] for key in sorted(found)]


def meaning_of(error: type[OfficeProError]) -> ErrorMeaning:
    """Return the reference entry of an error class; its docstring is the description."""
    sentence = " ".join((error.__doc__ or "").split())
    return ErrorMeaning(error.status, error.code, HTTPStatus(error.status).phrase, sentence)


def every_error_class(root: type[OfficeProError] = OfficeProError) -> Iterator[type[OfficeProError]]:
    """Yield the root and its subclasses, parents before children; only those of officepro."""
    yield root
    for error in root.__subclasses__():
        if error.__module__.startswith("officepro."):
            yield from every_error_class(error)
