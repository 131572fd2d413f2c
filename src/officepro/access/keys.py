"""Administration of API keys: issue, list, revoke, rotate. Runs under the system role.

A key's secret is returned once, in the response that creates it; only its fingerprint is stored."""

import difflib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from officepro.access.queries import create_key, set_secret
from officepro.access.scopes import DEFAULT_SCOPES, EVERY_SCOPE
from officepro.foundation.database import Connection, Row
from officepro.foundation.errors import Conflict, Fault, Impossible, Invalid, NotFound
from officepro.foundation.paging import MAXIMUM_TOTAL, Page
from officepro.foundation.secrets import fingerprint, make_api_key

LONGEST_GRACE_SECONDS = 90 * 86_400

Status = Literal["active", "revoked", "expired"]
# Purpose of a key's requests. 45 CFR 164.506 names the first three; an accounting of disclosures (164.528) concerns
# the last one.
Purpose = Literal["treatment", "payment", "operations", "other"]


class UnknownKey(NotFound):
    """No such API key. GET /v1/admin/keys lists them."""

    code = "unknown_key"


class ImpossibleKey(Impossible):
    """These key settings are not allowed; see `errors`."""

    code = "impossible_key"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(None, errors=list(faults))


class KeyNotActive(Conflict):
    """This key was revoked or has expired and cannot be rotated. Issue a new one."""

    code = "key_not_active"


class KeyAlreadyRotated(Conflict):
    """This key has already been rotated. Rotate its successor instead."""

    code = "key_already_rotated"


class NewKey(msgspec.Struct, frozen=True):
    """The settings of a key to be issued."""

    partner_id: int
    practicepass: str | None  # None: every practice
    name: str
    scopes: Sequence[str] = tuple(sorted(DEFAULT_SCOPES))
    expires_at: datetime | None = None
    purpose: Purpose = "other"
    patient_budget_per_day: int | None = None  # None: the setting's; 0: no limit


class Key(msgspec.Struct, frozen=True):
    """An API key without its secret."""

    key_id: int
    partner_id: int
    company: str
    practicepass: str | None
    name: str
    scopes: list[str]
    purpose: Purpose
    patient_budget_per_day: int | None
    status: Status
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: int | None
    last_used_at: datetime | None
    created_at: datetime


class Issued(msgspec.Struct, frozen=True):
    """A key with its secret."""

    key: Key
    secret: str


_STATUS = """
    CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired' ELSE 'active' END
"""
_SELECT = f"""
    SELECT k.api_key_id AS key_id, k.partner_id, partner.company, practice.practicepass, k.name, k.scopes, k.purpose,
           k.patient_budget_per_day, {_STATUS} AS status, k.expires_at, k.revoked_at, k.replaced_by, k.last_used_at,
           k.created_at
    FROM api_key k JOIN partner USING (partner_id) LEFT JOIN practice USING (practice_id)
"""
_WANTED = f"""
    WHERE ($1::bigint IS NULL OR k.partner_id = $1)
      AND ($2::text IS NULL OR k.practice_id IS NULL OR practice.practicepass = $2)
      AND ($3::text IS NULL OR {_STATUS} = $3)
"""


NEWEST_FIRST = "-key"
_ORDERS = {
    "key": "k.api_key_id",
    "name": "lower(k.name)",
    "partner": "lower(partner.company)",
    "practice": "lower(practice.practicepass)",
    "used": "k.last_used_at",
    "status": _STATUS,
}
ORDERS = frozenset(f"{sign}{name}" for name in _ORDERS for sign in ("", "-"))


async def keys(
    db: Connection,
    page: Page,
    *,
    partner_id: int | None,
    practicepass: str | None,
    status: Status | None,
    order: str = NEWEST_FIRST,
) -> tuple[list[Key], int]:
    """Return one page in the given order, which is one of ORDERS, and the number of all matching keys (counted up to
    MAXIMUM_TOTAL). Keys for all practices are listed under each practice."""
    wanted = (partner_id, practicepass, status)
    direction = "DESC NULLS LAST" if order.startswith("-") else "ASC NULLS FIRST"
    rows = await db.fetch(
        f"""
        {_SELECT} {_WANTED} ORDER BY {_ORDERS[order.removeprefix("-")]} {direction}, k.api_key_id DESC
        LIMIT $4 OFFSET $5
        """,
        *wanted,
        page.limit,
        page.offset,
    )
    total: int = await db.fetchval(
        f"SELECT count(*) FROM ({_SELECT} {_WANTED} LIMIT $4) AS counted", *wanted, MAXIMUM_TOTAL
    )
    return [_key(row) for row in rows], total


