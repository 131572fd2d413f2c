"""Child processes: they end with their parent, and are restarted when they exit."""

import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from officepro import __version__
from officepro.cli.house import read_settings
from officepro.foundation import embedded
from officepro.foundation.database_errors import place_of
from officepro.foundation.logs import configure_logging
from officepro.settings import Settings, declarations

PR_SET_PDEATHSIG = 1  # linux/prctl.h
STEADY_SECONDS = 60.0  # after that uptime the restart delay is reset
LONGEST_PAUSE_SECONDS = 60.0
LONGEST_DATABASE_PAUSE_SECONDS = 8.0
DATABASE_CHECK_SECONDS = 0.5
REFUSALS = (1, 2)  # exit codes of the command: with the same settings it would fail again
KILL_GRACE_SECONDS = 2.0

logger = logging.getLogger("officepro.run")


def log_start(logger: logging.Logger, settings: Settings) -> None:
    """Configure logging by the settings, and log the first line: version, settings without secrets, database."""
    configure_logging(settings.log_level)
    database = place_of(settings.database_url) if settings.database_url else "embedded"
    extra = {"version": __version__, "settings": settings.public, "database": database}
    logger.info("starting", extra=extra)


def stop_with_parent(parent: int) -> None:
    """Let the kernel send SIGTERM when this process's parent ends, even by SIGKILL. Linux only; without effect on other
    systems."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # the parent ended before the call
            sys.exit(0)


def settings_of_process(parent: int) -> Settings:
    """Return the settings of `serve` and `worker`: from the environment or, under a supervisor (the process `parent`,
    with which this process ends), from standard input: child processes inherit an environment, and /proc shows it.

    Raises SettingsError.
    """
    if not parent:
        return read_settings()
    stop_with_parent(parent)
    return Settings.from_environment(json.loads(sys.stdin.buffer.read()))


class Supervised(Protocol):
    """A process that the supervisor keeps running."""

    def look_after(self, now: float) -> None:
        """Restart it if it has ended; `now` is of the monotonic clock."""


@dataclass
class Child:
    """A child process, running one officepro command."""

    name: str
    arguments: list[str]  # of the officepro command
    settings: Mapping[str, str]  # by variable, as text
    process: subprocess.Popen[bytes] | None = None
    falls: int = 0
    started_at: float = 0.0
    due_at: float = field(default=0.0)

    def start(self) -> None:
        """Start the process in a session of its own, without secrets in its environment."""
        command = [sys.executable, "-m", "officepro.cli", *self.arguments, "--stop-with-parent", str(os.getpid())]
        # In a session of its own: only the supervisor receives Ctrl-C, and stops its children in order.
        secret = {setting.variable for setting in declarations() if setting.secret}
        others = {name: text for name, text in os.environ.items() if name not in secret}
        self.process = subprocess.Popen(command, env=others, stdin=subprocess.PIPE, start_new_session=True)
        self.started_at = time.monotonic()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError), self.process.stdin as pipe:  # broken if it has ended already
            pipe.write(json.dumps(dict(self.settings)).encode())

    def look_after(self, now: float) -> None:
        """Restart it if it has ended, with exponential delay and without limit."""
        if self.process is None:
            if now >= self.due_at:
                self.start()
        elif self.process.poll() is not None:
            self.falls = 1 if now - self.started_at > STEADY_SECONDS else self.falls + 1
            pause = min(2.0 ** (self.falls - 1), LONGEST_PAUSE_SECONDS)
            ended = {"process": self.name, "ending": _ending(self.process.returncode), "restartSeconds": pause}
            logger.warning("process_ended", extra={"group": ("process_ended", self.name), **ended})
            self.process, self.due_at = None, now + pause

    def has_refused(self) -> bool:
        """Whether it has ended because of its settings, or of an unusable database."""
        return self.process is not None and self.process.poll() in REFUSALS


@dataclass
class EmbeddedDatabase:
    """The embedded PostgreSQL. It is not a child process; it is identified by its data folder."""

    data_dir: Path
    starts: int = 0
    started_at: float = -STEADY_SECONDS
    due_at: float = 0.0

    def look_after(self, now: float) -> None:
        """Restart it if it has ended, with exponential delay and without limit."""
        if now < self.due_at:
            return
        self.due_at = now + DATABASE_CHECK_SECONDS
        if embedded.running(self.data_dir) is not None:
            return
        logger.warning("database_ended")
        self.starts = 1 if now - self.started_at > STEADY_SECONDS else self.starts + 1
        try:
            embedded.start(self.data_dir)
        except embedded.EmbeddedError as error:
            logger.error("database_not_started", extra={"reason": str(error)})
        else:
            logger.warning("database_started", extra={"seconds": round(time.monotonic() - now, 1)})
        self.started_at = time.monotonic()
        self.due_at = self.started_at + min(2.0 ** (self.starts - 1), LONGEST_DATABASE_PAUSE_SECONDS)


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def stop_all(children: list[Child], drain_seconds: float) -> None:
    """Send SIGTERM to all children. A child that has not ended after the drain is killed with its own children."""
    processes = [child.process for child in children if child.process is not None]
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + drain_seconds + KILL_GRACE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _kill_session(process)
            process.wait()
        _kill_session(process)  # grandchildren that outlived it


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
