"""`officepro distribute`: distribute a migrated database over the nodes of a Citus cluster."""

from typing import Annotated

import typer

from officepro.cli.house import CommandError, open_house
from officepro.migrations import distribution


def distribute(
    plan: Annotated[bool, typer.Option("--plan", help="Print the remaining SQL without running it.")] = False,
) -> None:
    """Distribute the database over the nodes of a Citus cluster, by practice. Safe to repeat."""
    with open_house() as house:
        if not house.owner_url:
            raise CommandError(
                "Set OFFICEPRO_OWNER_DATABASE_URL to the login that owns the schema, on the coordinator."
            )
        if plan:
            for statement in distribution.plan(house.owner_url):
                typer.echo(f"{statement};")
            return
        done = distribution.distribute(house.owner_url, tell=lambda statement: typer.echo(f"{statement};"))
    typer.echo("The database is distributed." if done else "The database is already distributed; nothing was done.")
