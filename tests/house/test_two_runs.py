"""Two runs of the tests by one account on one machine, at the same time."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OTHER_RUN = "tests/access/test_limits_on_full_disk.py"  # quick, and in need of a folder


def test_a_second_run_leaves_the_first_its_folders(tmp_path: Path) -> None:
    """As two makes of root: neither is given a temporary folder."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"TMPDIR": str(tmp_path), "LOGNAME": "somebody"}
    shared = tmp_path / "pytest-of-somebody"
    shared.mkdir(mode=0o711)  # the first run's, as PostgreSQL needs it

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", OTHER_RUN]
    second = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert second.returncode == 0, second.stdout
    assert shared.stat().st_mode & 0o777 == 0o711 or os.geteuid() != 0