async def key(db: Connection, key_id: int) -> Key:
    """Return a key. Raises UnknownKey."""
    row = await db.fetchrow(f"{_SELECT} WHERE k.api_key_id = $1", key_id)
    if row is None:
        raise UnknownKey
    return _key(row)


async def issue(db: Connection, new: NewKey, now: datetime) -> Issued:
    """Issue a key. Raises Invalid, ImpossibleKey."""
    if faults := list(_faults_of_scopes(new.scopes)):
        raise Invalid(faults)
    row = await db.fetchrow(
        """
        SELECT EXISTS (SELECT FROM partner WHERE partner_id = $1) AS partner,
               (SELECT practice_id FROM practice WHERE practicepass = $2) AS practice_id
        """,
        new.partner_id,
        new.practicepass,
    )
    assert row is not None
    if faults := list(_faults_of(new, row, now)):
        raise ImpossibleKey(faults)
    return await _make(db, new.partner_id, row["practice_id"], new)


async def revoke(db: Connection, key_id: int) -> Key:
    """Revoke a key; a revoked key is left unchanged. Raises UnknownKey."""
    await db.execute("UPDATE api_key SET revoked_at = now() WHERE api_key_id = $1 AND revoked_at IS NULL", key_id)
    return await key(db, key_id)


async def rotate(db: Connection, key_id: int, grace_seconds: int) -> tuple[Issued, Key]:
    """Issue a successor with the same settings. Return it, and the old key with its new expiry: both work until the
    grace period ends. Raises UnknownKey, KeyNotActive, KeyAlreadyRotated."""
    old = await db.fetchrow(
        f"""
        SELECT k.partner_id, k.practice_id, k.name, k.scopes, k.expires_at, k.purpose, k.patient_budget_per_day,
               k.replaced_by, {_STATUS} AS status
        FROM api_key k WHERE k.api_key_id = $1 FOR UPDATE
        """,
        key_id,
    )
    if old is None:
        raise UnknownKey
    if old["replaced_by"] is not None:
        raise KeyAlreadyRotated(f"This key has already been rotated; its successor is key {old['replaced_by']}.")
    if old["status"] != "active":
        raise KeyNotActive
    like = NewKey(
        old["partner_id"],
        None,
        old["name"],
        old["scopes"],
        old["expires_at"],
        old["purpose"],
        old["patient_budget_per_day"],
    )
    new = await _make(db, old["partner_id"], old["practice_id"], like)
    await db.execute(
        """
        UPDATE api_key SET replaced_by = $2, expires_at = least(expires_at, now() + make_interval(secs => $3))
        WHERE api_key_id = $1
        """,
        key_id,
        new.key.key_id,
        grace_seconds,
    )
    return new, await key(db, key_id)


async def set_purpose(db: Connection, key_id: int, purpose: Purpose) -> None:
    """Set the purpose of disclosures to this key from now on."""
    await db.execute("UPDATE api_key SET purpose = $2 WHERE api_key_id = $1", key_id, purpose)


async def set_patient_budget(db: Connection, key_id: int, patients_per_day: int | None) -> None:
    """Set the key's daily patient budget; None applies the setting's, 0 is no limit."""
    await db.execute("UPDATE api_key SET patient_budget_per_day = $2 WHERE api_key_id = $1", key_id, patients_per_day)


async def _make(db: Connection, partner_id: int, practice_id: int | None, new: NewKey) -> Issued:
    key_id = await create_key(
        db,
        partner_id=partner_id,
        practice_id=practice_id,
        name=new.name,
        scopes=new.scopes,
        expires_at=new.expires_at,
        purpose=new.purpose,
        patient_budget_per_day=new.patient_budget_per_day,
    )
    secret = make_api_key(key_id)
    await set_secret(db, key_id, fingerprint(secret))
    return Issued(await key(db, key_id), secret)


def _faults_of_scopes(scopes: Sequence[str]) -> Iterator[Fault]:
    for index, scope in enumerate(scopes):
        if scope not in EVERY_SCOPE:
            near = difflib.get_close_matches(scope, EVERY_SCOPE, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"scopes are {', '.join(sorted(EVERY_SCOPE))}"
            yield Fault(f"body.scopes[{index}]", f"is not a scope; {hint}")
        elif scope in scopes[:index]:
            yield Fault(f"body.scopes[{index}]", f"duplicate value {scope}")


def _faults_of(new: NewKey, found: Row, now: datetime) -> Iterator[Fault]:
    if not found["partner"]:
        yield Fault("body.partnerId", f"no partner {new.partner_id} exists")
    if new.practicepass is not None and found["practice_id"] is None:
        yield Fault("body.practicepass", f"no practice {new.practicepass} exists")
    if new.expires_at is not None and new.expires_at <= now:
        yield Fault("body.expiresAt", "must lie in the future")


def _key(row: Row) -> Key:
    return Key(**dict(row))
