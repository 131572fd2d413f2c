"""Lists of the practice configuration: providers, rooms, visit types, tags. Each is read as a whole and written as an
upsert.

Nothing is deleted: entries become inactive, so that references to them stay valid.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from officepro.foundation.database import MEANING, Connection
from officepro.foundation.errors import Conflict, Fault
from officepro.foundation.wire import encode
from officepro.practices.lists import Given, missing, numbered, refuse, refuse_longer, said_twice, too_many
from officepro.practices.queries import move_version
from officepro.practices.setup import Room

MAXIMUM_PROVIDERS = 1000
MAXIMUM_ROOMS = 1000
MAXIMUM_VISIT_TYPES = 500
MAXIMUM_TAGS = 1000


class TagNameTaken(Conflict):
    """Another tag of this practice has this name. Rename that tag first."""

    code = "tag_name_taken"


MEANING["tag_name"] = TagNameTaken


class Provider(msgspec.Struct, frozen=True):
    """A provider of the practice."""

    provider_id: int
    name: str
    title: str = ""
    specialty: str = ""
    active: bool = True


class VisitType(msgspec.Struct, frozen=True):
    """A visit type. Notice and horizon are None where the practice's values apply."""

    visit_type: str
    active: bool = True
    provider_ids: list[int] = []
    room_ids: list[int] = []
    duration_minutes: int = 30
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    minimum_notice_minutes: int | None = None
    booking_horizon_days: int | None = None


class Tag(msgspec.Struct, frozen=True):
    """A tag of the practice."""

    tag_id: int
    tag: str


async def providers(db: Connection, practice_id: int) -> list[Provider]:
    """Return all providers of the practice, by id."""
    rows = await db.fetch(
        """
        SELECT provider_id, name, title, specialty, active FROM provider WHERE practice_id = $1 ORDER BY provider_id
        """,
        practice_id,
    )
    return [Provider(*row) for row in rows]


async def put_providers(db: Connection, practice_id: int, given: Sequence[Given]) -> list[Provider]:
    """Upsert providers; return them as stored, in the order given. Raises Invalid, ImpossibleSetUp."""
    refuse_longer(given, MAXIMUM_PROVIDERS)
    await move_version(db, practice_id)
    known = {one.provider_id: one for one in await providers(db, practice_id)}
    changed = _upserted(given, "provider_id", known, Provider, MAXIMUM_PROVIDERS, "providers")
    await db.execute(
        """
        INSERT INTO provider (practice_id, provider_id, name, title, specialty, active)
        SELECT $1, provider_id, name, title, specialty, active FROM json_to_recordset($2::text::json)
            AS given (provider_id bigint, name text, title text, specialty text, active boolean)
        ON CONFLICT (practice_id, provider_id) DO UPDATE SET
            name = excluded.name, title = excluded.title, specialty = excluded.specialty, active = excluded.active
        """,
        practice_id,
        encode(changed).decode(),
    )
    return changed


async def rooms(db: Connection, practice_id: int) -> list[Room]:
    """Return all rooms of the practice, by id."""
    rows = await db.fetch("SELECT room_id, name, active FROM room WHERE practice_id = $1 ORDER BY room_id", practice_id)
    return [Room(*row) for row in rows]


async def put_rooms(db: Connection, practice_id: int, given: Sequence[Given]) -> list[Room]:
    """Upsert rooms; return them as stored, in the order given. Raises Invalid, ImpossibleSetUp."""
    refuse_longer(given, MAXIMUM_ROOMS)
    await move_version(db, practice_id)
    known = {one.room_id: one for one in await rooms(db, practice_id)}
    changed = _upserted(given, "room_id", known, Room, MAXIMUM_ROOMS, "rooms")
    await db.execute(
        """
        INSERT INTO room (practice_id, room_id, name, active)
        SELECT $1, room_id, name, active FROM json_to_recordset($2::text::json)
            AS given (room_id bigint, name text, active boolean)
        ON CONFLICT (practice_id, room_id) DO UPDATE SET name = excluded.name, active = excluded.active
        """,
        practice_id,
        encode(changed).decode(),
    )
    return changed


