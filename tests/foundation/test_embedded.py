"""The embedded PostgreSQL: created once, adopted, stopped by any process, without personal data in its log."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from officepro.foundation import embedded
from officepro.foundation.embedded import EmbeddedError, EmbeddedServer


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose name has a space and a quote, and is too long for a socket."""
    directory = tmp_path_factory.mktemp("people's data") / ("long" * 20)
    yield directory
    if server := embedded.running(directory):
        server.stop()


@pytest.fixture
def server(data_dir: Path) -> EmbeddedServer:
    return embedded.start(data_dir)


def show(server: EmbeddedServer, setting: str) -> str:
    with psycopg.connect(server.url("postgres")) as connection:
        row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
    assert row is not None
    return str(row[0])


def postmaster(server: EmbeddedServer) -> int:
    return int((server.directory / "postmaster.pid").read_text().split()[0])


def test_it_starts_with_our_settings(server: EmbeddedServer) -> None:
    assert show(server, "fsync") == "on"
    assert show(server, "max_connections") == "200"
    assert show(server, "listen_addresses") == ""
    assert show(server, "TimeZone") == "UTC"


def test_a_database_is_created_once(server: EmbeddedServer) -> None:
    server.create_database("officepro")
    server.create_database("officepro")
    with psycopg.connect(server.url("officepro")) as connection:
        assert connection.execute("SELECT lower('ÄÉ')").fetchone() == ("äé",)


def test_a_server_left_running_is_adopted(server: EmbeddedServer, data_dir: Path) -> None:
    before = postmaster(server)
    assert postmaster(embedded.start(data_dir)) == before
    assert embedded.running(data_dir) == server


def test_changed_settings_are_taken_up_by_a_running_server(server: EmbeddedServer, data_dir: Path) -> None:
    (server.directory / "officepro.conf").write_text("listen_addresses = ''\n")
    before = postmaster(server)
    assert postmaster(embedded.start(data_dir)) != before
    assert show(server, "max_connections") == "200"


def test_data_outlives_a_killed_server(server: EmbeddedServer, data_dir: Path) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('here')")
    os.kill(postmaster(server), signal.SIGKILL)
    with psycopg.connect(embedded.start(data_dir).url("postgres")) as connection:
        assert connection.execute("SELECT word FROM kept").fetchone() == ("here",)


def test_a_process_id_that_is_anothers_by_now_does_not_hinder(server: EmbeddedServer, data_dir: Path) -> None:
    server.stop()
    with subprocess.Popen(["/bin/sleep", "60"]) as another:
        (server.directory / "postmaster.pid").write_text(f"{another.pid}\n")
        assert embedded.start(data_dir).is_ready()
        assert another.poll() is None
        another.kill()


def test_neither_statements_nor_values_reach_the_log(server: EmbeddedServer) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE person (mail text UNIQUE)")
        connection.execute("INSERT INTO person VALUES ('jane-personal@example.com')")
        for parameter in ("jane-personal@example.com", "x"):
            with pytest.raises(psycopg.Error):
                connection.execute(
                    "INSERT INTO person SELECT 'jane-personal@example.com' WHERE %s::int > 0", [parameter]
                )
        with pytest.raises(psycopg.Error):
            connection.execute("INSERT INTO person VALUES ('jane-personal@example.com')")
    server.stop()  # the log is written out
    logs = list((server.directory / "log").iterdir())
    assert "shutting down" in "".join(log.read_text() for log in logs)
    assert not [log for log in logs if "jane-personal" in log.read_text() or "person" in log.read_text()]


def test_stop_ends_open_connections_and_may_be_repeated(server: EmbeddedServer) -> None:
    with closing(psycopg.connect(server.url("postgres"))) as connection:
        connection.execute("SELECT 1")
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 10
    server.stop()
    assert not server.is_running()


def test_a_data_folder_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="cannot be used"):
        embedded.start(tmp_path / "file")


def test_a_server_that_cannot_start_says_why(server: EmbeddedServer, data_dir: Path) -> None:
    server.stop()
    override = server.directory / "postgresql.auto.conf"
    before = override.read_text()
    override.write_text("shared_buffers = 'plenty'\n")
    try:
        with pytest.raises(EmbeddedError, match="errors"):
            embedded.start(data_dir)
    finally:
        override.write_text(before)


def test_root_is_told_of_every_folder_that_is_made_searchable(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    if os.geteuid() != 0:  # PostgreSQL runs under the same account
        account = embedded.Account(os.geteuid(), os.getegid(), "")
    else:
        account = embedded.Account(65534, 65534, "nobody")
    embedded._open_the_way(closed / "postgres", account)

    warned = [record.getMessage() for record in caplog.records if "searchable" in record.getMessage()]
    assert len(warned) == (os.geteuid() == 0)
    assert all(str(closed) in message for message in warned)
    assert bool(closed.stat().st_mode & 0o001) == (os.geteuid() == 0)
    embedded._open_the_way(closed / "postgres", account)
    assert len([record for record in caplog.records if "searchable" in record.getMessage()]) == len(warned)
