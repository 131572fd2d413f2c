"""`officepro distribute`: a migrated database, spread over the nodes of a Citus cluster."""

from typing import Annotated

import typer

from officepro.cli.house import CommandError, open_house
from officepro.migrations import distribution


def distribute(
    plan: Annotated[bool, typer.Option("--plan", help="Print the SQL that is left to do, and do nothing.")] = False,
) -> None:
    """Spread the database over the nodes of a Citus cluster, by practice; safe to run twice."""
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
    typer.echo("The database is distributed." if done else "The database is distributed already; nothing was done.")
