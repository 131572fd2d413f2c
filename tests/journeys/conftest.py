"""The whole house as a user starts it: `officepro run` in a folder of its own, on any free port."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0


@dataclass
class RunningHouse:
    process: subprocess.Popen[str]
    data_dir: Path
    output: Path
    demo: dict[str, str]
    started_in_seconds: float

    @property
    def base(self) -> str:
        return self.demo["baseUrl"]

    @property
    def practice(self) -> str:
        return f"{self.base}/v1/{self.demo['practice']}"

    def token(self) -> str:
        answer = httpx.post(f"{self.practice}/auth/token", json={"apiKey": self.demo["apiKey"]})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["accessToken"])

    def client(self) -> httpx.Client:
        """Speaks to the demo practice with a token, as a partner's engineer would."""
        return httpx.Client(base_url=self.practice, headers={"Authorization": f"Bearer {self.token()}"}, timeout=30)

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(STOP_TIMEOUT_SECONDS)


def is_ready(port: str) -> bool:
    """Asked as fast as can be, without what a client of httpx takes to be made."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def start(data_dir: Path, *options: str, **settings: str) -> RunningHouse:
    """Returns when it has said so. Where the port is given, demo.json must be there when /readyz is 200."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OFFICEPRO_")}
    environment |= {"OFFICEPRO_DATA_DIR": str(data_dir), "OFFICEPRO_PORT": "0", **settings}
    output = data_dir.parent / f"{data_dir.name}.out"
    began = time.monotonic()
    with open(output, "w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "officepro.cli", "run", *options],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
        )
    while "Ready" not in output.read_text():
        if process.poll() is not None or time.monotonic() - began > START_TIMEOUT_SECONDS:
            process.kill()
            raise AssertionError(f"it did not start:\n{output.read_text()}")
        if "OFFICEPRO_PORT" in settings and is_ready(settings["OFFICEPRO_PORT"]):
            is_whole = (data_dir / "demo.json").exists()
            if not is_whole:
                process.terminate()
            assert is_whole, "/readyz answers before demo.json is there"
        time.sleep(0.001 if "OFFICEPRO_PORT" in settings else 0.05)
    demo: dict[str, Any] = json.loads((data_dir / "demo.json").read_text())
    return RunningHouse(process, data_dir, output, demo, time.monotonic() - began)


@pytest.fixture(scope="session")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    house = start(tmp_path_factory.mktemp("journey") / "data", OFFICEPRO_WORKERS="1")
    yield house
    assert house.stop() == 0, house.output.read_text()
