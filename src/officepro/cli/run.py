"""`officepro run`, behind `make run`: database, API and worker under one supervisor."""

import asyncio
import fcntl
import http.client
import json
import logging
import os
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from officepro.cli.house import CommandError, House, make_data_dir, own_house, read_settings
from officepro.cli.ports import with_a_free_port
from officepro.cli.processes import Child, EmbeddedDatabase, Supervised, stop_all, stop_with_parent
from officepro.demo.load import load_demo
from officepro.foundation.database import refuse_unusable
from officepro.foundation.kept_secrets import keep_secret, kept_secrets, write_privately
from officepro.foundation.logs import configure_logging
from officepro.migrations.run import DatabaseNotReached, migrate
from officepro.settings import Settings

DEMO_PRACTICE = "DemoOffice"
DEMO_FILE = "demo.json"
DEMO_KEY = "demo_api_key"
READY_REPORT_SECONDS = 60.0
RETRY_SECONDS = 1.0  # delay between attempts to connect to an unavailable database
POLL_SECONDS = 0.1

logger = logging.getLogger("officepro.run")


class Stop(KeyboardInterrupt):
    """A signal to stop was received."""


def run(
    stop_with: Annotated[int, typer.Option("--stop-with-parent", hidden=True)] = 0,
    show_secrets: Annotated[bool, typer.Option(help="Print the demo key and the admin secret.")] = False,
) -> None:
    """Start everything: database, migration, demo practice, API and worker. Ctrl-C stops it."""
    settings = read_settings()
    configure_logging(settings.log_level)
    try:
        with ExitStack() as stack:
            stack.enter_context(_stop_on_signals())
            if stop_with:
                stop_with_parent(stop_with)
            make_data_dir(settings.data_dir)
            stack.enter_context(_alone(settings.data_dir))
            settings = with_a_free_port(settings)
            house = stack.enter_context(own_house(settings))
            demo_key = _furnish(house)
            if demo_key is not None:
                _write_demo_file(house.settings, demo_key)  # before /readyz succeeds
            children = stack.enter_context(_children(house))
            supervised: list[Supervised] = [*children]
            if house.is_embedded:
                supervised.insert(0, EmbeddedDatabase(house.settings.data_dir))
            _wait_until_ready(house.settings, children, supervised)
            _announce(house.settings, demo_key, show_secrets=show_secrets)
            while True:
                _look_after(supervised)
    except Stop:
        typer.echo("officepro: stopped")


def _furnish(house: House) -> str | None:
    """Migrate if the owner's URL is set, and load the demo practice once. Return the demo key, which is stored in the
    data folder only; None without an embedded database."""
    if house.owner_url:
        _migrate(house)
    if not house.is_embedded:
        return None
    data_dir = house.settings.data_dir
    key = kept_secrets(data_dir).get(DEMO_KEY)
    if key is None:
        typer.echo("officepro: loading the demo practice ...")
        key = load_demo(house.settings).api_key
        keep_secret(data_dir, DEMO_KEY, key)
    return key


def _migrate(house: House) -> None:
    """Migrate; retry while the database is unavailable. Raises CannotConnect, MigrationRefused."""
    while True:
        try:
            migrate(house.owner_url, house.application_login)
        except DatabaseNotReached as error:
            asyncio.run(refuse_unusable(house.owner_url))
            logger.warning("database_unavailable", extra={"reason": error.detail, "lines_per_window": 1})
            time.sleep(RETRY_SECONDS)
        else:
            return


@contextmanager
def _children(house: House) -> Iterator[list[Child]]:
    given = {"OFFICEPRO_UNREADY_SECONDS": "0"} | dict(house.settings.given)  # there is no load balancer to wait for
    given.pop("OFFICEPRO_OWNER_DATABASE_URL", None)  # API and worker use the application's login only
    children = [Child("API", ["serve"], given), Child("worker", ["worker"], given)]
    try:
        for child in children:
            child.start()
        yield children
    finally:
        stop_all(children, int(given["OFFICEPRO_UNREADY_SECONDS"]) + house.settings.drain_seconds)


