"""Client of the benchmarks: wrk, which sends prepared calls one after the other over 32 connections."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processors import Processors

CONNECTIONS = 32

SCRIPT = r"""
local calls, next_call, parts = {}, 0, {}
function init(arguments)
  for line in io.lines(arguments[1]) do calls[#calls + 1] = line end
end
function request()
  local text = calls[next_call % #calls + 1]
  next_call = next_call + 1
  return (text:gsub("\\n", "\r\n"))
end
function done(summary, latency, requests)
  io.write(string.format('{"requests": %d, "microseconds": %d, "errors": %d, "p50": %d, "p99": %d}\n',
    summary.requests, summary.duration, summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout, latency:percentile(50), latency:percentile(99)))
end
"""
PAUSES = """
function delay()
  return math.random(0, PAUSES)
end
"""


class ClientMissing(Exception):
    """wrk is not installed: on Debian and Ubuntu, apt install wrk."""


@dataclass(frozen=True)
class Call:
    """A prepared HTTP request."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def as_text(self) -> str:
        """Return the whole request in one line, with `\\n` as line separator."""
        headers = {"Host": "127.0.0.1", **self.headers}
        if self.body:
            headers["Content-Length"] = str(len(self.body.encode()))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\\n".join([*lines, "", self.body])


@dataclass(frozen=True)
class Measured:
    """Result of a measurement."""

    rate: float  # responses a second
    p50: float  # milliseconds
    p99: float
    errors: int
    stolen: float  # share of processor time, used by other virtual machines on the same hardware


def measure(url: str, calls: Iterable[Call], seconds: float, rate: float | None = None) -> Measured:
    """Send the calls at full speed, or at about `rate` a second with random pauses. Raises ClientMissing."""
    program = shutil.which("wrk")
    if program is None:
        raise ClientMissing(ClientMissing.__doc__)
    with tempfile.TemporaryDirectory() as folder:
        script, prepared = Path(folder, "script.lua"), Path(folder, "calls")
        pauses = "" if rate is None else PAUSES.replace("PAUSES", str(round(2000 * CONNECTIONS / rate)))
        script.write_text(SCRIPT + pauses)
        prepared.write_text("\n".join(call.as_text() for call in calls))
        processors = Processors()
        told = subprocess.run(
            [
                program,
                "-t1",
                f"-c{CONNECTIONS}",
                f"-d{seconds:g}s",
                "--timeout",
                "10s",
                "-s",
                script,
                url,
                "--",
                prepared,
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        stolen = processors.stolen()
    found = json.loads(told.splitlines()[-1])
    rate = found["requests"] / (found["microseconds"] / 1e6)
    return Measured(rate, found["p50"] / 1000, found["p99"] / 1000, found["errors"], stolen)
