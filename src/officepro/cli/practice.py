"""`officepro practice`: practices, from a terminal."""

from typing import Annotated, Any

import msgspec
import typer

from officepro.cli.house import CommandError
from officepro.cli.terminal import AsJson, PageNumber, checked, in_database, show, show_all, show_json, show_page
from officepro.foundation.database import Database
from officepro.foundation.paging import MAXIMUM_LIMIT, Page, paged
from officepro.practices import furnish, queries
from officepro.practices.shapes import ChangePractice, NewPractice, Practice, Provider, Room, VisitType, sent

COLUMNS = ("practicepass", "name", "timezone", "slotMinutes", "active", "createdAt")

practice = typer.Typer(help="Practices: create, list, show, set.", no_args_is_help=True)

Practicepass = Annotated[str, typer.Argument(help="The name in every address, such as DemoOffice.")]
SlotMinutes = Annotated[int | None, typer.Option(help="Visits start every so many minutes. [15]")]
Notice = Annotated[int | None, typer.Option(help="How many minutes before its start a visit is booked at the latest.")]
Horizon = Annotated[int | None, typer.Option(help="How many days ahead a visit is booked at the most.")]


class Shown(msgspec.Struct, rename="camel"):
    """A practice with its set-up."""

    practice: Practice
    providers: list[Provider]
    rooms: list[Room]
    visit_types: list[VisitType]


@practice.command("create")
def create(
    practicepass: Practicepass,
    name: Annotated[str, typer.Option(help="What people call it.")],
    timezone: Annotated[str, typer.Option(help="An IANA time zone, such as America/New_York.")],
    slot_minutes: SlotMinutes = None,
    minimum_notice_minutes: Notice = None,
    booking_horizon_days: Horizon = None,
    as_json: AsJson = False,
) -> None:
    """Create a practice; its providers, rooms and visit types follow by the admin API."""
    given = {
        "practicepass": practicepass,
        "name": name,
        "timezone": timezone,
        "slotMinutes": slot_minutes,
        "minimumNoticeMinutes": minimum_notice_minutes,
        "bookingHorizonDays": booking_horizon_days,
    }
    new = queries.NewPractice(**sent(checked(NewPractice, given), timezone="time_zone"))

    async def establish(database: Database) -> queries.Practice:
        async with database.system_transaction() as db:
            return await queries.establish(db, new)

    _show(in_database(establish), as_json)


@practice.command("list")
def list_practices(page: PageNumber = 1, as_json: AsJson = False) -> None:
    """List practices."""
    asked = Page(page, MAXIMUM_LIMIT)

    async def read(database: Database) -> tuple[list[queries.Practice], int]:
        async with database.system() as db:
            return await queries.practices(db, asked)

    found, total = in_database(read)
    shapes = [Practice.of(one) for one in found]
    if as_json:
        show_json(paged(shapes, asked, total))
    else:
        show_page(shapes, COLUMNS, asked, total)


@practice.command("show")
def show_practice(practicepass: Practicepass, as_json: AsJson = False) -> None:
    """Show a practice and its set-up."""

    async def read(database: Database) -> Shown:
        async with database.system() as db:
            found = await queries.practice_named(db, practicepass)
        async with database.practice(found.practice_id) as db:
            return Shown(
                Practice.of(found),
                [Provider.of(one) for one in await furnish.providers(db, found.practice_id)],
                [Room.of(one) for one in await furnish.rooms(db, found.practice_id)],
                [VisitType.of(one) for one in await furnish.visit_types(db, found.practice_id)],
            )

    shown = in_database(read)
    if as_json:
        show_json(shown)
        return
    show(shown.practice)
    show_all(shown.providers, ("id", "name", "title", "specialty", "active"), "Providers")
    show_all(shown.rooms, ("id", "name", "active"), "Rooms")
    show_all(shown.visit_types, ("visitType", "active", "providers", "resources"), "Visit types")


@practice.command("set")
def change(
    practicepass: Practicepass,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    timezone: Annotated[str | None, typer.Option(help="An IANA time zone. Visits stay at their instants.")] = None,
    slot_minutes: SlotMinutes = None,
    minimum_notice_minutes: Notice = None,
    booking_horizon_days: Horizon = None,
    no_booking_horizon: Annotated[
        bool, typer.Option("--no-booking-horizon", help="As far ahead as one likes.")
    ] = False,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="An inactive practice lets no partner in.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given, and leave the rest."""
    given = {
        "name": name,
        "timezone": timezone,
        "slotMinutes": slot_minutes,
        "minimumNoticeMinutes": minimum_notice_minutes,
        "bookingHorizonDays": booking_horizon_days,
        "active": active,
    }
    changes: dict[str, Any] = sent(checked(ChangePractice, given), timezone="time_zone")
    if no_booking_horizon:
        changes["booking_horizon_days"] = None
    if not changes:
        raise CommandError("Say what to change; officepro practice set --help lists what there is.")

    async def write(database: Database) -> queries.Practice:
        async with database.system_transaction() as db:
            return await queries.change(db, practicepass, changes)

    _show(in_database(write), as_json)


def _show(practice: queries.Practice, as_json: bool) -> None:
    (show_json if as_json else show)(Practice.of(practice))
