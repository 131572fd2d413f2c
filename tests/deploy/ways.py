"""The documented ways of deployment, read from the files that an operator uses: which commands run in which
environment. Paths of an operator's machine are mapped into a folder of the test."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"


@dataclass
class Started:
    """One process of a deployment."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def sections(page: Path) -> dict[str, str]:
    """A page's text by its headings."""
    parts = re.split(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def shell_blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def dockerfile() -> Iterator[tuple[str, str]]:
    """Its instructions: name and arguments, each in one line."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip():
            name, _, arguments = line.partition(" ")
            yield name, arguments


def environment_of_image() -> dict[str, str]:
    """What the last stage's ENV sets, without the search path."""
    found: dict[str, str] = {}
    for name, arguments in dockerfile():
        if name == "FROM":
            found = {}
        elif name == "ENV":
            found |= dict(re.findall(r"(\w+)=(\S+)", arguments))
    return {name: value for name, value in found.items() if name != "PATH"}


def compose_services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


def compose() -> dict[str, Started]:
    """By service; what the operator has not set has its default."""

    def interpolated(value: object) -> str:
        return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))

    return {
        name: Started(
            list(service["command"]),
            environment_of_image() | {key: interpolated(value) for key, value in service["environment"].items()},
        )
        for name, service in compose_services().items()
        if name != "database"
    }


def kubernetes() -> dict[str, Started]:
    """By name of the Deployment or Job."""
    manifests = [one for path in sorted(KUBERNETES.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text())]
    settings = {one["metadata"]["name"]: one["data"] for one in manifests if one["kind"] == "ConfigMap"}
    found = {}
    for one in manifests:
        if one["kind"] in ("Deployment", "Job"):
            (container,) = one["spec"]["template"]["spec"]["containers"]
            environment = environment_of_image()
            for source in container.get("envFrom", []):
                environment |= settings[source["configMapRef"]["name"]]
            environment |= {each["name"]: each["value"] for each in container.get("env", [])}
            found[one["metadata"]["name"]] = Started(container["args"], environment)
    return found


def probe_of_worker() -> list[str]:
    """The command of its liveness probe."""
    worker = next(yaml.safe_load_all((KUBERNETES / "worker.yaml").read_text()))
    command: list[str] = worker["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["exec"]["command"]
    return command


class Unit:
    """A unit of systemd, as far as it says how its process runs."""

    def __init__(self, file: Path) -> None:
        self.name = file.stem
        self._lines = re.findall(r"^(\w+)=(.*)$", file.read_text(), re.MULTILINE)

    def all(self, key: str) -> list[str]:
        return [value for name, value in self._lines if name == key]

    def one(self, key: str) -> str:
        (value,) = self.all(key)
        return value

    def environment(self, credentials: Path) -> dict[str, str]:
        """What systemd gives the process, with the folder of its credentials."""
        pairs = (line.replace("%d", str(credentials)).partition("=") for line in self.all("Environment"))
        return {name: value for name, _, value in pairs} | {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
            "LANG": "C.UTF-8",
            "HOME": "/",
            "USER": self.name,
            "LOGNAME": self.name,
            "CREDENTIALS_DIRECTORY": str(credentials),
        }