Numbered = TypeVar("Numbered", Provider, Room)


def _upserted(
    given: Sequence[Given], id_field: str, known: dict[int, Numbered], record: type[Numbered], maximum: int, things: str
) -> list[Numbered]:
    """Return the existing records merged with the fields sent. A new record needs a name."""
    ids: list[int | None] = [item.get(id_field) for item in given]
    new: list[int] = [index for index, one in enumerate(ids) if one not in known]
    refuse(
        invalid=[*said_twice(ids, "id"), *missing(given, "name", new)],
        impossible=too_many(len(known), len(new), maximum, things),
    )
    return [
        msgspec.structs.replace(known[one], **item) if one in known else record(**{**item, id_field: one})
        for one, item in zip(numbered(ids, known), given, strict=True)
    ]


async def visit_types(db: Connection, practice_id: int) -> list[VisitType]:
    """Return all visit types of the practice, by name."""
    rows = await db.fetch(
        """
        SELECT visit_type, active,
               ARRAY(SELECT provider_id FROM visit_type_provider allowed WHERE practice_id = $1
                     AND allowed.visit_type = visit_type.visit_type ORDER BY provider_id),
               ARRAY(SELECT room_id FROM visit_type_room allowed WHERE practice_id = $1
                     AND allowed.visit_type = visit_type.visit_type ORDER BY room_id),
               duration_minutes, buffer_before_minutes, buffer_after_minutes, minimum_notice_minutes,
               booking_horizon_days
        FROM visit_type WHERE practice_id = $1 ORDER BY visit_type
        """,
        practice_id,
    )
    return [VisitType(*row) for row in rows]


async def put_visit_types(db: Connection, practice_id: int, given: Sequence[Given]) -> list[VisitType]:
    """Upsert visit types; return them as stored, in the order given. A list of providers or rooms replaces the existing
    one.

    Raises Invalid, ImpossibleSetUp.
    """
    refuse_longer(given, MAXIMUM_VISIT_TYPES)
    await move_version(db, practice_id)
    known = {one.visit_type: one for one in await visit_types(db, practice_id)}
    names = [str(item["visit_type"]) for item in given]
    refuse(
        invalid=[*said_twice(names, "visitType"), *_twice_in_lists(given)],
        impossible=[
            *too_many(len(known), len({*names} - {*known}), MAXIMUM_VISIT_TYPES, "visit types"),
            *_unknown_in_lists(given, "provider_ids", {one.provider_id for one in await providers(db, practice_id)}),
            *_unknown_in_lists(given, "room_ids", {one.room_id for one in await rooms(db, practice_id)}),
        ],
    )
    changed = [
        msgspec.structs.replace(known.get(name) or VisitType(name), **item)
        for name, item in zip(names, given, strict=True)
    ]
    await _write_visit_types(db, practice_id, changed)
    return changed


_LISTS = {"provider_ids": ("providers", "provider"), "room_ids": ("resources", "room")}  # wire names, for messages


def _twice_in_lists(given: Sequence[Given]) -> Iterator[Fault]:
    for index, item in enumerate(given):
        for field, (on_the_wire, _) in _LISTS.items():
            ids = item.get(field, [])
            for position, one in enumerate(ids):
                if one in ids[:position]:
                    yield Fault(f"body[{index}].{on_the_wire}[{position}]", f"duplicate value {one}")


def _unknown_in_lists(given: Sequence[Given], field: str, known: set[int]) -> Iterator[Fault]:
    on_the_wire, thing = _LISTS[field]
    for index, item in enumerate(given):
        for position, one in enumerate(item.get(field, [])):
            if one not in known:
                yield Fault(f"body[{index}].{on_the_wire}[{position}]", f"there is no {thing} {one} in this practice")


