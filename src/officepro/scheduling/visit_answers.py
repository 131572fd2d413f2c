"""Conversion of visit rows to response schemas."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from officepro.foundation.database import Connection, Row
from officepro.practices.setup import Setups
from officepro.scheduling import visit_queries
from officepro.scheduling import visit_shapes as shapes
from officepro.scheduling.diary import known_setup
from officepro.scheduling.wall_clock import Clock

RowLike = Row | Mapping[str, Any]
MINUTE = timedelta(minutes=1)
STATUSES: dict[str, shapes.Status] = {
    "held": "Held",
    "booked": "Booked",
    "cancelled": "Cancelled",
    "completed": "Completed",
    "noshow": "NoShow",
}


async def clock_of(db: Connection, setups: Setups, practice_id: int) -> Clock:
    """Return the clock of the practice's time zone."""
    return Clock((await known_setup(db, setups, practice_id)).zone)


async def whole_visit(db: Connection, setups: Setups, practice_id: int, visit_id: int) -> tuple[Row, shapes.Visit]:
    """Return a visit with its history, as row and as response. Raises UnknownVisit."""
    clock = await clock_of(db, setups, practice_id)
    row = await visit_queries.one(db, practice_id, visit_id)
    visit = visit_of(row, clock)
    visit.history = [
        shapes.StatusChange(
            change["happened_at"],
            change["api_key_id"],
            STATUSES.get(change["from_status"]),
            STATUSES[change["to_status"]],
            None if change["from_starts_at"] is None else clock.moment(change["from_starts_at"]),
            clock.moment(change["to_starts_at"]),
            change["reason"],
        )
        for change in await visit_queries.history(db, practice_id, visit_id)
    ]
    return row, visit


def visit_of(row: Row, clock: Clock) -> shapes.Visit:
    """Convert a row to a visit without history."""
    return shapes.Visit(
        visit_id=row["visit_id"],
        patient_id=row["patient_id"],
        **_wall_times(row, clock),
        complaint=row["complaint"],
        notes=row["notes"],
        status=STATUSES[row["status"]],
        cancel_reason=row["cancel_reason"],
        time_zone=clock.zone,
        start=clock.moment(row["starts_at"]),
        end=clock.moment(row["ends_at"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def booked_visit(row: RowLike, clock: Clock) -> shapes.BookedVisit:
    """Convert a row to the response of a booking."""
    return shapes.BookedVisit(row["visit_id"], row["patient_id"], **_wall_times(row, clock))


def held_time(row: Row, clock: Clock) -> shapes.HeldTime:
    """Convert a row to the response of a hold."""
    return shapes.HeldTime(row["visit_id"], **_wall_times(row, clock), held_until=row["held_until"])


def _wall_times(row: RowLike, clock: Clock) -> dict[str, Any]:
    return {
        "provider_id": row["provider_id"],
        "visit_type": row["visit_type"],
        "visit_date": clock.local(row["starts_at"]).date(),
        "visit_time": clock.time(row["starts_at"]),
        "visit_duration": minutes_between(row, "starts_at", "ends_at"),
        "provider_time": clock.time(row["provider_starts_at"]),
        "provider_duration": minutes_between(row, "provider_starts_at", "provider_ends_at"),
        "room_id": row["room_id"],
    }


def minutes_between(row: RowLike, earlier: str, later: str) -> int:
    """Return the minutes between two columns, rounded up: visits of an EMR may end within a minute."""
    minutes: int = -((row[earlier] - row[later]) // MINUTE)
    return minutes
