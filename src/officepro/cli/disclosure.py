"""`officepro disclosure`: the ledger of who read whose record, held against itself."""

from pathlib import Path
from typing import Annotated

import typer

from officepro.activity.verification import Anchor, Verified, anchors_in, as_line
from officepro.activity.verification import verify as verified
from officepro.cli.house import CommandError
from officepro.cli.terminal import in_database
from officepro.foundation.database import Database

disclosure = typer.Typer(help="The disclosure ledger: verify it, anchor it.", no_args_is_help=True)

OfPractice = Annotated[str | None, typer.Option("--practice", help="Only this practice's (PPass).")]


@disclosure.command("verify")
def verify(
    practice: OfPractice = None,
    anchor: Annotated[
        Path | None, typer.Option("--anchor", help="What `disclosure anchor` printed, kept elsewhere since.")
    ] = None,
) -> None:
    """Find rows that were changed, taken out, put elsewhere or cut off. Fails if there are any."""
    found = _look_at(practice, [] if anchor is None else anchors_in(_read(anchor)))
    for one in found:
        typer.echo(f"{one.practicepass}: {one.rows} rows, {'as written' if not one.faults else 'NOT as written'}")
        for fault in one.faults:
            typer.echo(f"  {fault}")
    if any(one.faults for one in found):
        raise CommandError("The disclosure ledger was tampered with.")


@disclosure.command("anchor")
def anchor(practice: OfPractice = None) -> None:
    """Print number and hash of each practice's last row, to be kept where the database's masters do not reach."""
    for one in _look_at(practice, []):
        if one.faults:
            raise CommandError(f"The ledger of {one.practicepass} is not as it was written; see disclosure verify.")
        if one.rows:
            typer.echo(as_line(one.anchor))


def _look_at(practice: str | None, anchors: list[Anchor]) -> list[Verified]:
    async def look(database: Database) -> list[Verified]:
        return [one async for one in verified(database, practice, anchors)]

    found = in_database(look)
    if not found and practice is not None:
        raise CommandError(f"There is no practice {practice}.")
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
