"""`officepro run`, started, stopped, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psycopg

from officepro.foundation import embedded
from officepro.foundation.kept_secrets import kept_secrets
from tests.chaos.instances import free_port
from tests.journeys.conftest import RunningHouse, start

RECOVERED_SECONDS = 10.0


def processes_in(folder: Path) -> list[str]:
    """The command lines of all processes that have something to do with the folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (process / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(folder) in line or f"OFFICEPRO_DATA_DIR={folder}" in environment:
                found.append(line)
    return found


def environments_under(pid: int) -> str:
    """Of a process and of all its descendants, as the kernel shows them."""
    found = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += "".join(environments_under(int(child)) for child in (task / "children").read_text().split())
    return found


def migrate_by_a_newer_version(data: Path) -> None:
    """This version has to work on the schema of the one after it (docs/upgrading.md)."""
    server = embedded.running(data)
    assert server is not None
    with psycopg.connect(server.url("officepro")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def test_no_secret_is_in_the_environment_of_a_process(running_house: RunningHouse) -> None:
    found = environments_under(running_house.process.pid)
    assert found.count("OFFICEPRO_DATA_DIR=") >= 3, "the supervisor, the API and the worker"
    for name, secret in kept_secrets(running_house.data_dir).items():
        assert secret not in found, name


def test_it_stops_cleanly_starts_again_fast_and_keeps_its_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = start(data, OFFICEPRO_WORKERS="2")
    with first.client() as partner:
        made = partner.post("/prospects", json={"FirstName": "Kept"}).json()["data"]["PatientID"]
    assert oct((data / "demo.json").stat().st_mode & 0o777) == "0o600"
    migrate_by_a_newer_version(data)
    assert first.stop(signal.SIGINT) == 0, first.output.read_text()
    assert processes_in(data) == []

    second = start(data, OFFICEPRO_WORKERS="2")
    listed = subprocess.run(
        [sys.executable, "-m", "officepro.cli", "practice", "list"],
        env=os.environ | {"OFFICEPRO_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (listed.returncode, "DemoOffice" in listed.stdout) == (0, True), listed.stderr
    assert second.demo["apiKey"] == first.demo["apiKey"]
    with second.client() as partner:
        assert partner.get(f"/prospects/{made}").status_code == 200
    assert second.started_in_seconds < 15  # the bound is 5 s on an idle machine; the tests share theirs

    second.process.kill()
    second.process.wait()
    third = start(data, "--show-secrets", OFFICEPRO_WORKERS="2", OFFICEPRO_PORT=str(free_port()))
    assert httpx.get(f"{third.base}/readyz").status_code == 200
    assert third.demo["apiKey"] in third.output.read_text()
    assert third.demo["adminSecret"] in third.output.read_text()
    assert third.stop() == 0, third.output.read_text()
    deadline = time.monotonic() + 10
    while processes_in(data) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_in(data) == []


def test_the_printed_lines_work_when_pasted_and_a_killed_database_is_started_again(tmp_path: Path) -> None:
    house = start(tmp_path / "data", OFFICEPRO_WORKERS="1")
    try:
        secrets = [house.demo["apiKey"], house.demo["adminSecret"]]
        assert not any(secret in house.output.read_text() for secret in secrets)
        assert str(tmp_path / "data" / "demo.json") in house.output.read_text()
        lines = [line for line in house.output.read_text().splitlines() if line.startswith(("TOKEN=", "curl "))]
        assert len(lines) == 3
        pasted = subprocess.run(["/bin/bash", "-ec", "\n".join(lines)], capture_output=True, text=True, check=True)
        assert '"PatientID"' in pasted.stdout
        assert '"ProviderID":1' in pasted.stdout
        killed_and_started_again(house)
    finally:
        house.stop()
    _, _, logged = house.output.read_text().partition("Ready; Ctrl-C stops it.")
    for line in logged.splitlines():
        assert line in ("", "officepro: stopped") or json.loads(line)


def killed_and_started_again(house: RunningHouse) -> None:
    """As by the kernel when memory runs out."""
    server = embedded.running(house.data_dir)
    assert server is not None
    os.kill(int((server.directory / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    deadline = time.monotonic() + 30
    while "database_started" not in house.output.read_text():
        assert time.monotonic() < deadline, house.output.read_text()
        time.sleep(0.05)
    deadline = time.monotonic() + RECOVERED_SECONDS
    while httpx.get(f"{house.base}/readyz", timeout=30).status_code != 200:
        assert time.monotonic() < deadline, house.output.read_text()
        time.sleep(0.05)
    with house.client() as partner:
        assert partner.get("/prospects").status_code == 200
    assert house.process.poll() is None
