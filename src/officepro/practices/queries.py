"""Queries for practices. Written under the system role, since no practice may change itself."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from officepro.foundation.database import MEANING, Connection, Row
from officepro.foundation.errors import Conflict, Fault, Invalid, NotFound
from officepro.foundation.etags import StaleVersion
from officepro.foundation.paging import MAXIMUM_TOTAL, Page
from officepro.foundation.wire import END
from officepro.practices import time_zones

PRACTICEPASS_FORM = rf"^[A-Za-z][A-Za-z0-9_-]{{1,63}}{END}"

# Path segments used by other routes in place of a PPass: /v1/products, /v1/admin/keys, /portal …
RESERVED = frozenset(
    {"admin", "api", "auth", "docs", "healthz", "metrics", "openapi", "portal", "readyz", "static", "v1"}
    | {"access-requests", "activity", "events", "kb", "keys", "me", "overview", "partners", "practices", "products"}
    | {"log", "prospects", "tags", "tickets", "vendors", "visits", "webhooks"}
)


class UnknownPractice(NotFound):
    """There is no such practice; GET /v1/admin/practices lists them."""

    code = "unknown_practice"


class PracticepassTaken(Conflict):
    """This practicepass is already in use. Change that practice with PATCH, or choose another practicepass."""

    code = "practicepass_taken"


MEANING["practice_practicepass"] = PracticepassTaken


class NewPractice(msgspec.Struct, frozen=True, kw_only=True):
    """A practice to create."""

    practicepass: str
    name: str
    time_zone: str
    slot_minutes: int = 15
    minimum_notice_minutes: int = 0
    booking_horizon_days: int | None = None  # None: no limit
    active: bool = True


class Practice(NewPractice, frozen=True, kw_only=True):
    """A practice as stored."""

    practice_id: int
    version: int  # of its configuration, which is part of the practice
    created_at: datetime
    updated_at: datetime


_COLUMNS = """
    practice_id, practicepass, name, time_zone, slot_minutes, minimum_notice_minutes, booking_horizon_days, active,
    created_at, updated_at, version
"""
_SELECT = f"SELECT {_COLUMNS} FROM practice LEFT JOIN practice_setup USING (practice_id)"


async def practice_named(db: Connection, practicepass: str) -> Practice:
    """Return the practice with this practicepass. Raises UnknownPractice."""
    if not re.fullmatch(PRACTICEPASS_FORM, practicepass):
        raise UnknownPractice
    row = await db.fetchrow(f"{_SELECT} WHERE practicepass = $1", practicepass)
    if row is None:
        raise UnknownPractice
    return _practice(row)


async def practices(db: Connection, page: Page) -> tuple[list[Practice], int]:
    """Return one page by practicepass, and the total number of practices."""
    rows = await db.fetch(
        f"{_SELECT} ORDER BY lower(practicepass), practice_id LIMIT $1 OFFSET $2",
        page.limit,
        page.offset,
    )
    total: int = await db.fetchval("SELECT count(*) FROM (SELECT FROM practice LIMIT $1) AS counted", MAXIMUM_TOTAL)
    return [_practice(row) for row in rows], total


async def establish(db: Connection, new: NewPractice) -> Practice:
    """Create a practice with an empty event log and an empty configuration. Raises Invalid, PracticepassTaken."""
    _refuse([*_faults_of_practicepass(new.practicepass), *_faults_of_time_zone(new.time_zone)])
    practice_id: int = await db.fetchval(
        """
        INSERT INTO practice
            (practicepass, name, time_zone, slot_minutes, minimum_notice_minutes, booking_horizon_days, active)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING practice_id
        """,
        *msgspec.structs.astuple(new),
    )
    await db.execute("INSERT INTO log_head (practice_id) VALUES ($1)", practice_id)
    await move_version(db, practice_id)
    return await practice_named(db, new.practicepass)


async def change(db: Connection, practicepass: str, changes: dict[str, Any], version: int | None = None) -> Practice:
    """Change a practice. `changes` uses the field names of NewPractice; `version` is the version that the client
    expects.

    Raises Invalid, UnknownPractice, StaleVersion.
    """
    if "time_zone" in changes:
        _refuse(list(_faults_of_time_zone(changes["time_zone"])))
    await move_version(db, (await practice_named(db, practicepass)).practice_id)
    practice = msgspec.structs.replace(await practice_named(db, practicepass), **changes)
    if version is not None and version != practice.version - 1:
        raise StaleVersion(practice.version - 1)
    await db.execute(
        """
        UPDATE practice SET name = $2, time_zone = $3, slot_minutes = $4, minimum_notice_minutes = $5,
               booking_horizon_days = $6, active = $7, updated_at = now()
        WHERE practice_id = $1
        """,
        practice.practice_id,
        practice.name,
        practice.time_zone,
        practice.slot_minutes,
        practice.minimum_notice_minutes,
        practice.booking_horizon_days,
        practice.active,
    )
    return await practice_named(db, practicepass)


async def move_version(db: Connection, practice_id: int) -> None:
    """Increment the configuration version. First statement of every configuration write: it locks the row, so that
    writes of one practice run one after another until commit."""
    await db.execute(
        """
        INSERT INTO practice_setup AS setup (practice_id) VALUES ($1)
        ON CONFLICT (practice_id) DO UPDATE SET version = setup.version + 1
        """,
        practice_id,
    )


def _faults_of_practicepass(practicepass: str) -> Iterator[Fault]:
    if practicepass.lower() in RESERVED:
        yield Fault("body.practicepass", f"{practicepass} is reserved")


def _faults_of_time_zone(time_zone: str) -> Iterator[Fault]:
    if fault := time_zones.fault_of(time_zone):
        yield Fault("body.timezone", fault)


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise Invalid(faults)


def _practice(row: Row) -> Practice:
    return Practice(**dict(row))
