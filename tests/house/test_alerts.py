"""Every alert asks for figures that there are, has its place in the runbook, and the runbook names what exists."""

import re
import time
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import typer.main
import yaml
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families

from officepro.cli import command
from officepro.webhooks.figures_queries import DispatchFigures
from tests.world import House, Office

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
PAGES = ("runbook.md", "operating.md", "upgrading.md")


@pytest.mark.parametrize("alert", ALERTS, ids=[alert["alert"] for alert in ALERTS])
def test_an_alert_can_be_evaluated_and_says_how_urgent_it_is(alert: dict[str, Any]) -> None:
    promql_parser.parse(alert["expr"])
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert alert["annotations"]["summary"]


async def test_alerts_ask_for_figures_that_there_are(house: House, demo_office: Office, inner_app: Litestar) -> None:
    inner_app.state.dispatch_figures = (time.monotonic(), DispatchFigures({"failed": 1, "pending": 1}, 4))
    await demo_office.partner.get("/tags")
    text = (await house.stranger.get("/metrics")).text
    del inner_app.state.dispatch_figures
    told: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            told.setdefault(sample.name, set()).update(f"{name}={value}" for name, value in sample.labels.items())

    for alert in ALERTS:
        names = re.findall(r"\bofficepro_\w+", alert["expr"])
        assert names or alert["expr"].startswith('up{job="officepro"}')
        assert set(names) <= set(told), alert["alert"]
        for name, matchers in re.findall(r"\b(officepro_\w+)\{([^}]*)\}", alert["expr"]):
            for label, values in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
                if label != "status":  # none of the 5xx is had at will
                    assert {f"{label}={value}" for value in values.split("|")} <= told[name], alert["alert"]


def test_every_alert_has_its_place_in_the_runbook_and_the_other_way_round() -> None:
    headings = re.findall(r"^## (Officepro\w+)$", RUNBOOK, re.MULTILINE)
    assert sorted(headings) == sorted(alert["alert"] for alert in ALERTS)
    for section in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE):
        if section.startswith("Officepro"):
            assert "**Means**" in section
            assert "**Do**" in section


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_told_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    commands = typer.main.get_command(command(""))
    told = re.findall(r"(?:^|[`(]|-- )officepro ((?:[a-z][a-z-]* ?)+)", text, re.MULTILINE)
    assert told
    for words in told:
        found: Any = commands
        for word in words.split():
            if hasattr(found, "commands"):
                assert word in found.commands, f"officepro {words}"
                found = found.commands[word]


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_told_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    named = set(re.findall(r"\b(?:deploy|docs|tests)/[\w./-]+\w", text))
    named |= {f"docs/{name}" for name in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", text)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_addresses_that_are_told_are_answered(inner_app: Litestar) -> None:
    told = {path for page in PAGES for path in re.findall(r"/v1/admin/[a-z/]+", (ROOT / "docs" / page).read_text())}
    assert told
    assert [path for path in told if path not in {route.path for route in inner_app.routes}] == []
