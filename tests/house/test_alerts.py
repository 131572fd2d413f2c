"""Every alert asks for figures that there are, has its place in the runbook, and the runbook names what exists."""

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import promql_parser
import pytest
import typer.main
import yaml
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families

from officepro.cli import command
from officepro.maintenance.queries import JobFigures
from officepro.webhooks.figures_queries import ArchiverFigures, DispatchFigures
from tests.world import House, Office

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
# Written for node_exporter's textfile collector by deploy/backup/base-backup.sh and dump.sh.
BY_THE_BACKUP_SCRIPTS = {"officepro_backup_last_success_timestamp_seconds"}
PROMETHEUS = ROOT / "deploy" / "prometheus"
PAGES = ("runbook.md", "operating.md", "upgrading.md")


@pytest.mark.parametrize("alert", ALERTS, ids=[alert["alert"] for alert in ALERTS])
def test_an_alert_can_be_evaluated_and_says_how_urgent_it_is(alert: dict[str, Any]) -> None:
    promql_parser.parse(alert["expr"])
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert alert["annotations"]["summary"]
    page, _, anchor = alert["annotations"]["runbook_url"].rpartition("#")
    assert page.endswith("/runbook.md")
    assert anchor == alert["alert"].lower()


@pytest.mark.parametrize(
    "arguments",
    [("test", "rules", "alerts_test.yaml"), ("check", "rules", "alerts.yaml"), ("check", "config", "prometheus.yaml")],
)
def test_prometheus_accepts_the_rules_and_they_fire_when_they_should(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing; on Debian: apt-get install prometheus"
    done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_firing() -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yaml").read_text())["tests"]
    fires: dict[str, set[bool]] = {}
    for checked in (check for test in tests for check in test["alert_rule_test"]):
        fires.setdefault(checked["alertname"], set()).add(bool(checked.get("exp_alerts")))
    assert fires == {alert["alert"]: {True, False} for alert in ALERTS}


async def test_alerts_ask_for_figures_that_there_are(house: House, demo_office: Office, inner_app: Litestar) -> None:
    await demo_office.partner.get("/tags")
    figures = DispatchFigures({"failed": 1, "pending": 1}, 4, maintenance=[JobFigures("retention_log", 1, 0, 0, 1.0)])
    # Right before they are read: a background task of the application replaces them every few seconds.
    inner_app.state.account.dispatch = msgspec.structs.replace(figures, archiver=ArchiverFigures(1.0, 2.0))
    inner_app.state.account.dispatch_at = time.monotonic()
    text = (await house.stranger.get("/metrics")).text
    told: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            told.setdefault(sample.name, set()).update(f"{name}={value}" for name, value in sample.labels.items())

    for alert in ALERTS:
        names = set(re.findall(r"\bofficepro_\w+", alert["expr"])) - BY_THE_BACKUP_SCRIPTS
        assert names or "up{job=" in alert["expr"] or alert["alert"] == "OfficeproBackupTooOld"
        assert names <= set(told), alert["alert"]
        for name, matchers in re.findall(r"\b(officepro_\w+)\{([^}]*)\}", alert["expr"]):
            if name in BY_THE_BACKUP_SCRIPTS:
                continue
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
