"""Command `demo`: create the demo's practices and partners, once.

    establish  create the practice, inactive: API calls are refused
    furnish    insert all its data, in one transaction
    open       activate it and create its partners, in one transaction

An interrupted run is resumed by the next start. A practice that was opened once is never changed again.
"""

import asyncio
from datetime import datetime
from random import Random
from typing import Any

import msgspec

from officepro.access import keys
from officepro.access.queries import credentials
from officepro.access.scopes import EVERY_SCOPE, PROSPECTS, PROVIDERS, TAGS
from officepro.demo import queries
from officepro.demo.calendar import absences, make_visits
from officepro.demo.offices import Office, Provider, berlin_office, demo_office
from officepro.demo.people import Person, make_people
from officepro.demo.records import load_records
from officepro.foundation import clock
from officepro.foundation.database import Connection, Database, Mode
from officepro.foundation.secrets import are_equal, fingerprint, key_id_of
from officepro.partners.queries import NewPartner, create
from officepro.practices.queries import NewPractice, UnknownPractice, change, establish, practice_named
from officepro.prospects.tokens import tokens_of
from officepro.scheduling.openings import ExtraHours, WeeklyHours
from officepro.scheduling.visit_writes import note_written
from officepro.settings import Settings

Row = dict[str, Any]  # by column

SEED = 20260309  # another seed generates other people
FIRST_PATIENT_ID = 1001
TAGS_OF_A_PERSON = (0, 0, 0, 1, 1, 2)

DEMO_PRACTICE = "DemoOffice"
DEMO_KEY_NAME = "Demo key"
BRIGHT_BOOKING = NewPartner(
    company="Bright Booking",
    contact="Alex Morgan",
    email="integrations@brightbooking.example",
    phone="212-555-0142",
    website="https://brightbooking.example",
)
HARBOR_CALLS = NewPartner(
    company="Harbor Call Center",
    contact="Robin Ellis",
    email="it@harborcalls.example",
    phone="718-555-0177",
    website="https://harborcalls.example",
)


class LoadedDemo(msgspec.Struct, frozen=True):
    """The result of loading the demo."""

    api_key: str  # key of the demo's partner, all scopes, for DemoOffice
    made: list[str]  # practices created by this run


def load_demo(settings: Settings, api_key: str | None = None) -> LoadedDemo:
    """Connect to the database and load the demo; idempotent. `api_key` is the stored demo key; it is replaced if it
    does not work."""

    async def connect_and_load() -> LoadedDemo:
        mode = Mode(settings.database_mode)
        database = await Database.connect(settings.database_url, mode=mode, pool_size=2)
        try:
            return await load(database, clock.now(), api_key)
        finally:
            await database.close()

    return asyncio.run(connect_and_load())


async def load(database: Database, now: datetime, api_key: str | None = None) -> LoadedDemo:
    """Create missing practices and, if needed, a new demo key."""
    made = [
        office.practicepass for office in (demo_office(now), berlin_office(now)) if await _made(database, office, now)
    ]
    if api_key is None or not await _opens_the_demo(database, api_key):
        api_key = await demo_key(database, now)
    return LoadedDemo(api_key, made)


async def demo_key(database: Database, now: datetime) -> str:
    """Create a new demo key and revoke the earlier ones, whose secrets are lost."""
    async with database.system_transaction() as db:
        return await renew_key(db, DEMO_PRACTICE, DEMO_KEY_NAME, now)


async def renew_key(db: Connection, practicepass: str | None, name: str, now: datetime) -> str:
    """Create a key of the demo's partner with all scopes; earlier keys of this name are revoked."""
    partner_id = await _partner(db, BRIGHT_BOOKING)
    for key_id in await queries.active_keys_named(db, partner_id, name):
        await keys.revoke(db, key_id)
    issued = await keys.issue(db, keys.NewKey(partner_id, practicepass, name, sorted(EVERY_SCOPE)), now)
    return issued.secret


async def _made(database: Database, office: Office, now: datetime) -> bool:
    """Create the practice if it is missing or incomplete; return True if so."""
    async with database.system_transaction() as db:
        try:
            practice = await practice_named(db, office.practicepass)
        except UnknownPractice:
            practice = await establish(db, _new_practice(office))
    if practice.active or practice.updated_at != practice.created_at:  # deactivated by an admin after it was opened
        return False
    async with database.practice_transaction(practice.practice_id) as db:
        if not await queries.has_people(db, practice.practice_id):
            await _furnish(db, practice.practice_id, office, now)
    if office.practicepass == DEMO_PRACTICE:
        async with database.system_transaction() as db:
            partner_id = await _partner(db, BRIGHT_BOOKING)
        await load_records(database, practice.practice_id, partner_id, now)
    async with database.system_transaction() as db:
        await change(db, office.practicepass, {"active": True})
        if office.practicepass == DEMO_PRACTICE:
            await _introduce_partners(db, now)
    return True


