"""Brings a database to the newest revision, and tells whether it is there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from officepro.foundation.database_errors import place_of, without_password
from officepro.foundation.errors import OfficeProError

OLDEST_SERVER_VERSION = 160000
MIGRATION_LOCK = 0x6F666669  # 'offi': one migration at a time on one database
CONNECT_TIMEOUT_SECONDS = 10  # to each of the servers that the URL names
LOOKS = 3  # at whether two connections have a session each
TURN_SECONDS = 0.1
LOCK_TIMEOUT_SECONDS = 10  # how long a revision waits for a table that is in use, before it gives up unharmed


class MigrationRefused(OfficeProError):
    """The database cannot be migrated as it stands."""

    code = "migration_refused"


class DatabaseNotReached(MigrationRefused):
    """The database cannot be connected to."""


def revisions() -> list[str]:
    """All that this version knows, the newest first."""
    return [found.revision for found in ScriptDirectory.from_config(_configuration()).walk_revisions()]


def migrate(owner_url: str, application_login: str | None = None) -> str:
    """Upgrade to the newest revision and return the database's; safe to run twice, and by two at once. A database that
    a newer version has migrated stays as it is: this version works on the schema of the one after it.

    The login that the API and the worker use is made if it is missing (without a password), and is given the two
    roles that they work under.
    """
    with connected(owner_url) as connection:
        refuse_pooler(connection, owner_url)
        version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
        if version < OLDEST_SERVER_VERSION:
            raise MigrationRefused(f"PostgreSQL {version // 10000} is too old: officepro needs PostgreSQL 16 or newer.")
        _wait_for_turn(connection)
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
        # Citus wants it for a new table's foreign keys; to others the name says nothing.
        connection.exec_driver_sql("SET citus.multi_shard_modify_mode = 'sequential'")
        connection.commit()
        _upgrade(connection)
        if application_login is not None:
            _admit(connection, application_login)
        current = revision_of(connection)
        assert current is not None
        return current


def _wait_for_turn(connection: sqlalchemy.Connection) -> None:
    """Asking again and again, since a statement that waited for the lock would be waited for in turn by an index that
    is made CONCURRENTLY."""
    while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({MIGRATION_LOCK})").scalar_one():
        connection.commit()
        time.sleep(TURN_SECONDS)


def refuse_pooler(connection: sqlalchemy.Connection, owner_url: str) -> None:
    """The lock by which migrations take turns is the session's, and a pooler of transactions hands sessions round: to
    another connection, or from one to the next. (`database.py` tells one in the same way.)"""
    with connected(owner_url) as other:
        for _ in range(LOOKS):
            session = _session(connection)
            connection.commit()
            if session == _session(other) or session != _session(connection):
                raise MigrationRefused(
                    "OFFICEPRO_OWNER_DATABASE_URL leads to a pooler; migrations need PostgreSQL itself: name that."
                )
            connection.commit()
            other.commit()


def _session(connection: sqlalchemy.Connection) -> int:
    return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def revision_of(connection: sqlalchemy.Connection) -> str | None:
    """None where there is no schema yet."""
    return MigrationContext.configure(connection).get_current_revision()


def is_newer(revision: str) -> bool:
    """Whether a version after this one made the revision: they are numbered, 0001 and on."""
    return revision.isdecimal() and int(revision) > int(revisions()[0])


def _upgrade(connection: sqlalchemy.Connection) -> None:
    configuration = _configuration()
    current = revision_of(connection)
    connection.commit()
    if current is not None and current not in revisions():
        if is_newer(current):
            return
        raise MigrationRefused(
            f"The database is at revision {current}, which is none of officepro's. Nothing was changed."
        )
    configuration.attributes["connection"] = connection
    try:
        command.upgrade(configuration, "head")
    except sqlalchemy.exc.DBAPIError as error:
        reason = str(error.orig).splitlines()[0]
        raise MigrationRefused(f"The migration stopped and was rolled back: {reason}") from error


def _admit(connection: sqlalchemy.Connection, login: str) -> None:
    if not connection.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = %s", (login,)).scalar():
        connection.exec_driver_sql(f"CREATE ROLE {_quoted(login)} LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS")
    connection.exec_driver_sql(f"GRANT officepro_app, officepro_system TO {_quoted(login)}")
    connection.commit()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration


@contextmanager
def connected(owner_url: str, application_name: str = "officepro migrate") -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        poolclass=sqlalchemy.pool.NullPool,
        # By libpq itself, because a URL may name several servers, of which the primary is meant.
        creator=partial(
            psycopg.connect,
            owner_url,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            target_session_attrs="read-write",
            application_name=application_name,
        ),
    )
    try:
        with engine.connect() as connection:
            yield connection
    except sqlalchemy.exc.OperationalError as error:
        said = without_password(str(error.orig).splitlines()[0], owner_url)
        raise DatabaseNotReached(f"The database at {place_of(owner_url)} cannot be used: {said}") from error
    finally:
        engine.dispose()
