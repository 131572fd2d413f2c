"""`officepro worker`: webhooks are fanned out and delivered, and whatever else is due gets done."""

from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from officepro.cli.house import CommandError, open_house
from officepro.cli.processes import stop_with_parent

DISPATCHER = "officepro.webhooks.dispatcher"


def there_is_a_dispatcher() -> bool:
    return find_spec(DISPATCHER) is not None


def work(stop_with: Annotated[int, typer.Option("--stop-with-parent", hidden=True)] = 0) -> None:
    """Deliver webhooks until SIGTERM or Ctrl-C."""
    if stop_with:
        stop_with_parent(stop_with)
    if not there_is_a_dispatcher():
        raise CommandError("This version of officepro has no webhooks, and so no work for a worker.")
    with open_house() as house:
        import_module(DISPATCHER).run(house.settings)
