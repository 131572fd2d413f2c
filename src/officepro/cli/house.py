"""Where a command finds its database and its secrets: in the settings, or in the data folder of the embedded
PostgreSQL, which is started for the command when it is not running."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from officepro.foundation import embedded
from officepro.foundation.kept_secrets import kept_secrets
from officepro.settings import Settings

DATABASE = "officepro"
APPLICATION_LOGIN = "officepro"
MADE_SECRETS = ("admin_secret", "token_keys", "encryption_keys")


class CommandError(Exception):
    """A command cannot do what it was asked; the message says why and what to do about it."""


@dataclass(frozen=True, slots=True)
class House:
    settings: Settings  # with the database's address and every secret
    owner_url: str  # of the login that owns the schema; empty where only an operator may migrate
    application_login: str | None  # made by the migration; None where the operator has made it
    is_embedded: bool


def read_settings() -> Settings:
    """Raises SettingsError, which lists every fault."""
    return Settings.from_environment(os.environ)


@contextmanager
def open_house(settings: Settings | None = None) -> Iterator[House]:
    """An embedded PostgreSQL that this had to start is stopped at the end.

    Raises SettingsError, EmbeddedError, KeptSecretsError, CommandError."""
    settings = settings or read_settings()
    if not settings.is_embedded:
        yield House(settings, settings.owner_database_url, None, is_embedded=False)
        return
    make_data_dir(settings.data_dir)
    running = embedded.running(settings.data_dir)
    server = running or embedded.start(settings.data_dir)
    try:
        yield _embedded_house(settings, server)
    finally:
        if running is None:
            server.stop()


@contextmanager
def own_house(settings: Settings) -> Iterator[House]:
    """As open_house, but the embedded PostgreSQL is stopped at the end even if it was found running: for the
    supervisor, which takes over what a killed one has left."""
    if not settings.is_embedded:
        yield House(settings, settings.owner_database_url, None, is_embedded=False)
        return
    server = embedded.start(settings.data_dir)
    try:
        yield _embedded_house(settings, server)
    finally:
        server.stop()


def make_data_dir(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise CommandError(f"The data folder {data_dir} cannot be made: {error.strerror}.") from error


def _embedded_house(settings: Settings, server: embedded.EmbeddedServer) -> House:
    server.create_database(DATABASE)
    kept = kept_secrets(settings.data_dir)
    texts = {name: kept[name] for name in MADE_SECRETS if not getattr(settings, name)}
    filled = settings.but(database_url=server.url(DATABASE, APPLICATION_LOGIN), **texts)
    return House(filled, server.url(DATABASE), APPLICATION_LOGIN, is_embedded=True)
