"""Shared parts of the operator's commands: database access, input validation as in the API, and output as a table or as
JSON."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from officepro.cli.house import CommandError, open_house, read_settings
from officepro.foundation import embedded
from officepro.foundation.database import Database, Mode
from officepro.foundation.errors import Fault, OfficeProError
from officepro.foundation.json_body import read_body
from officepro.foundation.paging import MAXIMUM_LIMIT, Page
from officepro.foundation.wire import encode
from officepro.migrations.known import revisions
from officepro.settings import Settings

CONNECTIONS = 2
PIPED_WIDTH = 200  # columns of a table that is written to a file or pipe

Answer = TypeVar("Answer")
Shape = TypeVar("Shape")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as the API returns it.")]
PageNumber = Annotated[int, typer.Option("--page", min=1, help=f"Page number; {MAXIMUM_LIMIT} rows per page.")]


def in_database(work: Callable[[Database], Awaitable[Answer]]) -> Answer:
    """Run `work` with a database connection and return its result. Raises CommandError, SettingsError, EmbeddedError,
    OfficeProError."""
    return in_database_with_settings(lambda database, _: work(database))


def in_database_with_settings(work: Callable[[Database, Settings], Awaitable[Answer]]) -> Answer:
    """As in_database, for work that needs the settings, including the secrets of an embedded installation."""
    settings = read_settings()
    if settings.is_embedded and embedded.running(settings.data_dir) is None:
        raise CommandError(f"The database in {settings.data_dir} is not running: start it with make run.")
    with open_house(settings) as house, _faults_told():
        return asyncio.run(_connected(house.settings, work))


async def _connected(settings: Settings, work: Callable[[Database, Settings], Awaitable[Answer]]) -> Answer:
    database = await Database.connect(
        settings.database_url,
        mode=Mode(settings.database_mode),
        pool_size=min(CONNECTIONS, settings.database_pool_size),
    )
    try:
        newest, *older = revisions()
        revision = await database.revision()
        if (
            revision is None or revision in older
        ):  # an unknown revision is of a newer version, with which this one is compatible
            raise CommandError(
                f"The database is at revision {revision or 'none'} instead of {newest}: run officepro migrate first."
            )
        return await work(database, settings)
    finally:
        await database.close()


def checked(shape: type[Shape], given: Mapping[str, Any]) -> Shape:
    """Validate options as the API would; None means not given. Raises CommandError."""
    with _faults_told():
        return read_body(encode({name: value for name, value in given.items() if value is not None}), shape)  # type: ignore[no-any-return]


@contextmanager
def _faults_told() -> Iterator[None]:
    """Convert validation errors to a CommandError that names options: `body.slotMinutes` is --slot-minutes."""
    try:
        yield
    except OfficeProError as error:
        faults: Sequence[Fault] = error.members.get("errors", ())
        if not faults:
            raise
        raise CommandError("\n".join(["invalid options:", *map(_told, faults)])) from None


def _told(fault: Fault) -> str:
    field = re.sub(r"\[\d+\]", "", fault.location.removeprefix("body."))
    option = {"scopes": "scope"}.get(field, re.sub(r"(?=[A-Z])", "-", field).lower())
    return f"  {option}: {fault.message}"


def show(record: msgspec.Struct, leave_out: Sequence[str] = ()) -> None:
    """Print one record, one field per line."""
    table = Table(show_header=False, box=None)
    for name, value in msgspec.to_builtins(record).items():
        if name not in leave_out:
            table.add_row(Text(name, style="bold"), _cell(value))
    _console().print(table)


def show_all(records: Sequence[msgspec.Struct], columns: Sequence[str], title: str | None = None) -> None:
    """Print a table of records with the given fields as columns."""
    table = Table(*columns, title=title, title_justify="left")
    for record in records:
        fields = msgspec.to_builtins(record)
        table.add_row(*(_cell(fields[column]) for column in columns))
    _console().print(table)


def show_page(records: Sequence[msgspec.Struct], columns: Sequence[str], page: Page, total: int) -> None:
    """Print one page of a list, with its position if there are more rows."""
    show_all(records, columns)
    if total > len(records):
        typer.echo(f"page {page.number}, {len(records)} of {total}; --page {page.number + 1} shows the next")


def show_json(answer: object) -> None:
    """Print indented JSON."""
    typer.echo(msgspec.json.format(encode(answer), indent=2))


def _cell(value: object) -> Text:
    match value:
        case None | "":
            return Text("-")
        case bool():
            return Text("yes" if value else "no")
        case list():
            return Text(", ".join(map(str, value)))
        case _:
            return Text(str(value))


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=PIPED_WIDTH)
