"""The operator's scripts with wrong input: one line that says why, an exit code, and nothing changed."""

import os
import subprocess
from pathlib import Path

import pytest

from officepro.foundation.embedded import EmbeddedServer

DEPLOY = Path(__file__).parents[2] / "deploy"
NOBODY_LISTENS = {"PGHOST": "127.0.0.1", "PGPORT": "1", "PGUSER": "officepro_backup", "PGDATABASE": "officepro"}


def run(script: str, *arguments: str | Path, path: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{path}:{os.environ['PATH']}", "LC_ALL": "C", **variables}
    command = [DEPLOY / script, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def everything_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("broken", ["head", "base64"])
def test_no_secret_is_made_without_randomness(tmp_path: Path, broken: str) -> None:
    (tmp_path / broken).write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / broken).chmod(0o755)

    done = run("make-secrets.sh", tmp_path / "secrets", path=str(tmp_path))

    assert done.returncode == 1
    assert "no secret could be made" in done.stderr
    assert everything_in(tmp_path / "secrets") == {}


def test_a_secret_that_is_empty_is_not_built_upon(tmp_path: Path) -> None:
    assert run("make-secrets.sh", tmp_path / "secrets").returncode == 0
    (tmp_path / "secrets" / "application_password").unlink()
    (tmp_path / "secrets" / "application_password").touch()
    (tmp_path / "secrets" / "database_url").unlink()
    before = everything_in(tmp_path / "secrets")

    done = run("make-secrets.sh", tmp_path / "secrets")

    assert done.returncode == 1
    assert f"{tmp_path}/secrets/application_password is empty" in done.stderr
    assert everything_in(tmp_path / "secrets") == before


def test_another_host_than_before_is_pointed_out(tmp_path: Path) -> None:
    assert run("make-secrets.sh", tmp_path / "secrets", "db.example.com").returncode == 0
    done = run("make-secrets.sh", tmp_path / "secrets", "other.example.com")
    assert done.stderr.count("names another host than other.example.com and stays as it is") == 2


def test_secrets_are_not_made_where_there_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("a file")
    done = run("make-secrets.sh", tmp_path / "secrets")
    assert (done.returncode, done.stderr) == (1, f"make-secrets.sh: {tmp_path}/secrets is not a folder\n")


@pytest.mark.parametrize("script", ["dump.sh", "base-backup.sh"])
def test_a_backup_goes_into_a_folder_that_is_there_and_leaves_nothing_when_it_fails(
    server: EmbeddedServer, tmp_path: Path, script: str
) -> None:
    path = str(server.bin)
    missing = run(f"backup/{script}", tmp_path / "nowhere", path=path, **NOBODY_LISTENS)
    assert (missing.returncode, missing.stderr) == (1, f"{script}: {tmp_path}/nowhere is not a folder: make it first\n")

    failed = run(f"backup/{script}", tmp_path, path=path, **NOBODY_LISTENS)
    assert failed.returncode != 0
    assert "Connection refused" in failed.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dump_that_is_cut_off_is_not_kept(server: EmbeddedServer, tmp_path: Path) -> None:
    """pg_dump that ends well with half a file: its list of contents is whole, and its data are not."""
    (tmp_path / "backups").mkdir()
    (tmp_path / "pg_dump").write_text(
        f"#!/bin/sh\nfor each; do case $each in --file=*) file=${{each#--file=}};; esac; done\n"
        f'{server.bin}/pg_dump --format=custom --file="$file" && truncate --size=-2000 "$file"\n'
    )
    (tmp_path / "pg_dump").chmod(0o755)
    connection = {"PGHOST": str(server.socket_directory), "PGUSER": "postgres", "PGDATABASE": "officepro_template"}

    done = run("backup/dump.sh", tmp_path / "backups", path=f"{tmp_path}:{server.bin}", **connection)

    assert done.returncode != 0
    assert list((tmp_path / "backups").iterdir()) == []


def test_wal_is_archived_into_a_folder_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "segment").write_bytes(b"wal")
    done = run("backup/archive-wal.sh", tmp_path / "segment", "000000010000000000000001", tmp_path / "nowhere")
    assert (done.returncode, done.stderr) == (1, f"archive-wal.sh: {tmp_path}/nowhere is not a folder\n")


def test_a_dump_that_cannot_be_read_makes_no_database(server: EmbeddedServer, tmp_path: Path) -> None:
    (tmp_path / "some.dump").write_bytes(b"no dump")
    connection = {"PGHOST": str(server.socket_directory), "PGUSER": "postgres"}
    done = run("backup/restore-dump.sh", tmp_path / "some.dump", "officepro_none", path=str(server.bin), **connection)
    assert done.returncode == 1
    assert done.stderr.endswith(f"restore-dump.sh: {tmp_path}/some.dump cannot be read; nothing was changed\n")
