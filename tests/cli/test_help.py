"""What the command knows of itself, and what it leaves unloaded."""

import subprocess
import sys

import pytest

from officepro.cli import COMMANDS

# What only the API and the portal need; a worker with them takes some 50 MB more.
HEAVY = ("litestar", "granian", "jinja2", "alembic", "sqlalchemy", "officepro.scheduling", "officepro.portal")


def told(*arguments: str) -> str:
    command = [sys.executable, "-m", "officepro.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_every_command_stands_in_the_help() -> None:
    page = told("--help")

    assert [name for name in COMMANDS if name not in page] == []


@pytest.mark.parametrize("name", ["worker", "practice"])
def test_a_command_is_still_one_of_the_group(name: str) -> None:
    assert f"officepro.cli {name}" in told(name, "--help")


def test_a_worker_leaves_unloaded_what_only_the_api_needs() -> None:
    script = "import sys; from officepro import cli; cli.command('worker'); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(found.stdout.split())

    assert "officepro.webhooks.dispatcher" in loaded
    assert loaded.isdisjoint(HEAVY)
