"""The commands of the operator's pages exist: those of officepro with their options, files of deploy/, units, services
and manifests."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from officepro.cli import command

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs" / name for name in ("operating.md", "runbook.md", "upgrading.md"))]
PROGRAM = typer.main.get_command(command(""))


def commands(page: Path) -> Iterator[str]:
    """Lines of shell blocks, and text in backquotes."""
    text = page.read_text()
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in re.findall(r"`([^`]+)`", prose):
        yield line.replace("\n", " ")


def test_every_command_of_officepro_is_one() -> None:
    found = 0
    for page in PAGES:
        for line in commands(page):
            called = re.search(r"(?:^|\s|/)officepro ([a-z]+(?: .*)?)$", line.partition(" #")[0].strip())
            if called is None or "…" in line or "/" in line.partition("officepro")[0][-5:]:
                continue
            words, node = shlex.split(called[1]), PROGRAM
            while hasattr(node, "commands"):
                assert words, f"{page.name}: {line}"
                assert words[0] in node.commands, f"{page.name}: {line}"
                node = node.commands[words.pop(0)]
                if not words and hasattr(node, "commands"):
                    break
            options = {name for parameter in node.params for name in parameter.opts}
            asked = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert asked <= options, f"{page.name}: {line}"
            found += 1
    assert found > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_units_and_services_that_commands_name_are_there(page: Path) -> None:
    units = {path.stem for path in (ROOT / "deploy" / "systemd").glob("*.service")} | {"postgresql"}
    services = set(yaml.safe_load((ROOT / "compose.yaml").read_text())["services"])
    for line in commands(page):
        for path in re.findall(r"(?<![\w/])deploy/[\w./*-]+\w", line):
            assert list(ROOT.glob(path)), f"{page.name}: {line}"
        if named := re.search(r"systemctl (?:enable --now|start|stop|restart|status) ([a-z -]+)", line):
            assert set(named[1].split()) <= units, f"{page.name}: {line}"
        if named := re.search(r"docker compose (?:exec|run|logs|restart)(?: --?[\w-]+(?: \w+=\w+)?)* ([a-z]+)", line):
            assert named[1] in services, f"{page.name}: {line}"


@pytest.mark.parametrize("name", ["operating.md", "upgrading.md"])
def test_what_the_migration_on_kubernetes_needs_is_applied_before_it(name: str) -> None:
    applied = re.findall(r"(?<=--filename )(deploy/kubernetes/\w+\.yaml)", (ROOT / "docs" / name).read_text())
    before = applied[: applied.index("deploy/kubernetes/migrate.yaml")]
    made = {
        one["metadata"]["name"]
        for path in before
        for one in yaml.safe_load_all((ROOT / path).read_text())
        if one["kind"] == "ConfigMap"
    }
    (job,) = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "migrate.yaml").read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {source["configMapRef"]["name"] for source in container["envFrom"]} <= made
