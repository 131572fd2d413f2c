"""The rate limits' file on a full disk: the process continues, counts in its own memory, and logs one line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from officepro.access.limits import Limiter

# Spends from every page of the file, which is what ended the process by SIGBUS.
COUNT_IN_EVERY_PAGE = """
import resource, sys
from pathlib import Path
from officepro.access.limits import Limit, Limiter
from officepro.foundation.logs import configure_logging
configure_logging("info")
if sys.argv[2] == "small":
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
limiter, limit = Limiter(Path(sys.argv[1])), Limit("tests", 2)
first = [limiter.spend(limit, str(subject)).remaining for subject in range(5_000)]
print(sum(first), limiter.spend(limit, "4999").allowed, limiter.spend(limit, "4999").allowed)
limiter.close()
"""


@contextmanager
def full_disk(folder: Path) -> Iterator[str]:
    """Provide a full file system where mounting is allowed; otherwise limit the size of files."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        yield "small"
        return
    try:
        with pytest.raises(OSError, match="No space left"):
            (folder / "filler").write_bytes(bytes(1024 * 1024))
        yield "full"
    finally:
        unmounting = ["umount", str(folder)]
        subprocess.run(unmounting, check=True)


def count(file: Path, disk: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", COUNT_IN_EVERY_PAGE, str(file), disk]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_full_disk_ends_no_process(tmp_path: Path) -> None:
    with full_disk(tmp_path / "disk") as disk:
        counted = count(tmp_path / "disk" / "limits.bin", disk)

    assert counted.returncode == 0, counted.stderr
    assert counted.stdout.split() == ["5000", "True", "False"]  # one left of two each; and no more than two
    [line] = map(json.loads, counted.stderr.splitlines())
    assert (line["level"], line["message"]) == ("warning", "rate_limits_not_shared")
    assert line["reason"] in ("No space left on device", "File too large")


def test_where_there_is_space_all_of_the_file_has_it(tmp_path: Path) -> None:
    Limiter(tmp_path / "limits.bin").close()

    file = (tmp_path / "limits.bin").stat()
    assert file.st_blocks * 512 >= file.st_size > 0  # not sparse
