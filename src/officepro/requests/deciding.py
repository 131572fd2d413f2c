"""Approve or deny an access request: one transaction each, at most once per request."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from officepro.access import keys
from officepro.access.keys import ImpossibleKey, Issued, NewKey
from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import Fault
from officepro.requests import queries


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Terms that an admin grants to an access request."""

    scopes: Sequence[str] | None = None  # None: all requested scopes
    practicepass: str | None = None  # None: the requested practice
    every_practice: bool = False
    expires_at: datetime | None = None
    name: str | None = None  # None: the company's name


async def approve(db: Connection, request_id: int, terms: Terms, now: datetime) -> Issued:
    """Create the partner and its API key. Raises UnknownAccessRequest, AccessRequestDecided, ImpossibleKey."""
    asked = await queries.undecided(db, request_id)
    scopes = _narrowed(asked["scopes"], terms.scopes)
    partner_id = await queries.create_partner(db, asked["company"], asked["contact"], asked["email"])
    practicepass = None if terms.every_practice else terms.practicepass or asked["practice"]
    new = NewKey(partner_id, practicepass, terms.name or asked["company"], scopes, terms.expires_at)
    issued = await keys.issue(db, new, now)
    await queries.approved(db, request_id, partner_id, issued.key.key_id, now)
    return issued


async def deny(db: Connection, request_id: int, reason: str, now: datetime) -> Row:
    """Deny the access request. Raises UnknownAccessRequest, AccessRequestDecided."""
    await queries.undecided(db, request_id)
    return await queries.denied(db, request_id, reason, now)


def _narrowed(requested: Sequence[str], granted: Sequence[str] | None) -> list[str]:
    if granted is None:
        return sorted(requested)
    if beyond := sorted(set(granted) - set(requested)):
        message = f"may only narrow the requested scopes; not requested: {', '.join(beyond)}"
        raise ImpossibleKey([Fault("body.scopes", message)])
    return sorted(set(granted))
