"""The command as an operator runs it: a process of its own, on the test's database."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from tests.world import House


@dataclass
class Told:
    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.exit_code == 0, self.err
        return json.loads(self.out)


async def officepro(house: House, *arguments: str) -> Told:
    return await officepro_with(dict(house.settings.given), *arguments)


async def officepro_with(settings: dict[str, str], *arguments: str) -> Told:
    others = {name: text for name, text in os.environ.items() if not name.startswith("OFFICEPRO_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "officepro.cli", *arguments),
        env=others | settings,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return Told(process.returncode, out.decode(), err.decode())
