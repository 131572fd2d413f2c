"""`officepro settings`: what can be set."""

import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from officepro.settings import declarations, markdown_table


def settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="The table as it stands in the README.")] = False,
) -> None:
    """List every setting with its default, its unit and its present value; secrets stay hidden."""
    if markdown:
        typer.echo(markdown_table())
        return
    table = Table("setting", "default", "unit", "now", "meaning")
    for setting in declarations():
        now = os.environ.get(setting.variable, "")
        table.add_row(
            setting.variable, setting.default, setting.unit, "(set)" if now and setting.secret else now, setting.meaning
        )
    Console().print(table)