async def _write_visit_types(db: Connection, practice_id: int, changed: Sequence[VisitType]) -> None:
    await db.execute(
        """
        INSERT INTO visit_type (practice_id, visit_type, active, duration_minutes, buffer_before_minutes,
                                buffer_after_minutes, minimum_notice_minutes, booking_horizon_days)
        SELECT $1, visit_type, active, duration_minutes, buffer_before_minutes, buffer_after_minutes,
               minimum_notice_minutes, booking_horizon_days
        FROM json_to_recordset($2::text::json)
            AS given (visit_type text, active boolean, duration_minutes integer, buffer_before_minutes integer,
                      buffer_after_minutes integer, minimum_notice_minutes integer, booking_horizon_days integer)
        ON CONFLICT (practice_id, visit_type) DO UPDATE SET
            active = excluded.active,
            duration_minutes = excluded.duration_minutes,
            buffer_before_minutes = excluded.buffer_before_minutes,
            buffer_after_minutes = excluded.buffer_after_minutes,
            minimum_notice_minutes = excluded.minimum_notice_minutes,
            booking_horizon_days = excluded.booking_horizon_days
        """,
        practice_id,
        encode(changed).decode(),
    )
    names = [one.visit_type for one in changed]
    await db.execute(
        "DELETE FROM visit_type_provider WHERE practice_id = $1 AND visit_type = ANY($2)", practice_id, names
    )
    await db.execute("DELETE FROM visit_type_room WHERE practice_id = $1 AND visit_type = ANY($2)", practice_id, names)
    allowed_providers = [(one.visit_type, provider_id) for one in changed for provider_id in one.provider_ids]
    await db.execute(
        """
        INSERT INTO visit_type_provider (practice_id, visit_type, provider_id)
        SELECT $1, * FROM unnest($2::text[], $3::bigint[])
        """,
        practice_id,
        [name for name, _ in allowed_providers],
        [provider_id for _, provider_id in allowed_providers],
    )
    allowed_rooms = [(one.visit_type, room_id) for one in changed for room_id in one.room_ids]
    await db.execute(
        """
        INSERT INTO visit_type_room (practice_id, visit_type, room_id)
        SELECT $1, * FROM unnest($2::text[], $3::bigint[])
        """,
        practice_id,
        [name for name, _ in allowed_rooms],
        [room_id for _, room_id in allowed_rooms],
    )


async def tags(db: Connection, practice_id: int) -> list[Tag]:
    """Return all tags of the practice, by name."""
    rows = await db.fetch("SELECT tag_id, tag FROM tag WHERE practice_id = $1 ORDER BY tag, tag_id", practice_id)
    return [Tag(*row) for row in rows]


async def put_tags(db: Connection, practice_id: int, given: Sequence[Given]) -> list[Tag]:
    """Upsert tags; return them as stored, in the order given. A tag without id matches the existing tag of that name.

    Raises Invalid, ImpossibleSetUp, TagNameTaken.
    """
    refuse_longer(given, MAXIMUM_TAGS)
    await move_version(db, practice_id)
    known = {one.tag: one.tag_id for one in await tags(db, practice_id)}
    ids = [item.get("tag_id") or known.get(item["tag"]) for item in given]
    new = [one for one in ids if one not in known.values()]
    refuse(
        invalid=[*said_twice((item["tag"] for item in given), "tag"), *said_twice(ids, "id")],
        impossible=too_many(len(known), len(new), MAXIMUM_TAGS, "tags"),
    )
    changed = [Tag(one, item["tag"]) for one, item in zip(numbered(ids, known.values()), given, strict=True)]
    await db.execute(
        """
        INSERT INTO tag (practice_id, tag_id, tag)
        SELECT $1, tag_id, tag FROM json_to_recordset($2::text::json) AS given (tag_id bigint, tag text)
        ON CONFLICT (practice_id, tag_id) DO UPDATE SET tag = excluded.tag
        """,
        practice_id,
        encode(changed).decode(),
    )
    return changed
