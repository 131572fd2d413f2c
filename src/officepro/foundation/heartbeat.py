"""The file that says that a process is alive although it listens on nothing, for the probes of its operator."""

import asyncio
from contextlib import suppress
from pathlib import Path

FILE = "worker.alive"
BEAT_SECONDS = 5.0


async def beat(data_dir: Path) -> None:
    """Touch the file every 5 seconds, by the event loop whose life it shows, until cancelled. Where that fails the file
    grows old, which is what a probe looks at."""
    while True:
        with suppress(OSError):
            (data_dir / FILE).touch()
        await asyncio.sleep(BEAT_SECONDS)
