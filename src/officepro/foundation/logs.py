"""Structured logs: one JSON object per line on standard error, without personal data.

Everything that a process writes there is formatted here: its own lines, those of Granian, asyncio and warnings, and
uncaught exceptions. Repeated lines are limited, so that an outage of minutes does not write thousands of lines: of each
group of similar lines a few a minute are written, and then one that counts the rest."""

import logging
import os
import re
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from officepro.foundation.wire import encode

WINDOW_SECONDS = 60.0
LINES_PER_WINDOW = 5  # of one group; a line may lower it by `extra={"lines_per_window": 1}`
MAXIMUM_GROUPS = 1000
FRAMES = 8  # of an exception, the innermost
CRASHED = 70  # EX_SOFTWARE of sysexits.h: unlike after the exit codes of a refusal, a restart may help

# Attributes that control the limiting of a line, and are not written.
_LIMITING = frozenset({"group", "lines_per_window"})
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"} | _LIMITING
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')

logger = logging.getLogger("officepro")


class JsonLines(logging.Formatter):
    """Formats a record: the first line of its message, its `extra`, and of an exception its class and where it was
    raised.

    Never an exception's text nor the source around it, which may quote personal data."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        message, where = _first_line(record.getMessage())
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": message,
        }
        line.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info and record.exc_info[0] is not None:
            line["kind"] = record.exc_info[0].__name__
            where = frames_of(record.exc_info[2])
        if where:
            line.setdefault("where", where)
        try:
            return encode(line).decode()
        except TypeError:
            return encode({name: str(value) for name, value in line.items()}).decode()


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes warnings and errors at most LINES_PER_WINDOW times in WINDOW_SECONDS for each group, and counts the rest.

    A group is `extra={"group": ...}`, or else the logger and the message before its arguments. The count of lines left
    out (`suppressed`) is written with the group's next line, or with the first line of any group after the window's
    end."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._windows: dict[object, _Window] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it."""
        now = time.monotonic()
        group = getattr(record, "group", None) or (record.name, record.msg)
        self._report_suppressed(now, group)
        if record.levelno >= logging.WARNING:
            window = self._windows.get(group)
            if window is None or now >= window.ends_at:
                if window is not None and window.suppressed:
                    record.suppressed = window.suppressed
                if len(self._windows) >= MAXIMUM_GROUPS:
                    self._windows.clear()
                window = self._windows[group] = _Window(record.name, record.levelno, now + WINDOW_SECONDS)
            if window.lines >= getattr(record, "lines_per_window", LINES_PER_WINDOW):
                window.message = record.getMessage()
                window.suppressed += 1
                return
            window.lines += 1
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        """Do nothing: the default prints a traceback."""

    def _report_suppressed(self, now: float, but: object) -> None:
        for group, window in [*self._windows.items()]:
            if now >= window.ends_at and group != but:
                del self._windows[group]
                if window.suppressed:
                    report = logging.LogRecord(window.name, window.level, "", 0, window.message, None, None)
                    report.suppressed = window.suppressed
                    super().emit(report)


@dataclass
class _Window:
    """The lines of one group within WINDOW_SECONDS."""

    name: str
    level: int
    ends_at: float
    message: str = ""
    lines: int = 0
    suppressed: int = 0


def configure_logging(level: str) -> None:
    """Send everything that this process logs or warns of, and every uncaught exception, to one handler.

    `level` applies to the lines of officepro; those of libraries are written from level warning."""
    handler = LimitedHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    own = logging.getLevelName(level.upper())
    root.setLevel(max(logging.WARNING, own))
    logger.setLevel(own)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    sys.unraisablehook = lambda raised: _log_uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)
    threading.excepthook = lambda raised: _log_uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)


def granian_logging() -> dict[str, Any]:
    """Return the `log_dictconfig` that makes Granian log through the root logger."""
    passed_on = {"handlers": [], "propagate": True}
    return {"formatters": {}, "handlers": {}, "loggers": {"_granian": dict(passed_on), "granian.access": passed_on}}


def log_crash(error: BaseException) -> None:
    """Log an exception that ends the process."""
    logger.critical("crashed", exc_info=(type(error), error, error.__traceback__))


def frames_of(trace: TracebackType | None) -> list[str]:
    """Return `file:line` of the innermost frames, the innermost last."""
    frames = []
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
        trace = trace.tb_next
    return frames[-FRAMES:]


def _first_line(message: str) -> tuple[str, list[str]]:
    """Return the message's first line, and the places named in the lines after it, which are a traceback or source
    lines."""
    first, _, rest = message.partition("\n")
    if not rest:
        return first, []
    return first, [f"{os.path.normpath(file)}:{line}" for file, line in _FRAME.findall(rest)][-FRAMES:]


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is not None and not issubclass(kind, KeyboardInterrupt):
        logger.critical("uncaught_exception", exc_info=(kind, error, trace))