def _wait_until_ready(settings: Settings, children: list[Child], supervised: Sequence[Supervised]) -> None:
    """Wait until /readyz succeeds, without limit. Raises CommandError if a child refuses to start, which a retry does
    not change."""
    report_at = time.monotonic() + READY_REPORT_SECONDS
    while (missing := _missing(settings)) is not None:
        for child in children:
            if child.has_refused():
                raise CommandError(f"The {child.name} refused to start; see the log line above.")
        if time.monotonic() > report_at:
            report_at += READY_REPORT_SECONDS
            logger.warning("not_ready", extra={"reason": missing})
        _look_after(supervised)


def _missing(settings: Settings) -> str | None:
    """Return the reason for which /readyz fails; None if it succeeds."""
    connection = http.client.HTTPConnection(settings.local_host, settings.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        if answer.status == http.HTTPStatus.OK:
            return None
        return str(json.loads(answer.read()).get("detail"))
    except (OSError, http.client.HTTPException, ValueError):
        return "the API does not respond"
    finally:
        connection.close()


def _look_after(supervised: Sequence[Supervised]) -> None:
    for one in supervised:
        one.look_after(time.monotonic())
    time.sleep(POLL_SECONDS)


def _write_demo_file(settings: Settings, demo_key: str) -> None:
    demo = {
        "baseUrl": settings.base_url,
        "practice": DEMO_PRACTICE,
        "apiKey": demo_key,
        "adminSecret": settings.admin_secret,
    }
    file = settings.data_dir / DEMO_FILE
    try:
        write_privately(file, json.dumps(demo, indent=2))
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}.") from error


def _announce(settings: Settings, demo_key: str | None, *, show_secrets: bool) -> None:
    """Print URLs and an example. Secrets are printed only on request: output is often stored in logs and terminal
    histories."""
    base = settings.base_url
    typer.echo(f"\n  API      {base}\n  Portal   {base}/portal")
    if demo_key is None:
        typer.echo("\nReady; Ctrl-C stops it.\n")
        return
    practice = f"{base}/v1/{DEMO_PRACTICE}"
    file = (settings.data_dir / DEMO_FILE).resolve()
    if show_secrets:
        secrets = f"  Demo key {demo_key}\n  Admin    {settings.admin_secret}"
    else:
        secrets = f"  Secrets  {file}: the demo key and the admin secret (officepro run --show-secrets prints them)"
    read_key = f'import json; print(json.dumps({{"apiKey": json.load(open({json.dumps(str(file))}))["apiKey"]}}))'
    typer.echo(f"""\
  Practice {DEMO_PRACTICE}
{secrets}

Try it:

TOKEN=$(python3 -c {shlex.quote(read_key)} \
| curl -s {practice}/auth/token -H 'Content-Type: application/json' -d @- \
| python3 -c 'import json, sys; print(json.load(sys.stdin)["accessToken"])')
curl -s -H "Authorization: Bearer $TOKEN" '{practice}/prospects'
curl -s -H "Authorization: Bearer $TOKEN" '{practice}/availability/providers/1/next-slot?duration=30&maxDays=30'

Ready; Ctrl-C stops it.
""")


@contextmanager
def _stop_on_signals() -> Iterator[None]:
    """Raise Stop at the first signal; ignore further ones."""
    watched = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        watched.append(signal.SIGHUP)

    def stop(number: int, frame: FrameType | None) -> None:
        for each in watched:
            signal.signal(each, signal.SIG_IGN)
        raise Stop

    for each in watched:
        signal.signal(each, stop)
    yield


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    try:
        lock = (data_dir / "run.lock").open("a+")
    except OSError as error:
        raise CommandError(f"The data folder {data_dir} cannot be written: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CommandError(f"officepro is already running on {data_dir} (process {lock.read().strip()}).") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        (data_dir / DEMO_FILE).unlink(missing_ok=True)  # of an earlier start, on another port
        yield
