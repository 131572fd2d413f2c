"""Servers of the benchmarks: Granian with the API's options, for the duration of a measurement."""

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from officepro.foundation.embedded import EmbeddedServer

WORKERS = 2
START_TIMEOUT_SECONDS = 30


@contextmanager
def granian(target: str, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Run an application under Granian; yield its base URL once it responds."""
    port = free_port()
    command = [sys.executable, "-m", "granian", target, "--factory", "--interface", "asgi", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(WORKERS), "--loop", "uvloop", "--http", "1", "--no-ws"]
    command += ["--backlog", "2048", "--log-level", "warning"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def api(
    server: EmbeddedServer, folder: Path, database: str, target: str = "officepro.app:create_app"
) -> Iterator[tuple[str, str]]:
    """Run the API; yield its base URL and the admin secret."""
    keys = "bench:" + base64.urlsafe_b64encode(os.urandom(32)).decode()
    environment = {
        "OFFICEPRO_DATABASE_URL": server.url(database, user="officepro"),
        "OFFICEPRO_DATA_DIR": str(folder),
        "OFFICEPRO_ADMIN_SECRET": base64.b64encode(os.urandom(32)).decode(),
        "OFFICEPRO_TOKEN_KEYS": keys,
        "OFFICEPRO_ENCRYPTION_KEYS": keys,
        "OFFICEPRO_RATE_LIMIT_PER_MINUTE": "10000000",  # counted, but never reached
    }
    with granian(target, folder, environment) as url:
        yield url, environment["OFFICEPRO_ADMIN_SECRET"]


def token(url: str, practice: int, key: str) -> str:
    """Exchange the API key for an access token."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        body = json.dumps({"apiKey": key})
        connection.request("POST", f"/v1/Bench{practice}/auth/token", body, {"Content-Type": "application/json"})
        return str(json.load(connection.getresponse())["accessToken"])
    finally:
        connection.close()


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the server responds. Raises RuntimeError after 30 s or if the process ends."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError("the measured server does not respond")
