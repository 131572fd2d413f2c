"""docs/routes.txt is what `officepro routes` prints."""

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/routes.txt"


def test_the_page_of_routes_is_up_to_date() -> None:
    command = [sys.executable, "-m", "officepro.cli", "routes"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert PAGE.read_text() == printed, "officepro routes > docs/routes.txt"
    assert "GET     /v1/{PPass}/tags" in printed
