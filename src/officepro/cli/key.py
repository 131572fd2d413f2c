"""`officepro key`: partners' keys, from a terminal. A key's secret is printed when it is made, and never again."""

from typing import Annotated

import msgspec
import typer

from officepro.access import keys
from officepro.access.keys import Purpose, Status
from officepro.cli.house import CommandError
from officepro.cli.terminal import AsJson, PageNumber, checked, in_database, show, show_json, show_page
from officepro.foundation.clock import now
from officepro.foundation.database import Database
from officepro.foundation.paging import MAXIMUM_LIMIT, Page, paged
from officepro.partners.shapes import IssuedKey, Key, NewKey, RotateKey

COLUMNS = ("keyId", "company", "practicepass", "name", "scopes", "purpose", "status", "expiresAt", "lastUsedAt")

key = typer.Typer(help="Partners' keys: create, list, revoke, rotate.", no_args_is_help=True)

KeyId = Annotated[int, typer.Argument(min=1, help="The key's number, as `officepro key list` shows it.")]


@key.command("create")
def create(
    partner_id: Annotated[int, typer.Option(help="Whose key it is.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    practicepass: Annotated[str | None, typer.Option(help="The practice that it opens.")] = None,
    all_practices: Annotated[bool, typer.Option("--all-practices", help="It opens every practice.")] = False,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it is good for; once for each. [Prospects and Tags]")
    ] = None,
    expires_at: Annotated[str | None, typer.Option(help="When it ends, such as 2027-01-01T00:00:00Z.")] = None,
    purpose: Annotated[Purpose, typer.Option(help="What its calls serve; recorded with each disclosure.")] = "other",
    as_json: AsJson = False,
) -> None:
    """Issue a key; its secret is shown this once."""
    if (practicepass is None) != all_practices:
        raise CommandError("Give either --practicepass or --all-practices.")
    given = {
        "partnerId": partner_id,
        "name": name,
        "scopes": scope or None,
        "expiresAt": expires_at,
        "purpose": purpose,
    }
    shape = checked(NewKey, given | {"practicepass": practicepass or "all"})
    new = keys.NewKey(**msgspec.structs.asdict(shape) | {"practicepass": practicepass})

    async def write(database: Database) -> keys.Issued:
        async with database.system_transaction() as db:
            return await keys.issue(db, new, now())

    _show_issued(IssuedKey.of(in_database(write)), as_json)


@key.command("list")
def list_keys(
    partner_id: Annotated[int | None, typer.Option(help="Only this partner's.")] = None,
    practicepass: Annotated[str | None, typer.Option(help="Only those that work in this practice.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only those of this status.")] = None,
    page: PageNumber = 1,
    as_json: AsJson = False,
) -> None:
    """List keys, the newest first."""
    asked = Page(page, MAXIMUM_LIMIT)

    async def read(database: Database) -> tuple[list[keys.Key], int]:
        async with database.system() as db:
            return await keys.keys(db, asked, partner_id=partner_id, practicepass=practicepass, status=status)

    found, total = in_database(read)
    shapes = [Key.of(one) for one in found]
    if as_json:
        show_json(paged(shapes, asked, total))
    else:
        show_page(shapes, COLUMNS, asked, total)


@key.command("revoke")
def revoke(key_id: KeyId, as_json: AsJson = False) -> None:
    """Revoke a key for good; it and its tokens stop within 5 seconds."""

    async def write(database: Database) -> keys.Key:
        async with database.system_transaction() as db:
            return await keys.revoke(db, key_id)

    revoked = Key.of(in_database(write))
    if as_json:
        show_json(revoked)
    else:
        typer.echo(f"Key {revoked.key_id} of {revoked.company} is revoked.")


@key.command("rotate")
def rotate(
    key_id: KeyId,
    grace_seconds: Annotated[int, typer.Option(help="How long the old key works beside the new one; 0: not at all.")],
    as_json: AsJson = False,
) -> None:
    """Replace a key by a new one like it, whose secret is shown this once."""
    grace = checked(RotateKey, {"graceSeconds": grace_seconds}).grace_seconds

    async def write(database: Database) -> tuple[keys.Issued, keys.Key]:
        async with database.system_transaction() as db:
            return await keys.rotate(db, key_id, grace)

    _show_issued(IssuedKey.of(*in_database(write)), as_json)


def _show_issued(issued: IssuedKey, as_json: bool) -> None:
    if as_json:
        show_json(issued)
        return
    show(issued, leave_out=["apiKey"])
    typer.echo(f"\n{issued.api_key}\n\nThis is the only time that the key is shown; keep it now.")
