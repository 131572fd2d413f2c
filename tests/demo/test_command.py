"""`officepro demo`, as it is typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from officepro.foundation.embedded import EmbeddedServer
from tests.conftest import ADMIN_SECRET, KEYS
from tests.demo.conftest import NewDatabase


@pytest.fixture
def environment(server: EmbeddedServer, new_database: NewDatabase, tmp_path: Path) -> dict[str, str]:
    """Of an operator with a PostgreSQL of their own, which is migrated and empty."""
    others = {name: text for name, text in os.environ.items() if not name.startswith("OFFICEPRO_")}
    return others | {
        "OFFICEPRO_DATABASE_URL": server.url(new_database(), user="officepro"),
        "OFFICEPRO_DATA_DIR": str(tmp_path),
        "OFFICEPRO_ADMIN_SECRET": ADMIN_SECRET,
        "OFFICEPRO_TOKEN_KEYS": KEYS,
        "OFFICEPRO_ENCRYPTION_KEYS": KEYS,
        "COLUMNS": "120",
    }


def _demo(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "officepro.cli", "demo", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert "Traceback" not in done.stderr
    return done


def test_help_tells_of_big_data(environment: dict[str, str]) -> None:
    done = _demo(environment, "--help")
    assert done.returncode == 0
    for option in ("--practices", "--patients", "--visits", "--one-practice", "--json"):
        assert option in done.stdout


def test_the_demo_is_loaded_once(environment: dict[str, str]) -> None:
    first = _demo(environment)
    assert (first.returncode, first.stderr) == (0, "")
    assert "Loaded DemoOffice and BerlinOffice." in first.stdout
    second = _demo(environment, "--json")
    assert second.returncode == 0
    told = json.loads(second.stdout)
    assert (told["practice"], told["made"]) == ("DemoOffice", [])
    assert told["apiKey"].startswith("opk_")


def test_big_data_is_made_and_told_of(environment: dict[str, str]) -> None:
    sizes = ("--practices", "2", "--patients", "20", "--visits", "30")
    told = json.loads(_demo(environment, *sizes, "--json").stdout)
    assert (told["practices"], told["patients"], told["visits"]) == (2, 20, 30)
    assert told["apiKey"].startswith("opk_")
    again = _demo(environment, *sizes)
    assert again.returncode == 0
    assert "Demo0001 to Demo0002" in again.stdout
    assert "30/30" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--visits", "5"), "--patients"),
        (("--practices", "0"), "--practices"),
        (("--patients", "many"), "--patients"),
        (("--doctors", "3"), "--doctors"),
        (("--practices", "5", "--patients", "2", "--visits", "9"), "Visits need patients"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_made(
    environment: dict[str, str], arguments: tuple[str, ...], fault: str
) -> None:
    done = _demo(environment, *arguments)
    assert done.returncode in (1, 2)
    assert fault in done.stderr
    assert done.stdout == ""


async def test_a_foreign_practice_of_the_name_is_an_error(environment: dict[str, str]) -> None:
    owner = await asyncpg.connect(environment["OFFICEPRO_DATABASE_URL"].replace("officepro@", "postgres@"))
    await owner.execute("INSERT INTO practice (practicepass, name, time_zone) VALUES ('Demo0001', 'Dr. Demo', 'UTC')")
    await owner.close()
    done = _demo(environment, "--practices", "1")
    assert done.returncode == 1
    assert "Demo0001" in done.stderr
