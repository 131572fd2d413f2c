"""`officepro kb`: articles of the knowledge base."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from officepro.cli.house import CommandError
from officepro.cli.terminal import AsJson, checked, in_database, show_json
from officepro.foundation.database import Database, Row
from officepro.knowledge import queries
from officepro.knowledge.shapes import Article, NewArticle

kb = typer.Typer(help="The knowledge base: create an article.", no_args_is_help=True)


@kb.callback()
def articles() -> None:
    """Callback without function: keeps `create` a subcommand while it is the only one."""


@kb.command("create")
def create(
    title: Annotated[str, typer.Option(help="Title.")],
    category: Annotated[str, typer.Option(help="Category, such as Billing.")],
    kind: Annotated[str, typer.Option("--type", help="Type, such as HowTo.")],
    file: Annotated[Path, typer.Option(help="Markdown file; - reads standard input.")],
    tags: Annotated[str | None, typer.Option(help='Tags, such as "insurance, verification".')] = None,
    inactive: Annotated[bool, typer.Option("--inactive", help="Create it inactive, not listed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create an article from a Markdown file."""
    given = {"Title": title, "Article": _read(file), "Category": category, "Type": kind, "Tags": tags}
    columns = msgspec.structs.asdict(checked(NewArticle, given | {"Active": not inactive}))

    async def write(database: Database) -> Row:
        async with database.system_transaction() as db:
            return await queries.create(db, columns)

    created = Article(*list(in_database(write).values())[:8])
    if as_json:
        show_json(created)
    else:
        typer.echo(f"Article {created.article_id}, {created.title}, created.")


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
