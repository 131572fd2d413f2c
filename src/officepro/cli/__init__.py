"""The officepro command: one file for each group of commands, put together here."""

import sys

import typer

from officepro.cli import demo, migrate, run, serve, settings, worker
from officepro.cli.access_request import access_request
from officepro.cli.article import kb
from officepro.cli.disclosure import disclosure
from officepro.cli.house import CommandError
from officepro.cli.key import key
from officepro.cli.partner import partner
from officepro.cli.practice import practice
from officepro.foundation.embedded import EmbeddedError
from officepro.foundation.errors import OfficeProError
from officepro.foundation.kept_secrets import KeptSecretsError
from officepro.settings import SettingsError

FAILED = 1
MISUSED = 2

app = typer.Typer(
    name="officepro",
    help="The partner API of a medical practice's record system.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("serve")(serve.serve)
app.command("worker")(worker.work)
app.command("migrate")(migrate.migrate)
app.command("demo")(demo.demo)
app.command("settings")(settings.settings)
app.add_typer(practice, name="practice")
app.add_typer(partner, name="partner")
app.add_typer(key, name="key")
app.add_typer(access_request, name="access-request")
app.add_typer(kb, name="kb")
app.add_typer(disclosure, name="disclosure")


def main() -> None:
    """A user's mistake is one clear line and an exit code; a traceback is left to our own."""
    try:
        app()
    except SettingsError as error:
        _fail(str(error), MISUSED)
    except (CommandError, EmbeddedError, KeptSecretsError, OfficeProError) as error:
        _fail(str(error), FAILED)


def _fail(message: str, code: int) -> None:
    typer.echo(f"officepro: {message}", err=True)
    sys.exit(code)
