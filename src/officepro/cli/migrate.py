"""`officepro migrate`: upgrade the database schema."""

import typer

from officepro.cli.house import CommandError, open_house
from officepro.migrations import run


def migrate() -> None:
    """Upgrade the database to the newest revision. Safe to repeat."""
    with open_house() as house:
        if not house.owner_url:
            raise CommandError("Set OFFICEPRO_OWNER_DATABASE_URL to the login that owns the schema.")
        revision = run.migrate(house.owner_url, house.application_login)
        if run.is_newer(revision):
            typer.echo(
                f"The database is at revision {revision}, of a newer version; the newest of this version is "
                f"{run.revisions()[0]}. Nothing was changed."
            )
            return
        typer.echo(f"The database is at revision {revision}.")
