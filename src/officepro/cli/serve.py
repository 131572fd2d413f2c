"""`officepro serve`: the API, by several Granian workers.

SIGTERM, SIGINT   graceful shutdown: /readyz fails and responses have `Connection: close`, while all requests are still
                  served (OFFICEPRO_UNREADY_SECONDS); then no new request is accepted, requests in flight are finished
                  (OFFICEPRO_DRAIN_SECONDS), and the workers end. A second signal skips the first part.
SIGHUP            rolling restart: the workers are replaced one by one; before a worker ends, its responses have
                  `Connection: close`.
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
# Includes idle connections: otherwise clients that keep connections open would block all others.
CONNECTIONS_PER_WORKER = 4096
# Granian's thread waits up to this long for the interpreter lock with each chunk of a body that it passes to Python.
# With Python's default of 5 ms, a large body delayed all other requests of a worker by half a second.
INTERPRETER_SWITCH_SECONDS = 0.0005
RESPAWN_SECONDS = 3.5  # time for a new worker to start, while the worker that it replaces continues
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
            signal.signal(told, signal.SIG_IGN)  # inherited by workers, until they install their handlers
        try:
            # Granian passes the settings to its processes: they are read once, and in no environment.
            _server(house.settings).serve(target_loader=partial(application, house.settings), wrap_loader=False)
        finally:
            logger.info("stopped")


def warn_of_no_public_url(settings: Settings) -> None:
    """Log a warning if clients of other machines can connect and OFFICEPRO_PUBLIC_URL is not set."""
    if not settings.public_url and not _is_loopback(settings.host):
        logger.warning(
            "OFFICEPRO_PUBLIC_URL is not set, and the API listens on %s: set it to the URL that clients use. Until "
            "then links use %s, and cookies are Secure only if a proxy of OFFICEPRO_TRUSTED_PROXIES sends "
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
    """Return the ASGI application of a Granian worker. The worker ends with Granian's main process, even if that is
    killed."""
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
    """Granian server that notifies its workers before it stops or replaces them."""

    def __init__(self, *arguments: Any, unready_seconds: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._unready_seconds = unready_seconds
        self._is_told = False
        self._main_process = os.getpid()

    def signal_handler_interrupt(self, *_: Any, **__: Any) -> None:
        """Handle SIGTERM and SIGINT: notify the workers, then stop after the grace period. A second signal stops at
        once."""
        if os.getpid() != self._main_process:  # a worker that is still starting has inherited this handler
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
        """Replace workers, after a grace period. Without a delay, the workers have died already."""
        farewell = self._unready_seconds if delay else 0
        for place in workers:
            if farewell:
                telling = threading.Timer(delay, _tell, [self.wrks[place], ABOUT_TO_BE_REPLACED])
                telling.daemon = True
                telling.start()
            super()._respawn_workers([place], spawn_target, target_loader, delay + farewell)

    def _stop(self) -> None:
        super().signal_handler_interrupt()  # type: ignore[no-untyped-call]  # Granian's methods are not typed


def _tell(worker: Any, what: signal.Signals) -> None:
    if worker.inner.is_alive():
        os.kill(worker.inner.pid, what)


def _server(settings: Settings) -> DrainingServer:
    return DrainingServer(
        "officepro",  # a name for messages; the loader provides the application
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
        log_access=False,  # the application writes its own, without personal data
        unready_seconds=settings.unready_seconds,
    )


def _allow_as_many_files_as_may_be() -> None:
    """Raise the limit of open files to its maximum. Each connection is one file; the usual soft limit is 1,024."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
