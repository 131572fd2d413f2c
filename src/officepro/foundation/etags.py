"""ETag and If-Match on single records. (RFC 9110, sections 8.8.3 and 13.1.1; API.md: Conventions)

Each record has a `version` that every change increments; its ETag is that number in quotes."""

import re
from collections.abc import Mapping

from officepro.foundation.errors import PreconditionFailed

_OURS = re.compile(r'(?:W/)?"([1-9][0-9]{0,17})"')
NO_VERSION = 0  # of no record: an If-Match that this service did not issue matches nothing


class StaleVersion(PreconditionFailed):
    """The record was changed since you read it; the ETag header has its current version. Read it again and repeat your
    change."""

    code = "stale_version"

    def __init__(self, current_version: int) -> None:
        self.current_version = current_version
        super().__init__()

    @property
    def headers(self) -> Mapping[str, str]:
        return etag(self.current_version)


def etag(version: int) -> dict[str, str]:
    """Return the ETag header of a version."""
    return {"ETag": f'"{version}"'}


def version_of(if_match: str | None) -> int | None:
    """Return the version that If-Match requires; None for any version."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _OURS.fullmatch(if_match.strip())
    return int(found.group(1)) if found else NO_VERSION
