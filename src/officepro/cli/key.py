"""`officepro key`: API keys of partners. A key's secret is printed only when it is created."""

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

key = typer.Typer(help="API keys: create, list, revoke, rotate.", no_args_is_help=True)

KeyId = Annotated[int, typer.Argument(min=1, help="Id of the key, from `officepro key list`.")]


@key.command("create")
def create(
    partner_id: Annotated[int, typer.Option(help="Id of the partner.")],
    name: Annotated[str, typer.Option(help="Name of the key.")],
    practicepass: Annotated[str | None, typer.Option(help="Practice (PPass).")] = None,
    all_practices: Annotated[bool, typer.Option("--all-practices", help="Valid for every practice.")] = False,
    scope: Annotated[list[str] | None, typer.Option(help="Scope (repeatable). [Prospects and Tags]")] = None,
    expires_at: Annotated[str | None, typer.Option(help="Expiry, such as 2027-01-01T00:00:00Z.")] = None,
    purpose: Annotated[Purpose, typer.Option(help="Purpose of its requests; stored with each disclosure.")] = "other",
    as_json: AsJson = False,
) -> None:
    """Create a key (shown once)."""
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
    partner_id: Annotated[int | None, typer.Option(help="Filter by partner.")] = None,
    practicepass: Annotated[str | None, typer.Option(help="Filter by practice.")] = None,
    status: Annotated[Status | None, typer.Option(help="Filter by status.")] = None,
    page: PageNumber = 1,
    as_json: AsJson = False,
) -> None:
    """List keys, newest first."""
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
    """Revoke a key permanently. The key and its tokens stop working within 5 seconds."""

    async def write(database: Database) -> keys.Key:
        async with database.system_transaction() as db:
            return await keys.revoke(db, key_id)

    revoked = Key.of(in_database(write))
    if as_json:
        show_json(revoked)
    else:
        typer.echo(f"Key {revoked.key_id} of {revoked.company} revoked.")


@key.command("rotate")
def rotate(
    key_id: KeyId,
    grace_seconds: Annotated[int, typer.Option(help="Seconds for which the old key stays valid; 0: none.")],
    as_json: AsJson = False,
) -> None:
    """Replace a key by a new one with the same permissions (shown once)."""
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
    typer.echo(f"\n{issued.api_key}\n\nCopy the key now: it will not be shown again.")
