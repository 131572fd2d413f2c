"""`officepro partner`: partners."""

from typing import Annotated

import msgspec
import typer

from officepro.cli.terminal import AsJson, PageNumber, checked, in_database, show, show_json, show_page
from officepro.foundation.database import Database
from officepro.foundation.paging import MAXIMUM_LIMIT, Page, paged
from officepro.partners import queries
from officepro.partners.shapes import NewPartner, Partner

COLUMNS = ("partnerId", "company", "contact", "email", "active", "createdAt")

partner = typer.Typer(help="Partners: create, list.", no_args_is_help=True)


@partner.command("create")
def create(
    company: Annotated[str, typer.Option(help="Company.")],
    contact: Annotated[str, typer.Option(help="Contact person.")],
    email: Annotated[str, typer.Option(help="E-mail address.")],
    phone: Annotated[str | None, typer.Option(help="Phone number.")] = None,
    website: Annotated[str | None, typer.Option(help="Website, https://…")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a partner. Create an API key for it with `officepro key create`."""
    given = {"company": company, "contact": contact, "email": email, "phone": phone, "website": website}
    new = queries.NewPartner(**msgspec.structs.asdict(checked(NewPartner, given)))

    async def write(database: Database) -> queries.Partner:
        async with database.system_transaction() as db:
            return await queries.create(db, new)

    created = Partner.of(in_database(write))
    (show_json if as_json else show)(created)


@partner.command("list")
def list_partners(page: PageNumber = 1, as_json: AsJson = False) -> None:
    """List partners."""
    asked = Page(page, MAXIMUM_LIMIT)

    async def read(database: Database) -> tuple[list[queries.Partner], int]:
        async with database.system() as db:
            return await queries.partners(db, asked)

    found, total = in_database(read)
    shapes = [Partner.of(one) for one in found]
    if as_json:
        show_json(paged(shapes, asked, total))
    else:
        show_page(shapes, COLUMNS, asked, total)
