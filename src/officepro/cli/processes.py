"""Children that end with their parent, and are started again when they fall."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import typer

from officepro.cli.house import CommandError, read_settings
from officepro.settings import Settings, declarations

PR_SET_PDEATHSIG = 1  # linux/prctl.h
FALLS_BEFORE_GIVING_UP = 5
STEADY_SECONDS = 60.0  # who stood that long has recovered
LONGEST_PAUSE_SECONDS = 16.0
KILL_GRACE_SECONDS = 2.0


def stop_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM when this process's parent ends, even by SIGKILL. Linux only; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the kernel knew
            sys.exit(0)


def settings_of_process(parent: int) -> Settings:
    """The settings of `serve` and `worker`: those of the environment, or of standard input under a supervisor (the
    process `parent`, with which this process ends): child processes inherit an environment, and /proc shows it.

    Raises SettingsError."""
    if not parent:
        return read_settings()
    stop_with_parent(parent)
    return Settings.from_environment(json.loads(sys.stdin.buffer.read()))


@dataclass
class Child:
    name: str
    arguments: list[str]  # of the officepro command
    settings: Mapping[str, str]  # by variable, as text
    process: subprocess.Popen[bytes] | None = None
    falls: int = 0
    started_at: float = 0.0
    due_at: float = field(default=0.0)

    def start(self) -> None:
        command = [sys.executable, "-m", "officepro.cli", *self.arguments, "--stop-with-parent", str(os.getpid())]
        # A session of its own: Ctrl-C reaches the supervisor alone, which stops its children in order.
        secret = {setting.variable for setting in declarations() if setting.secret}
        others = {name: text for name, text in os.environ.items() if name not in secret}
        self.process = subprocess.Popen(command, env=others, stdin=subprocess.PIPE, start_new_session=True)
        self.started_at = time.monotonic()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError), self.process.stdin as pipe:  # broken when it has ended already
            pipe.write(json.dumps(dict(self.settings)).encode())

    def look_after(self, now: float) -> None:
        """Start it again when it has fallen, later each time. Raises CommandError when it only ever falls."""
        if self.process is None:
            if now >= self.due_at:
                self.start()
        elif self.process.poll() is not None:
            self.falls = 1 if now - self.started_at > STEADY_SECONDS else self.falls + 1
            if self.falls >= FALLS_BEFORE_GIVING_UP:
                raise CommandError(f"The {self.name} ended {self.falls} times at once, so everything was stopped.")
            pause = min(2.0 ** (self.falls - 1), LONGEST_PAUSE_SECONDS)
            typer.echo(f"officepro: the {self.name} {self._ending()}; starting it again in {pause:g} s", err=True)
            self.process, self.due_at = None, now + pause

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def _ending(self) -> str:
        code = self.process.returncode if self.process else 0
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def stop_all(children: list[Child], drain_seconds: float) -> None:
    """SIGTERM to all at once; who is not gone after the drain is killed with all its own children."""
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
