"""The steps of the Dockerfile, run in a folder instead of by a container engine."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy import ways
from tests.deploy.ways import ROOT

PLACES = ("/opt/officepro", "/run/officepro", "/source")
OF_THE_MACHINE = ("groupadd", "useradd")  # accounts, which are not made here


@dataclass
class Image:
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)  # ENTRYPOINT, CMD and HEALTHCHECK
    _folder: Path = field(init=False)

    def mapped(self, text: str) -> str:
        for place in PLACES:
            text = text.replace(place, f"{self.root}{place}")
        return text

    def build(self, commands: Path | None) -> None:
        """`commands` has the programs that stand in for those of the machine; None: all is as in a container."""
        for name, arguments in ways.dockerfile():
            match name:
                case "FROM":
                    path = os.environ["PATH"] if commands is None else f"{commands}:{os.environ['PATH']}"
                    self.environment, self._folder = {"PATH": path, "LC_ALL": "C.UTF-8"}, self.root
                case "ENV":
                    for variable, value in re.findall(r"(\w+)=(\S+)", self.mapped(arguments)):
                        self.environment[variable] = value.replace("$PATH", self.environment["PATH"])
                case "WORKDIR":
                    self._folder = Path(self.mapped(arguments))
                    self._folder.mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(arguments.split())
                case "RUN":
                    self._run(arguments)
                case "ENTRYPOINT" | "CMD" | "HEALTHCHECK":
                    self.commands[name] = json.loads("[" + arguments.partition("[")[2])

    def _copy(self, arguments: list[str]) -> None:
        *sources, target = arguments
        if sources[0] == "--from=build":
            assert Path(self.mapped(sources[1])).is_dir()
            assert sources[1] == target
            return
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, self._folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (self._folder / target).mkdir(exist_ok=True)
                shutil.copy(ROOT / source, self._folder / target)

    def _run(self, arguments: str) -> None:
        steps = [step.strip() for step in arguments.split("&&")]
        steps = [re.sub(r" --(owner|group)=\d+", "", step) for step in steps if not step.startswith(OF_THE_MACHINE)]
        done = subprocess.run(
            ["/bin/sh", "-euc", self.mapped(" && ".join(steps))],
            cwd=self._folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
