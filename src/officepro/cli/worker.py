"""`officepro worker`: delivers webhooks and runs maintenance jobs."""

from typing import Annotated

import typer

from officepro.cli.house import make_data_dir, open_house
from officepro.cli.processes import log_start, settings_of_process
from officepro.webhooks import dispatcher


def work(stop_with: Annotated[int, typer.Option("--stop-with-parent", hidden=True)] = 0) -> None:
    """Deliver webhooks and run maintenance jobs until SIGTERM or Ctrl-C."""
    with open_house(settings_of_process(stop_with)) as house:
        make_data_dir(house.settings.data_dir)
        log_start(dispatcher.logger, house.settings)
        dispatcher.run(house.settings)
        dispatcher.logger.info("stopped")
