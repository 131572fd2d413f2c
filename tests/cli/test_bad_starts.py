"""What an operator gets wrong at a start: one clear line, an exit code, and nothing started or changed."""

import socket
from pathlib import Path

import pytest

from tests.cli.command import officepro_with
from tests.conftest import ADMIN_SECRET
from tests.world import House


def lines_of(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.strip()]


async def test_a_port_that_is_in_use(house: House, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = await officepro_with(
            {**house.settings.given, "OFFICEPRO_PORT": port, "OFFICEPRO_DATA_DIR": str(tmp_path / "data")}, "serve"
        )
    assert done.exit_code == 1
    (line,) = lines_of(done.err)
    assert f"Port {port} is already in use" in line
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("missing", "which cannot be read: No such file or directory"),
        ("a folder", "which cannot be read: Is a directory"),
        ("empty", "which is empty"),
        ("not text", "which is not text in UTF-8"),
        ("both", "are both set: remove one of them"),
    ],
)
async def test_a_secret_file_that_cannot_be_used(house: House, tmp_path: Path, kind: str, why: str) -> None:
    file = tmp_path / "admin_secret"
    match kind:
        case "a folder":
            file.mkdir()
        case "empty":
            file.write_text("\n")
        case "not text":
            file.write_bytes(b"\xff" * 40)
        case "both":
            file.write_text(ADMIN_SECRET)
    given = {**house.settings.given, "OFFICEPRO_ADMIN_SECRET_FILE": str(file)}
    if kind != "both":
        del given["OFFICEPRO_ADMIN_SECRET"]

    done = await officepro_with(given, "practice", "list")

    assert done.exit_code == 2
    (line,) = lines_of(done.err)
    assert "OFFICEPRO_ADMIN_SECRET_FILE" in line
    assert why in line
    assert ADMIN_SECRET not in line


async def test_an_empty_file_of_the_database_url_does_not_mean_the_embedded_one(tmp_path: Path) -> None:
    (tmp_path / "database_url").touch()
    given = {
        "OFFICEPRO_DATABASE_URL_FILE": str(tmp_path / "database_url"),
        "OFFICEPRO_DATA_DIR": str(tmp_path / "data"),
    }
    done = await officepro_with(given, "migrate")
    assert done.exit_code == 2
    assert "which is empty" in done.err
    assert not (tmp_path / "data").exists()


async def test_settings_shows_whether_a_secret_is_set_and_never_the_secret(house: House, tmp_path: Path) -> None:
    (tmp_path / "owner").write_text("postgresql://owner:hidden@db/officepro")
    given = {**house.settings.given, "OFFICEPRO_OWNER_DATABASE_URL_FILE": str(tmp_path / "owner"), "COLUMNS": "400"}
    del given["OFFICEPRO_ENCRYPTION_KEYS"]

    done = await officepro_with(given, "settings")

    rows = [line.split("│") for line in done.out.splitlines() if line.startswith("│")]
    now = {cells[1].strip(): cells[4].strip() for cells in rows}
    assert now["OFFICEPRO_ADMIN_SECRET"] == "(set)"
    assert now["OFFICEPRO_OWNER_DATABASE_URL"] == f"(set by file {tmp_path / 'owner'})"
    assert now["OFFICEPRO_ENCRYPTION_KEYS"] == "(not set)"
    assert now["OFFICEPRO_PORT"] == "8000"
    assert ADMIN_SECRET not in done.out
    assert "hidden" not in done.out


async def test_a_command_makes_no_data_folder_for_a_database_of_the_operators_own(house: House, tmp_path: Path) -> None:
    done = await officepro_with(
        {**house.settings.given, "OFFICEPRO_DATA_DIR": str(tmp_path / "data")}, "practice", "list"
    )
    assert done.exit_code == 0, done.err
    assert not (tmp_path / "data").exists()
