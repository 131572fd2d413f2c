"""The units of systemd, read by systemd itself."""

import re
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))
MOST_EXPOSURE = 1.3  # of 10; what is left is the network, and files of the host that cannot be written


def analyzed(*arguments: str) -> str:
    """Debian's package systemd has the program; it needs no running systemd."""
    done = subprocess.run(["/usr/bin/systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy whose program is one that this machine has."""
    source: Path = request.param
    copy = tmp_path / source.name
    copy.write_text(source.read_text().replace("/opt/officepro/bin/officepro", "/bin/true"))
    return copy


@pytest.mark.parametrize("unit", UNITS, ids=[path.stem for path in UNITS], indirect=True)
def test_a_unit_says_nothing_that_systemd_does_not_know(unit: Path) -> None:
    assert analyzed("verify", str(unit)) == ""


@pytest.mark.parametrize("unit", UNITS, ids=[path.stem for path in UNITS], indirect=True)
def test_a_unit_is_hardly_exposed(unit: Path) -> None:
    told = analyzed("security", "--offline=true", str(unit))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert found, told
    assert float(found[1]) <= MOST_EXPOSURE


def test_the_migration_alone_is_given_the_owner() -> None:
    assert [path.stem for path in UNITS if "owner_database_url" in path.read_text()] == ["officepro-migrate"]
