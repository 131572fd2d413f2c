"""`officepro demo`: load the demo practice, or generate large data sets for measurements."""

import json
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from officepro.cli.house import House, open_house
from officepro.cli.run import DEMO_KEY, DEMO_PRACTICE
from officepro.demo.big import MOST_PRACTICES, MOST_ROWS, Made, Wanted, grow_demo
from officepro.demo.load import load_demo
from officepro.foundation.kept_secrets import keep_secret, kept_secrets
from officepro.migrations.run import migrate


def demo(
    practices: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_PRACTICES, help="Large data set: number of practices, named Demo0001 and so on."),
    ] = None,
    patients: Annotated[
        int | None, typer.Option(min=0, max=MOST_ROWS, help="Large data set: total number of patients.")
    ] = None,
    visits: Annotated[
        int | None, typer.Option(min=0, max=MOST_ROWS, help="Large data set: total number of visits.")
    ] = None,
    one_practice: Annotated[
        bool, typer.Option("--one-practice", help="Large data set: all patients and visits in Demo0001.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Load the demo practice (safe to repeat) or, with numbers, generate a large data set for measurements.

    Numbers are totals: existing rows count, and an interrupted run can be continued by repeating it.
    """
    is_big = one_practice or not (practices is None and patients is None and visits is None)
    if visits and not patients:
        raise typer.BadParameter("--visits requires --patients", param_hint="--visits")
    with open_house() as house:
        if house.owner_url:
            migrate(house.owner_url, house.application_login)
        if is_big:
            wanted = Wanted(
                practices=practices or 1, patients=patients or 0, visits=visits or 0, in_one_practice=one_practice
            )
            _tell_of_big_data(_grown(house, wanted), as_json)
        else:
            _load(house, as_json)


def _load(house: House, as_json: bool) -> None:
    """Load the demo practice. An embedded installation stores the demo key in its data folder; with another database
    each call creates a new key."""
    data_dir = house.settings.data_dir
    kept = kept_secrets(data_dir).get(DEMO_KEY) if house.is_embedded else None
    loaded = load_demo(house.settings, kept)
    if house.is_embedded and loaded.api_key != kept:
        keep_secret(data_dir, DEMO_KEY, loaded.api_key)
    if as_json:
        typer.echo(json.dumps({"practice": DEMO_PRACTICE, "apiKey": loaded.api_key, "made": loaded.made}))
        return
    typer.echo(
        f"Loaded {' and '.join(loaded.made)}." if loaded.made else "The demo practice exists already; nothing changed."
    )
    typer.echo(f"Practice {DEMO_PRACTICE}\nDemo key {loaded.api_key}")


def _grown(house: House, wanted: Wanted) -> Made:
    columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        totals = {"practices": wanted.practices, "patients": wanted.patients, "visits": wanted.visits}
        tasks: dict[str, TaskID] = {what: progress.add_task(what, total=total) for what, total in totals.items()}
        made = grow_demo(house.settings, wanted, lambda what, rows: progress.advance(tasks[what], rows))
        for what, task in tasks.items():  # existing rows count
            progress.update(task, completed=totals[what])
        return made


def _tell_of_big_data(made: Made, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(msgspec.to_builtins(made)).decode())
        return
    table = Table("", "added", "per second")
    table.add_row("patients", f"{made.patients:,}", _rate(made.patients_per_second))
    table.add_row("visits", f"{made.visits:,}", _rate(made.visits_per_second))
    Console().print(table)
    typer.echo(f"Practices Demo0001 to Demo{made.practices:04}\nKey for all of them {made.api_key}")


def _rate(per_second: int | None) -> str:
    return "" if per_second is None else f"{per_second:,}"
