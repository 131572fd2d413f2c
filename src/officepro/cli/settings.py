"""`officepro settings`: all settings."""

import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from officepro.settings import Declaration, declarations, markdown_table


def settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the Markdown table of the README.")] = False,
) -> None:
    """List every setting with its default, unit and current value. Secrets are not shown."""
    if markdown:
        typer.echo(markdown_table())
        return
    table = Table("setting", "default", "unit", "now", "meaning")
    for setting in declarations():
        table.add_row(setting.variable, setting.default, setting.unit, Text(_now(setting)), setting.meaning)
    Console().print(table)


def _now(setting: Declaration) -> str:
    """Return the current value; for a secret only whether it is set, and by which variable."""
    text = os.environ.get(setting.variable, "").strip()
    if not setting.secret:
        return text or setting.default
    path = os.environ.get(f"{setting.variable}_FILE", "").strip()
    return " ".join([*["(set)"] * bool(text), *[f"(set by file {path})"] * bool(path)]) or "(not set)"
