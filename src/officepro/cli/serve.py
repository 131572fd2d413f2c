"""`officepro serve`: the API, by several Granian workers.

SIGTERM, SIGINT   stop: /readyz says no and every answer asks its caller to come by another connection, while all are
                  still answered (OFFICEPRO_UNREADY_SECONDS); then nobody new is let in, who is inside is answered
                  (OFFICEPRO_DRAIN_SECONDS), and the workers end. A second one skips the first part.
SIGHUP            the workers are replaced, one after another, by new ones; before one ends, its answers ask their
                  callers to come by another connection.
"""

import asyncio
import ipaddress
import logging
import os
import resource
import signal
import sys
import threading
from functools import partial
from typing import Annotated, Any

import typer
from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from granian.server.mp import MPServer

from officepro.app import create_app
from officepro.cli.house import make_data_dir, open_house
from officepro.cli.ports import with_a_free_port
from officepro.cli.processes import log_start, settings_of_process, stop_with_parent
from officepro.door import Door
from officepro.foundation.logs import CRASHED, granian_logging, log_crash
from officepro.migrations.verification import refuse_what_waiting_does_not_mend
from officepro.settings import Settings

BACKLOG_CONNECTIONS = 2048
# Idle ones too: with no room for more than are answered at once, who holds connections would keep all others waiting.
CONNECTIONS_PER_WORKER = 4096
# Granian's thread waits as long for the interpreter with each piece of a body that it hands over while Python works.
# With Python's 5 ms, a large body kept all other requests of a worker waiting for half a second.
INTERPRETER_SWITCH_SECONDS = 0.0005
RESPAWN_SECONDS = 3.5  # a new worker's start, for which the one that it replaces works on
# From the main process to its workers.
ABOUT_TO_STOP = signal.SIGUSR1
ABOUT_TO_BE_REPLACED = signal.SIGUSR2

logger = logging.getLogger("officepro.serve")


def serve(stop_with: Annotated[int, typer.Option("--stop-with-parent", hidden=True)] = 0) -> None:
    """Serve the API until SIGTERM or Ctrl-C."""
    with open_house(with_a_free_port(settings_of_process(stop_with))) as house:
        make_data_dir(house.settings.data_dir)
        log_start(logger, house.settings)
        warn_of_no_public_url(house.settings)
        asyncio.run(refuse_what_waiting_does_not_mend(house.settings))
        _allow_as_many_files_as_may_be()
        for told in (ABOUT_TO_STOP, ABOUT_TO_BE_REPLACED):
            signal.signal(told, signal.SIG_IGN)  # and so do workers, until they know what it means
        try:
            # Granian hands the settings over from process to process: read once, and in no environment.
            _server(house.settings).serve(target_loader=partial(application, house.settings), wrap_loader=False)
        finally:
            logger.info("stopped")


def warn_of_no_public_url(settings: Settings) -> None:
    """Log a warning where clients of other machines can call, and nothing says by which address they do."""
    if not settings.public_url and not _is_loopback(settings.host):
        logger.warning(
            "OFFICEPRO_PUBLIC_URL is not set, and the API listens on %s: set it to the address that clients use. Until "
            "then links name %s, and cookies are Secure only where a proxy of OFFICEPRO_TRUSTED_PROXIES sends "
            "X-Forwarded-Proto: https",
            settings.host,
            settings.base_url,
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def application(settings: Settings) -> Door:
    """What each Granian worker calls. It ends with Granian's main process, even when that is killed."""
    stop_with_parent(os.getppid())
    sys.setswitchinterval(INTERPRETER_SWITCH_SECONDS)
    try:
        door = create_app(settings)
    except Exception as error:
        log_crash(error)
        sys.exit(CRASHED)  # without the traceback that multiprocessing prints of other exceptions
    signal.signal(ABOUT_TO_STOP, lambda *_: door.close())
    signal.signal(ABOUT_TO_BE_REPLACED, lambda *_: door.send_elsewhere())
    return door


class DrainingServer(MPServer):
    """Granian, whose workers are told of their end before it comes."""

    def __init__(self, *arguments: Any, unready_seconds: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._unready_seconds = unready_seconds
        self._is_told = False
        self._main_process = os.getpid()

    def signal_handler_interrupt(self, *_: Any, **__: Any) -> None:
        if (
            os.getpid() != self._main_process
        ):  # a worker that is still starting: it has this handler from the main process
            sys.exit()
        if not self._is_told:
            logger.info("stopping")
        if self._is_told or not self._unready_seconds:
            self._stop()
            return
        self._is_told = True
        for worker in self.wrks:
            _tell(worker, ABOUT_TO_STOP)
        waiting = threading.Timer(self._unready_seconds, self._stop)
        waiting.daemon = True
        waiting.start()

    def _respawn_workers(self, workers: Any, spawn_target: Any, target_loader: Any, delay: float = 0) -> None:
        """Without a delay, those that have died are replaced."""
        farewell = self._unready_seconds if delay else 0
        for place in workers:
            if farewell:
                telling = threading.Timer(delay, _tell, [self.wrks[place], ABOUT_TO_BE_REPLACED])
                telling.daemon = True
                telling.start()
            super()._respawn_workers([place], spawn_target, target_loader, delay + farewell)

    def _stop(self) -> None:
        super().signal_handler_interrupt()  # type: ignore[no-untyped-call]  # Granian's are not typed


def _tell(worker: Any, what: signal.Signals) -> None:
    if worker.inner.is_alive():
        os.kill(worker.inner.pid, what)


def _server(settings: Settings) -> DrainingServer:
    return DrainingServer(
        "officepro",  # a name for messages; what is served is the loader's
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.workers,
        backlog=BACKLOG_CONNECTIONS,
        backpressure=CONNECTIONS_PER_WORKER,
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_SECONDS,
        workers_kill_timeout=max(1, settings.drain_seconds),
        log_level=LogLevels.error if settings.log_level == "error" else LogLevels.warning,
        log_dictconfig=granian_logging(),
        log_access=False,  # the application writes its own, without a word about persons
        unready_seconds=settings.unready_seconds,
    )


def _allow_as_many_files_as_may_be() -> None:
    """Each connection is one, and the usual limit of 1,024 is older than servers of many."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
