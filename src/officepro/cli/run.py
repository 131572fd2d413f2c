"""`officepro run`, behind `make run`: the whole house under one supervisor, stopped as one."""

import fcntl
import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from officepro.cli.house import CommandError, House, make_data_dir, own_house, read_settings
from officepro.cli.ports import with_a_free_port
from officepro.cli.processes import Child, stop_all, stop_with_parent
from officepro.demo.load import load_demo
from officepro.foundation.kept_secrets import keep_secret, kept_secrets, write_privately
from officepro.migrations.run import migrate
from officepro.settings import Settings

DEMO_PRACTICE = "DemoOffice"
DEMO_FILE = "demo.json"
DEMO_KEY = "demo_api_key"
READY_TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.1


class Stop(KeyboardInterrupt):
    """A signal asked us to end."""


def run(stop_with: Annotated[int, typer.Option("--stop-with-parent", hidden=True)] = 0) -> None:
    """Start everything: database, migration, demo practice, API and worker. Ctrl-C stops it."""
    settings = read_settings()
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
            children = stack.enter_context(_children(house))
            _wait_until_ready(house.settings, children)
            _announce(house.settings, demo_key)
            while True:
                _look_after(children)
    except Stop:
        typer.echo("officepro: stopped")


def _furnish(house: House) -> str | None:
    """Migrates where we may, and loads the demo practice once; its key is known to the data folder alone."""
    if house.owner_url:
        migrate(house.owner_url, house.application_login)
    if not house.is_embedded:
        return None
    data_dir = house.settings.data_dir
    key = kept_secrets(data_dir).get(DEMO_KEY)
    if key is None:
        typer.echo("officepro: loading the demo practice ...")
        key = load_demo(house.settings).api_key
        keep_secret(data_dir, DEMO_KEY, key)
    return key


@contextmanager
def _children(house: House) -> Iterator[list[Child]]:
    given = {"OFFICEPRO_UNREADY_SECONDS": "0"} | dict(house.settings.given)  # no balancer has to notice the stop
    given.pop("OFFICEPRO_OWNER_DATABASE_URL", None)  # API and worker use the application's login only
    children = [Child("API", ["serve"], given), Child("worker", ["worker"], given)]
    try:
        for child in children:
            child.start()
        yield children
    finally:
        stop_all(children, int(given["OFFICEPRO_UNREADY_SECONDS"]) + house.settings.drain_seconds)


def _wait_until_ready(settings: Settings, children: list[Child]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while not _is_ready(settings):
        for child in children:
            if child.has_ended():
                raise CommandError(f"The {child.name} did not start; what it said stands above.")
        if time.monotonic() > deadline:
            raise CommandError(f"The API was not ready within {READY_TIMEOUT_SECONDS:g} seconds.")
        time.sleep(POLL_SECONDS)


def _is_ready(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(settings.local_host, settings.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _look_after(children: list[Child]) -> None:
    for child in children:
        child.look_after(time.monotonic())
    time.sleep(POLL_SECONDS)


def _announce(settings: Settings, demo_key: str | None) -> None:
    base = settings.base_url
    typer.echo(f"\n  API      {base}\n  Portal   {base}/portal")
    if demo_key is None:
        typer.echo("\nReady; Ctrl-C stops it.\n")
        return
    demo = {
        "baseUrl": base,
        "practice": DEMO_PRACTICE,
        "apiKey": demo_key,
        "adminSecret": settings.admin_secret,
    }
    write_privately(settings.data_dir / DEMO_FILE, json.dumps(demo, indent=2))
    practice = f"{base}/v1/{DEMO_PRACTICE}"
    typer.echo(f"""\
  Practice {DEMO_PRACTICE}
  Demo key {demo_key}
  Admin    {settings.admin_secret}

Try it:

TOKEN=$(curl -s {practice}/auth/token -H 'Content-Type: application/json' -d '{{"apiKey": "{demo_key}"}}' \
| python3 -c 'import json, sys; print(json.load(sys.stdin)["accessToken"])')
curl -s -H "Authorization: Bearer $TOKEN" '{practice}/prospects'
curl -s -H "Authorization: Bearer $TOKEN" '{practice}/availability/providers/1/next-slot?duration=30&maxDays=30'

Ready; Ctrl-C stops it.
""")


@contextmanager
def _stop_on_signals() -> Iterator[None]:
    """The first signal raises Stop; while that is acted upon, further ones change nothing."""
    watched = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants it ignored
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
            raise CommandError(f"officepro already runs on {data_dir} (process {lock.read().strip()}).") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        (data_dir / DEMO_FILE).unlink(missing_ok=True)  # it tells of a server that is ready
        yield
