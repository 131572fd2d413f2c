"""`officepro access-request`: list, approve and deny requests for API keys."""

from typing import Annotated

import msgspec
import typer

from officepro.access.keys import Issued
from officepro.cli.house import CommandError
from officepro.cli.terminal import AsJson, PageNumber, checked, in_database, show, show_json, show_page
from officepro.foundation.clock import now
from officepro.foundation.database import Database, Row
from officepro.foundation.paging import MAXIMUM_LIMIT, Page, paged
from officepro.requests import deciding, queries
from officepro.requests.deciding import Terms
from officepro.requests.shapes import AccessRequest, Approve, Approved, Deny, Status

COLUMNS = ("id", "company", "practice", "contact", "email", "scopes", "status", "createdAt")

access_request = typer.Typer(help="Access requests: list, approve, deny.", no_args_is_help=True)

RequestId = Annotated[int, typer.Argument(min=1, help="Id of the request, from `officepro access-request list`.")]


@access_request.command("list")
def list_requests(
    status: Annotated[Status | None, typer.Option(help="Filter by status.")] = None,
    page: PageNumber = 1,
    as_json: AsJson = False,
) -> None:
    """List access requests, newest first."""
    asked = Page(page, MAXIMUM_LIMIT)

    async def read(database: Database) -> tuple[list[Row], int]:
        async with database.system() as db:
            return await queries.some(db, status, asked)

    rows, total = in_database(read)
    shapes = [AccessRequest(*row.values()) for row in rows]
    if as_json:
        show_json(paged(shapes, asked, total))
    else:
        show_page(shapes, COLUMNS, asked, total)


@access_request.command("approve")
def approve(
    request_id: RequestId,
    scope: Annotated[list[str] | None, typer.Option(help="Scope to grant (repeatable). [all requested]")] = None,
    practicepass: Annotated[str | None, typer.Option(help="Practice (PPass). [as requested]")] = None,
    all_practices: Annotated[bool, typer.Option("--all-practices", help="Valid for every practice.")] = False,
    expires_at: Annotated[str | None, typer.Option(help="Expiry, such as 2027-01-01T00:00:00Z.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the key. [the company]")] = None,
    as_json: AsJson = False,
) -> None:
    """Create the partner and its API key (shown once)."""
    if practicepass is not None and all_practices:
        raise CommandError("Give either --practicepass or --all-practices.")
    given = {"scopes": scope or None, "practicepass": practicepass, "expiresAt": expires_at, "name": name}
    terms = Terms(
        scopes=scope or None,
        practicepass=practicepass,
        every_practice=all_practices,
        expires_at=checked(Approve, given).expires_at,
        name=name,
    )

    async def write(database: Database) -> Issued:
        async with database.system_transaction() as db:
            return await deciding.approve(db, request_id, terms, now())

    approved = Approved.of(request_id, in_database(write))
    if as_json:
        show_json(approved)
        return
    show(msgspec.structs.replace(approved, api_key=None))
    typer.echo(f"\n{approved.api_key}\n\nCopy the key now: it will not be shown again.")


@access_request.command("deny")
def deny(
    request_id: RequestId,
    reason: Annotated[str, typer.Option(help="Reason; stored with the request.")],
    as_json: AsJson = False,
) -> None:
    """Deny an access request."""
    why = checked(Deny, {"reason": reason}).reason

    async def write(database: Database) -> Row:
        async with database.system_transaction() as db:
            return await deciding.deny(db, request_id, why, now())

    denied = AccessRequest(*in_database(write).values())
    if as_json:
        show_json(denied)
    else:
        typer.echo(f"Access request {denied.id} of {denied.company} denied.")
