"""`officepro disclosure`: verification and anchors of the disclosure log."""

from pathlib import Path
from typing import Annotated

import typer

from officepro.activity.anchors import Anchor, anchors_in, signed
from officepro.activity.verification import Verified
from officepro.activity.verification import verify as verified
from officepro.cli.house import CommandError
from officepro.cli.terminal import in_database_with_settings
from officepro.foundation.clock import now
from officepro.foundation.database import Database
from officepro.settings import Settings

disclosure = typer.Typer(help="The disclosure log: verify it, anchor it.", no_args_is_help=True)

UNSEEN = (
    "Not checked against anchors: rows that were cut from the end together with the head would not be seen. "
    "Give the lines that the worker wrote with --anchors."
)
OfPractice = Annotated[str | None, typer.Option("--practice", help="Only this practice's (PPass).")]


@disclosure.command("verify")
def verify(
    practice: OfPractice = None,
    anchors: Annotated[
        Path | None,
        typer.Option(
            "--anchors", "--anchor", help="Lines that the worker wrote or `disclosure anchor` printed, kept since."
        ),
    ] = None,
) -> None:
    """Find rows that were changed, removed, moved or cut off. Fails if there are any."""
    found, _ = _verified(practice, None if anchors is None else _read(anchors))
    for one in found:
        typer.echo(f"{one.practicepass}: {one.rows} rows, {'as written' if not one.faults else 'NOT as written'}")
        for fault in one.faults:
            typer.echo(f"  {fault}")
    if anchors is None:
        typer.echo(UNSEEN, err=True)
    if any(one.faults for one in found):
        raise CommandError("The disclosure log was tampered with.")


@disclosure.command("anchor")
def anchor(practice: OfPractice = None) -> None:
    """Verify, and print number and hash of each practice's last row, signed, to be kept outside the database."""
    found, settings = _verified(practice, "")
    for one in found:
        if one.faults:
            raise CommandError(f"The log of {one.practicepass} is not as it was written; see disclosure verify.")
        if one.rows:
            line = signed(one.practicepass, one.rows, one.last_sha256, now(), settings.encryption_keys).as_line()
            typer.echo(line)


def _verified(practice: str | None, text: str | None) -> tuple[list[Verified], Settings]:
    async def look(database: Database, settings: Settings) -> tuple[list[Verified], Settings]:
        anchors: list[Anchor] = anchors_in(text, settings.encryption_keys) if text else []
        return [one async for one in verified(database, practice, anchors)], settings

    found, settings = in_database_with_settings(look)
    if not found and practice is not None:
        raise CommandError(f"There is no practice {practice}.")
    return found, settings


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
