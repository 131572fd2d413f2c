"""Context of a command: database and secrets, from the settings or from the data folder of the embedded PostgreSQL,
which is started for the command if it is not running."""

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
    """A command failed for an expected reason. The message states the reason and what to do."""


@dataclass(frozen=True, slots=True)
class House:
    """Database and secrets of a command."""

    settings: Settings  # including the database URL and all secrets
    owner_url: str  # of the login that owns the schema; empty if only an operator may migrate
    application_login: str | None  # created by the migration; None if the operator has created it
    is_embedded: bool


def read_settings() -> Settings:
    """Read the settings from the environment. Raises SettingsError, which lists every error."""
    return Settings.from_environment(os.environ)


@contextmanager
def open_house(settings: Settings | None = None) -> Iterator[House]:
    """Provide database and secrets. An embedded PostgreSQL that was started here is stopped at the end.

    Raises SettingsError, EmbeddedError, KeptSecretsError, CommandError.
    """
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
    """As open_house, but always stop the embedded PostgreSQL at the end: for the supervisor, which also takes over a
    server that a killed supervisor has left."""
    if not settings.is_embedded:
        yield House(settings, settings.owner_database_url, None, is_embedded=False)
        return
    server = embedded.start(settings.data_dir)
    try:
        yield _embedded_house(settings, server)
    finally:
        server.stop()


def make_data_dir(data_dir: Path) -> None:
    """Create the data folder. Raises CommandError."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise CommandError(f"The data folder {data_dir} cannot be created: {error.strerror}.") from error


def _embedded_house(settings: Settings, server: embedded.EmbeddedServer) -> House:
    server.create_database(DATABASE)
    kept = kept_secrets(settings.data_dir)
    texts = {name: kept[name] for name in MADE_SECRETS if not getattr(settings, name)}
    filled = settings.but(database_url=server.url(DATABASE, APPLICATION_LOGIN), **texts)
    return House(filled, server.url(DATABASE), APPLICATION_LOGIN, is_embedded=True)
