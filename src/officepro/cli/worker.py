"""`officepro worker`: webhooks are fanned out and delivered, and whatever else is due gets done."""

from typing import Annotated

import typer

from officepro.cli.house import open_house
from officepro.cli.processes import stop_with_parent
from officepro.webhooks import dispatcher


def work(stop_with: Annotated[int, typer.Option("--stop-with-parent", hidden=True)] = 0) -> None:
    """Deliver webhooks until SIGTERM or Ctrl-C."""
    if stop_with:
        stop_with_parent(stop_with)
    with open_house() as house:
        dispatcher.run(house.settings)
