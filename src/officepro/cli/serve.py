"""`officepro serve`: the API, by several Granian workers."""

import asyncio
import os
from contextlib import suppress
from typing import Annotated

import typer
from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from granian.server.mp import MPServer
from litestar.types import ASGIApp

from officepro.app import create_app
from officepro.cli.house import open_house
from officepro.cli.processes import stop_with_parent
from officepro.foundation.database import Database, Mode
from officepro.foundation.errors import Unavailable
from officepro.settings import Settings

BACKLOG_CONNECTIONS = 2048


def serve(stop_with: Annotated[int, typer.Option("--stop-with-parent", hidden=True)] = 0) -> None:
    """Serve the API until SIGTERM or Ctrl-C."""
    if stop_with:
        stop_with_parent(stop_with)
    with open_house() as house:
        asyncio.run(_refuse_what_waiting_does_not_mend(house.settings))
        os.environ.update(house.settings.given)  # Granian's workers read them from there
        _server(house.settings).serve()


async def _refuse_what_waiting_does_not_mend(settings: Settings) -> None:
    """A database that is away may come, and the workers ask again; one that will not do is told once, and clearly.

    Raises WrongServer, WrongRole."""
    with suppress(Unavailable):
        database = await Database.connect(settings.database_url, mode=Mode(settings.database_mode), pool_size=1)
        await database.close()


def application() -> ASGIApp:
    """What each Granian worker calls. It ends with Granian's main process, even when that is killed."""
    stop_with_parent(os.getppid())
    return create_app()


def _server(settings: Settings) -> MPServer:
    return MPServer(
        "officepro.cli.serve:application",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.workers,
        backlog=BACKLOG_CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, settings.drain_seconds),
        log_level=LogLevels.warning,
        log_access=False,  # the application writes its own, without a word about persons
    )
