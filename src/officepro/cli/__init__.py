"""The officepro command, put together from one module per command group."""

import sys
from importlib import import_module

import typer

from officepro.cli.house import CommandError
from officepro.foundation.embedded import EmbeddedError
from officepro.foundation.errors import OfficeProError
from officepro.foundation.kept_secrets import KeptSecretsError
from officepro.foundation.logs import CRASHED, configure_logging, log_crash, logger
from officepro.settings import SettingsError

FAILED = 1
MISUSED = 2
SERVICES = ("serve", "worker")  # these write JSON only, for a log collector

# Module and attribute of each command, in the order of the help.
COMMANDS = {
    "run": "run.run",
    "serve": "serve.serve",
    "worker": "worker.work",
    "migrate": "migrate.migrate",
    "distribute": "distribute.distribute",
    "demo": "demo.demo",
    "settings": "settings.settings",
    "routes": "routes.routes",
    "practice": "practice.practice",
    "partner": "partner.partner",
    "key": "key.key",
    "access-request": "access_request.access_request",
    "kb": "article.kb",
    "disclosure": "disclosure.disclosure",
    "secrets": "secrets.secrets",
}


def main() -> None:
    """Run the command. Expected errors print one line and set the exit code; unexpected ones print a traceback, or are
    logged as a crash by `serve` and `worker`."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    fail = _refuse_start if asked in SERVICES else _fail
    try:
        command(asked)()
    except SettingsError as error:
        fail(str(error), MISUSED)
    except (CommandError, EmbeddedError, KeptSecretsError, OfficeProError) as error:
        fail(str(error), FAILED)
    except Exception as error:
        if asked not in SERVICES:
            raise
        configure_logging("info")
        log_crash(error)
        sys.exit(CRASHED)


def command(asked: str) -> typer.Typer:
    """Load only the requested command: a worker that loaded the API's modules would need twice the memory. For any
    other word, such as --help, load all commands."""
    app = typer.Typer(
        name="officepro",
        help="The partner API of a medical practice's record system.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_group)
    for name in [asked] if asked in COMMANDS else COMMANDS:
        file, _, attribute = COMMANDS[name].partition(".")
        found = getattr(import_module(f"officepro.cli.{file}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _group() -> None:
    """Callback without function: without one, Typer runs an application of one command as that command."""


def _refuse_start(reason: str, code: int) -> None:
    configure_logging("info")
    logger.error("start_refused", extra={"reason": " ".join(reason.split())})
    sys.exit(code)


def _fail(message: str, code: int) -> None:
    typer.echo(f"officepro: {message}", err=True)
    sys.exit(code)
