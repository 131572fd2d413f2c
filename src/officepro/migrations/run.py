"""Upgrade of a database to the newest revision, and checks of its revision."""

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
MIGRATION_LOCK = 0x6F666669  # 'offi': serializes migrations of a database
CONNECT_TIMEOUT_SECONDS = 10  # per server in the URL
LOOKS = 3  # checks for a transaction pooler
TURN_SECONDS = 0.1
LOCK_TIMEOUT_SECONDS = 10  # a revision that waits longer for a table is rolled back


class MigrationRefused(OfficeProError):
    """The database cannot be migrated in its current state."""

    code = "migration_refused"


class DatabaseNotReached(MigrationRefused):
    """The connection to the database failed."""


def revisions() -> list[str]:
    """Return the revisions of this version, newest first."""
    return [found.revision for found in ScriptDirectory.from_config(_configuration()).walk_revisions()]


def migrate(owner_url: str, application_login: str | None = None) -> str:
    """Upgrade to the newest revision and return the database's revision. Safe to repeat, and to run concurrently. A
    database that a newer version has migrated is unchanged: this version works on the next version's schema.

    `application_login`, used by the API and the worker, is created without a password if it is missing, and is granted
    their two roles. Raises MigrationRefused.
    """
    with connected(owner_url) as connection:
        refuse_pooler(connection, owner_url)
        version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
        if version < OLDEST_SERVER_VERSION:
            raise MigrationRefused(f"PostgreSQL {version // 10000} is too old: officepro needs PostgreSQL 16 or newer.")
        _wait_for_turn(connection)
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
        # Required by Citus for foreign keys of a new table; without effect on other servers.
        connection.exec_driver_sql("SET citus.multi_shard_modify_mode = 'sequential'")
        connection.commit()
        _upgrade(connection)
        if application_login is not None:
            _admit(connection, application_login)
        current = revision_of(connection)
        assert current is not None
        return current


def _wait_for_turn(connection: sqlalchemy.Connection) -> None:
    """Acquire the migration lock by polling: a statement that waits for a lock would block CREATE INDEX
    CONCURRENTLY."""
    while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({MIGRATION_LOCK})").scalar_one():
        connection.commit()
        time.sleep(TURN_SECONDS)


def refuse_pooler(connection: sqlalchemy.Connection, owner_url: str) -> None:
    """Raise MigrationRefused if the URL is of a transaction pooler: the migration lock belongs to the session, and such
    a pooler shares sessions between connections. (`database.py` has the same check.)"""
    with connected(owner_url) as other:
        for _ in range(LOOKS):
            session = _session(connection)
            connection.commit()
            if session == _session(other) or session != _session(connection):
                raise MigrationRefused(
                    "OFFICEPRO_OWNER_DATABASE_URL points to a pooler. Set it to the URL of PostgreSQL itself."
                )
            connection.commit()
            other.commit()


def _session(connection: sqlalchemy.Connection) -> int:
    return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def revision_of(connection: sqlalchemy.Connection) -> str | None:
    """Return the database's revision; None without a schema."""
    return MigrationContext.configure(connection).get_current_revision()


def is_newer(revision: str) -> bool:
    """Whether the revision is of a later version; revisions are numbered from 0001."""
    return revision.isdecimal() and int(revision) > int(revisions()[0])


def _upgrade(connection: sqlalchemy.Connection) -> None:
    configuration = _configuration()
    current = revision_of(connection)
    connection.commit()
    if current is not None and current not in revisions():
        if is_newer(current):
            return
        raise MigrationRefused(
            f"The database is at revision {current}, which is not a revision of officepro. Nothing was changed."
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
    """Connect as the owner. Raises DatabaseNotReached."""
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        poolclass=sqlalchemy.pool.NullPool,
        # By libpq, because a URL may list several servers, and the primary is needed.
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
