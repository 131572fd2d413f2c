"""Standard error of a process: only JSON lines, at the level that is set, with repeated lines limited."""

import json
import subprocess
import sys
from typing import Any

import pytest

BEGIN = "import asyncio, logging, sys, threading, time, warnings\nfrom officepro.foundation import logs\n"
EVERYTHING = """
logs.configure_logging("info")
logging.getLogger("officepro").info("ours", extra={"requestId": "r1"})
logging.getLogger("a library").info("not this one")
warnings.warn("deprecated\\nsecond line")
async def forgotten():
    raise ValueError("Ada Lovelace")
async def forget():
    asyncio.create_task(forgotten())
    await asyncio.sleep(0)
asyncio.run(forget())
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
text = "Traceback (most recent call last):\\n  File \\"/a/b.py\\", line 3, in c\\nKeyError: 'Ada'"
logging.getLogger("_granian").error(text)
raise LookupError("Ada Lovelace")
"""
REPEATED = """
logs.configure_logging("info")
logs.WINDOW_SECONDS = 0.5
logger = logging.getLogger("officepro")
for number in range(1000):
    logger.warning("the database is away", extra={"number": number})
    logger.warning("rarer", extra={"number": number, "lines_per_window": 1, "group": number % 2})
logger.info("never limited")
time.sleep(0.6)
logger.info("later")
"""


def lines_of(script: str) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", BEGIN + script], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_everything_is_json_without_the_text_of_exceptions() -> None:
    lines = lines_of(EVERYTHING)

    assert [line["message"] for line in lines] == [
        "ours",
        "<string>:7: UserWarning: deprecated",
        "Task exception was never retrieved",
        "uncaught_exception",
        "Traceback (most recent call last):",
        "uncaught_exception",
    ]
    assert [line.get("kind") for line in lines] == [None, None, "ValueError", "ZeroDivisionError", None, "LookupError"]
    assert lines[0]["requestId"] == "r1"
    assert lines[4]["where"] == ["/a/b.py:3"]
    assert all(line["where"] for line in lines[2:])
    assert "Ada" not in str(lines)


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_is_the_least_that_is_written(level: str, written: list[str]) -> None:
    script = f"logs.configure_logging({level!r})\nlogger = logging.getLogger('officepro')\n"
    lines = lines_of(script + "".join(f"logger.{each}('line')\n" for each in ("debug", "info", "warning", "error")))
    assert [line["level"] for line in lines] == written


def test_lines_that_repeat_are_few_and_the_others_are_counted() -> None:
    lines = lines_of(REPEATED)

    written = [(line["message"], line.get("number"), line.get("suppressed")) for line in lines]
    assert written == [
        ("the database is away", 0, None),
        ("rarer", 0, None),
        ("the database is away", 1, None),
        ("rarer", 1, None),
        *(("the database is away", number, None) for number in (2, 3, 4)),
        ("never limited", None, None),
        ("the database is away", None, 995),
        ("rarer", None, 499),
        ("rarer", None, 499),
        ("later", None, None),
    ]
