"""Memory of each process under load, and duration of the second `make run` (`python -m benchmarks.memory`).

RSS counts all mapped memory of a process; PSS divides shared memory among its processes, so that the sum is correct.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from litestar import Litestar, post

from benchmarks.growth import Calls, environment_of, tokens_of
from benchmarks.growth_data import Size, grown
from benchmarks.servers import free_port, granian, wait_for
from benchmarks.wrk import measure
from officepro.foundation import embedded
from officepro.settings import Settings

SIZE = Size(practices=10, patients=10_000, visits=20_000, calls=0)
READS = ("slots", "check", "search", "schedule")
CALLS = 20_000
START_TIMEOUT_SECONDS = 120
API_AIM_MB, WORKER_AIM_MB, START_AIM_SECONDS = 150, 120, 5


class Taken(NamedTuple):
    """Megabytes of one process."""

    rss: float
    pss: float


@post("/", status_code=200)
async def hear() -> None:
    """Accept every webhook."""


def receiver() -> Litestar:
    """Return the application that receives the webhooks."""
    return Litestar([hear], openapi_config=None)


def main(arguments: list[str]) -> None:
    """Measure and print the memory of each process and the duration of a start."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="duration of each kind of load")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="officepro-bench-", dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        server = embedded.start(folder / "data")
        try:
            _measure(server, folder, asked.seconds)
        finally:
            server.stop()
        print(f"second start, until ready   {_second_start(folder / 'run'):>6.1f} s    aim {START_AIM_SECONDS} s")


def _measure(server: embedded.EmbeddedServer, folder: Path, seconds: float) -> None:
    one = grown(server, SIZE, lambda url: Settings.from_environment(environment_of(url, folder)))
    port = free_port()
    environment = environment_of(one.settings.database_url, folder) | {"OFFICEPRO_PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    with _command("serve", environment) as api, granian("benchmarks.memory:receiver", folder, {}) as heard_at:
        wait_for(port, api)
        calls = Calls(tokens_of(url, one))
        for name in READS:
            measure(url, list(calls.of(name, CALLS)), seconds)
        bookings = list(calls.of("book", CALLS))
        _subscribe(port, bookings[0].headers, heard_at)
        with _command("worker", environment) as worker:
            measure(url, bookings, seconds)
            time.sleep(1)
            _print("API process", [_taken(process) for process in _children(api.pid)], API_AIM_MB)
            _print("webhook worker", [_taken(worker.pid)], WORKER_AIM_MB)


def _print(name: str, taken: list[Taken], aim: int) -> None:
    for one in taken:
        print(f"{name:20} RSS {one.rss:>6.0f} MB   PSS {one.pss:>6.0f} MB   aim {aim} MB", flush=True)


@contextmanager
def _command(name: str, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `officepro serve` or `officepro worker` as in production."""
    process = subprocess.Popen([sys.executable, "-m", "officepro.cli", name], env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _subscribe(port: int, headers: Mapping[str, str], url: str) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    body = f'{{"hookUrl": "{url}/", "scopes": ["Encounters"]}}'
    connection.request("POST", "/v1/webhooks/signup", body, dict(headers))
    answer = connection.getresponse()
    told = answer.read()
    assert answer.status in (200, 201), told
    connection.close()


def _children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(one) for one in listed if b"resource_tracker" not in Path(f"/proc/{one}/cmdline").read_bytes()]


def _taken(process: int) -> Taken:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    told = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines[1:]}
    return Taken(told["Rss"], told["Pss"])


def _second_start(data_dir: Path) -> float:
    """Return the seconds from the command to the line that reports readiness, for a second start."""
    _started(data_dir)
    return _started(data_dir)


def _started(data_dir: Path) -> float:
    environment = {**os.environ, "OFFICEPRO_DATA_DIR": str(data_dir), "OFFICEPRO_PORT": "0", "PYTHONUNBUFFERED": "1"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "officepro.cli", "run"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("Ready"):
                return time.perf_counter() - began
            assert time.perf_counter() - began < START_TIMEOUT_SECONDS, "it does not become ready"
        raise AssertionError("it ended before it was ready")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


if __name__ == "__main__":
    main(sys.argv[1:])
