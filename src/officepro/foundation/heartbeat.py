"""Heartbeat file of a process that listens on no port, for liveness probes."""

import asyncio
from contextlib import suppress
from pathlib import Path

FILE = "worker.alive"
BEAT_SECONDS = 5.0


async def beat(data_dir: Path) -> None:
    """Touch the file every 5 seconds until cancelled, from the event loop whose liveness it shows. If that fails the
    file becomes old, which probes detect."""
    while True:
        with suppress(OSError):
            (data_dir / FILE).touch()
        await asyncio.sleep(BEAT_SECONDS)
