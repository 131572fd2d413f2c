"""`officepro practice`: practices."""

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

Practicepass = Annotated[str, typer.Argument(help="PPass, the practice's name in URLs, such as DemoOffice.")]
SlotMinutes = Annotated[int | None, typer.Option(help="Slot interval in minutes. [15]")]
Notice = Annotated[int | None, typer.Option(help="Minimum booking notice in minutes.")]
Horizon = Annotated[int | None, typer.Option(help="Booking horizon in days.")]


class Shown(msgspec.Struct, rename="camel"):
    """A practice with its configuration."""

    practice: Practice
    providers: list[Provider]
    rooms: list[Room]
    visit_types: list[VisitType]


@practice.command("create")
def create(
    practicepass: Practicepass,
    name: Annotated[str, typer.Option(help="Display name.")],
    timezone: Annotated[str, typer.Option(help="IANA time zone, such as America/New_York.")],
    slot_minutes: SlotMinutes = None,
    minimum_notice_minutes: Notice = None,
    booking_horizon_days: Horizon = None,
    as_json: AsJson = False,
) -> None:
    """Create a practice. Add providers, rooms and visit types with the admin API."""
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
    """Show a practice and its configuration."""

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
    name: Annotated[str | None, typer.Option(help="Display name.")] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA time zone. Visits keep their instants.")] = None,
    slot_minutes: SlotMinutes = None,
    minimum_notice_minutes: Notice = None,
    booking_horizon_days: Horizon = None,
    no_booking_horizon: Annotated[bool, typer.Option("--no-booking-horizon", help="No limit.")] = False,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Partners have no access to an inactive practice.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change the given properties; others are unchanged."""
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
        raise CommandError("No change given; officepro practice set --help lists the options.")

    async def write(database: Database) -> queries.Practice:
        async with database.system_transaction() as db:
            return await queries.change(db, practicepass, changes)

    _show(in_database(write), as_json)


def _show(practice: queries.Practice, as_json: bool) -> None:
    (show_json if as_json else show)(Practice.of(practice))
