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
    "Not checked against anchors: rows removed from the end together with the head cannot be detected. "
    "Pass a file of anchors with --anchors."
)
OfPractice = Annotated[str | None, typer.Option("--practice", help="Only this practice (PPass).")]


@disclosure.command("verify")
def verify(
    practice: OfPractice = None,
    anchors: Annotated[
        Path | None,
        typer.Option("--anchors", "--anchor", help="File of anchors, written by the worker or `disclosure anchor`."),
    ] = None,
) -> None:
    """Verify the integrity of the disclosure log. Fails if rows were changed, removed or moved."""
    found, _ = _verified(practice, None if anchors is None else _read(anchors))
    for one in found:
        typer.echo(f"{one.practicepass}: {one.rows} rows, {'OK' if not one.faults else 'FAILED'}")
        for fault in one.faults:
            typer.echo(f"  {fault}")
    if anchors is None:
        typer.echo(UNSEEN, err=True)
    if any(one.faults for one in found):
        raise CommandError("The disclosure log was tampered with.")


@disclosure.command("anchor")
def anchor(practice: OfPractice = None) -> None:
    """Verify the log, and print a signed anchor per practice, to be stored outside the database."""
    found, settings = _verified(practice, "")
    for one in found:
        if one.faults:
            raise CommandError(f"Verification of {one.practicepass} failed: run officepro disclosure verify.")
        if one.rows:
            line = signed(one.practicepass, one.rows, one.last_sha256, now(), settings.encryption_keys).as_line()
            typer.echo(line)


def _verified(practice: str | None, text: str | None) -> tuple[list[Verified], Settings]:
    async def look(database: Database, settings: Settings) -> tuple[list[Verified], Settings]:
        anchors: list[Anchor] = anchors_in(text, settings.encryption_keys) if text else []
        return [one async for one in verified(database, practice, anchors)], settings

    found, settings = in_database_with_settings(look)
    if not found and practice is not None:
        raise CommandError(f"Practice {practice} not found.")
    return found, settings


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