def _new_practice(office: Office) -> NewPractice:
    return NewPractice(
        practicepass=office.practicepass,
        name=office.name,
        time_zone=office.time_zone,
        slot_minutes=office.slot_minutes,
        active=False,
    )


async def _furnish(db: Connection, practice_id: int, office: Office, now: datetime) -> None:
    chance = Random(f"{SEED} {office.practicepass}")
    await _put_set_up(db, practice_id, office)
    provider_ids = [provider.provider_id for provider in office.providers]
    ids = range(FIRST_PATIENT_ID, FIRST_PATIENT_ID + office.people)
    people = make_people(chance, office.region, ids, provider_ids, now)
    await _put_people(db, practice_id, office, people, chance)
    await queries.insert(db, practice_id, "visit", make_visits(chance, office, people, now))
    await note_written(db, practice_id)
    await queries.write_history(db, practice_id)


async def _put_set_up(db: Connection, practice_id: int, office: Office) -> None:
    tables: dict[str, list[Row]] = {
        "provider": [_only(one, "provider_id", "name", "title", "specialty") for one in office.providers],
        "working_hours": [_hours(one, weekly) for one in office.providers for weekly in one.weekly],
        "extra_opening": [_extra(one, extra) for one in office.providers for extra in one.extra],
        "time_off": [_away(one, away) for one in office.providers for away in absences(office, one)],
        "room": [{"room_id": room_id, "name": name} for room_id, name in office.rooms.items()],
        "visit_type": [
            _only(one, "visit_type", "active", "duration_minutes", "buffer_before_minutes", "buffer_after_minutes")
            for one in office.visit_types
        ],
        "visit_type_provider": [
            {"visit_type": one.visit_type, "provider_id": each}
            for one in office.visit_types
            for each in one.provider_ids
        ],
        "visit_type_room": [
            {"visit_type": one.visit_type, "room_id": each} for one in office.visit_types for each in one.room_ids
        ],
        "tag": [{"tag_id": tag_id, "tag": tag} for tag_id, tag in office.tags.items()],
    }
    for table, rows in tables.items():
        await queries.insert(db, practice_id, table, rows)


def _hours(provider: Provider, weekly: WeeklyHours) -> Row:
    names = ("weekday", "starts_minute", "ends_minute", "valid_from", "valid_until")
    return {"provider_id": provider.provider_id, **dict(zip(names, weekly, strict=True))}


def _extra(provider: Provider, extra: ExtraHours) -> Row:
    names = ("day", "starts_minute", "ends_minute")
    return {"provider_id": provider.provider_id, **dict(zip(names, extra, strict=True))}


def _away(provider: Provider, away: tuple[datetime, datetime, str]) -> Row:
    return {"provider_id": provider.provider_id, **dict(zip(("starts_at", "ends_at", "reason"), away, strict=True))}


def _only(record: msgspec.Struct, *fields: str) -> Row:
    return {field: getattr(record, field) for field in fields}


async def _put_people(db: Connection, practice_id: int, office: Office, people: list[Person], chance: Random) -> None:
    found_by = [{"patient_id": one["patient_id"], "token": token} for one in people for token in _tokens(one)]
    worn = [
        {"patient_id": one["patient_id"], "tag_id": tag_id}
        for one in people
        for tag_id in chance.sample(list(office.tags), chance.choice(TAGS_OF_A_PERSON))
    ]
    await queries.insert(db, practice_id, "patient", people)
    await queries.insert(db, practice_id, "patient_token", found_by)
    await queries.insert(db, practice_id, "patient_tag", worn)


def _tokens(person: Person) -> list[str]:
    names = [person[name] for name in ("first_name", "mi", "last_name", "nick_name")]
    return tokens_of(names, person["email"], [person[phone] for phone in ("phone", "cell_phone", "sms_phone")])


async def _introduce_partners(db: Connection, now: datetime) -> None:
    """Create the demo's partner, and one with few scopes, with one active and one revoked key."""
    await _partner(db, BRIGHT_BOOKING)
    harbor = await _partner(db, HARBOR_CALLS)
    await keys.issue(db, keys.NewKey(harbor, DEMO_PRACTICE, "Front desk", [PROSPECTS, PROVIDERS]), now)
    old = await keys.issue(db, keys.NewKey(harbor, DEMO_PRACTICE, "Old switchboard", [PROSPECTS, TAGS]), now)
    await keys.revoke(db, old.key.key_id)


async def _partner(db: Connection, partner: NewPartner) -> int:
    known = await queries.partner_with(db, partner.email)
    return known if known is not None else (await create(db, partner)).partner_id


async def _opens_the_demo(database: Database, api_key: str) -> bool:
    key_id = key_id_of(api_key)
    if key_id is None:
        return False
    async with database.system() as db:
        [found] = await credentials(db, [(key_id, DEMO_PRACTICE)])
    state = found.state
    is_usable = state is not None and state.usable and state.practice_id == found.practice_id
    return is_usable and are_equal(found.secret_sha256, fingerprint(api_key))
