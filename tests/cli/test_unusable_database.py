"""Each reason why a database cannot be used is one line that ends a command or a start; no password is in it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import officepro_with
from tests.conftest import ADMIN_SECRET, KEYS
from tests.deploy.own_postgres import OwnPostgres, own_postgres

WRONG = "a-wrong-password"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    """By TCP, with passwords."""
    with own_postgres(tmp_path_factory.mktemp("unusable")) as own:
        yield own


def given(url: str, folder: Path) -> dict[str, str]:
    return {
        "OFFICEPRO_DATABASE_URL": url,
        "OFFICEPRO_OWNER_DATABASE_URL": url,
        "OFFICEPRO_DATA_DIR": str(folder / "data"),
        "OFFICEPRO_ADMIN_SECRET": ADMIN_SECRET,
        "OFFICEPRO_TOKEN_KEYS": KEYS,
        "OFFICEPRO_ENCRYPTION_KEYS": KEYS,
        "OFFICEPRO_PORT": "0",
    }


def url_of(case: str, postgres: OwnPostgres) -> str:
    at = f"127.0.0.1:{postgres.port}"
    return {
        "wrong password": f"postgresql://postgres:{WRONG}@{at}/postgres",
        "unknown login": f"postgresql://nobody:{WRONG}@{at}/postgres",
        "unknown database": f"postgresql://postgres:{postgres.password}@{at}/missing",
        "unknown host": f"postgresql://postgres:{WRONG}@no-such-host.invalid/postgres",
        "closed port": f"postgresql://postgres:{WRONG}@127.0.0.1:1/postgres",
        "unreadable key": f"postgresql://postgres:{WRONG}@{at}/postgres?sslmode=require&sslkey=/no/key.pem",
        "no schema": f"postgresql://postgres:{postgres.password}@{at}/postgres",
    }[case]


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("wrong password", 'password authentication failed for user "postgres"'),
        ("unknown login", 'password authentication failed for user "nobody"'),
        ("unknown database", 'database "missing" does not exist'),
        ("unknown host", "its host name cannot be resolved"),
        ("closed port", "The database at 127.0.0.1:1 (postgres) cannot be used: Connection refused"),
        ("unreadable key", "/no/key.pem (sslkey of the URL) cannot be read: No such file or directory"),
        ("no schema", "run officepro migrate"),
    ],
)
async def test_commands_say_why(postgres: OwnPostgres, tmp_path: Path, case: str, reason: str) -> None:
    told = await officepro_with(given(url_of(case, postgres), tmp_path), "practice", "list")

    assert told.exit_code == 1
    (line,) = told.err.splitlines()
    assert reason in line
    assert WRONG not in line
    assert postgres.password not in line


@pytest.mark.parametrize("service", ["serve", "worker"])
@pytest.mark.parametrize("case", ["wrong password", "unknown database"])
async def test_what_waiting_does_not_mend_ends_a_start(
    postgres: OwnPostgres, tmp_path: Path, service: str, case: str
) -> None:
    told = await officepro_with(given(url_of(case, postgres), tmp_path), service)

    assert told.exit_code == 1
    starting, refused = map(json.loads, told.err.splitlines())
    assert (starting["message"], refused["message"]) == ("starting", "start_refused")
    assert starting["database"] in refused["reason"]
    assert {"wrong password": "authentication failed", "unknown database": "does not exist"}[case] in refused["reason"]
    assert WRONG not in told.err
    assert postgres.password not in told.err
    assert ADMIN_SECRET not in told.err


async def test_migrate_says_why(postgres: OwnPostgres, tmp_path: Path) -> None:
    told = await officepro_with(given(url_of("wrong password", postgres), tmp_path), "migrate")

    assert told.exit_code == 1
    assert "password authentication failed" in told.err
    assert WRONG not in told.err


@pytest.mark.parametrize("password", ["half/second", "half?second", "half#second"])
async def test_a_url_that_cannot_be_read_is_not_quoted(tmp_path: Path, password: str) -> None:
    told = await officepro_with(given(f"postgresql://api:{password}@127.0.0.1/officepro", tmp_path), "practice", "list")

    assert told.exit_code == 2
    assert "OFFICEPRO_DATABASE_URL must have the form postgresql://" in told.err
    assert "half" not in told.err
