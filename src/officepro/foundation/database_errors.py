"""Names of database failures, for the log, at startup, and in /readyz.

Callers receive one general message for all of them (`database.raise_explained`); operators need the exact kind."""

import logging
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg

from officepro.foundation.checkout import PoolFull
from officepro.foundation.errors import OfficeProError, Unavailable
from officepro.foundation.servers import one_by_one

FILES_OF_URL = ("sslkey", "sslcert", "sslrootcert", "sslcrl")


class ConnectTimeout(TimeoutError):
    """The server did not accept a connection in time."""


class UnusableFile(Exception):
    """A file that the database's URL names cannot be read."""


# The first match counts. (PostgreSQL's manual, Appendix A: Error Codes)
_KINDS: list[tuple[type[BaseException], str]] = [
    (PoolFull, "pool_full"),
    (ConnectTimeout, "connect_timeout"),
    (TimeoutError, "no_answer"),
    (asyncpg.LockNotAvailableError, "lock_timeout"),
    (asyncpg.QueryCanceledError, "statement_timeout"),
    (asyncpg.DeadlockDetectedError, "deadlock"),
    (asyncpg.SerializationError, "serialization_failure"),
    (asyncpg.InvalidCachedStatementError, "schema_changed"),
    (asyncpg.TooManyConnectionsError, "too_many_connections"),
    (asyncpg.InvalidPasswordError, "wrong_password"),
    (asyncpg.InvalidAuthorizationSpecificationError, "login_refused"),
    (asyncpg.InvalidCatalogNameError, "unknown_database"),
    (asyncpg.CannotConnectNowError, "starting_up"),
    (asyncpg.AdminShutdownError, "shut_down"),
    (asyncpg.CrashShutdownError, "crashed"),
    (asyncpg.DiskFullError, "disk_full"),
    (asyncpg.InsufficientResourcesError, "out_of_resources"),
    (asyncpg.PostgresSystemError, "input_output_error"),
    (asyncpg.ReadOnlySQLTransactionError, "read_only"),
    (asyncpg.ClientConfigurationError, "wrong_settings"),
    (UnusableFile, "unusable_file"),
    (socket.gaierror, "unknown_host"),
    (ssl.SSLEOFError, "connection_lost"),
    (ssl.SSLError, "tls_failed"),
    (ConnectionResetError, "connection_lost"),
    (BrokenPipeError, "connection_lost"),
    (OSError, "unreachable"),
    (asyncpg.PostgresConnectionError, "connection_lost"),
    (asyncpg.InterfaceError, "connection_lost"),
    (asyncpg.InternalClientError, "connection_lost"),
]

# Resolved only by other settings, or by an operator of PostgreSQL.
PERMANENT = frozenset(
    {"wrong_password", "login_refused", "unknown_database", "wrong_settings", "unusable_file", "tls_failed"}
)
# The database cannot be used by any request. Most of these end without a change of settings.
AWAY = PERMANENT | frozenset(
    {
        "database_unavailable",
        "wrong_role",
        "wrong_server",
        "connect_timeout",
        "no_answer",
        "starting_up",
        "shut_down",
        "crashed",
        "unknown_host",
        "connection_lost",
        "unreachable",
        "read_only",
        "not_migrated",
    }
)

# For /readyz, which needs no authentication: no host, no name of a login or of a database.
_SENTENCES = {
    "starting_up": "the database is starting or recovering",
    "shut_down": "the connection to the database was lost",
    "crashed": "the connection to the database was lost",
    "connection_lost": "the connection to the database was lost",
    "unreachable": "the database is unreachable",
    "unknown_host": "the database's host name cannot be resolved",
    "too_many_connections": "the database has no free connections",
    "wrong_password": "the database refuses the password",
    "login_refused": "the database refuses the login",
    "unknown_database": "the database does not exist",
    "read_only": "no server of the database accepts writes",
    "wrong_role": "the database login is not allowed; see the log",
    "wrong_server": "the database server does not match the settings; see the log",
}


def cause_of(error: BaseException) -> BaseException:
    """Return the database failure behind an application error; the error itself without one."""
    while isinstance(error, OfficeProError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def kind_of(error: BaseException) -> str:
    """Return the stable name of a failure."""
    cause = cause_of(error)
    if isinstance(cause, OfficeProError):
        return str(getattr(cause, "kind", cause.code))
    return next((kind for each, kind in _KINDS if isinstance(cause, each)), type(cause).__name__)


def sqlstate_of(error: BaseException) -> str | None:
    """Return PostgreSQL's five-character SQLSTATE; None if the failure is not PostgreSQL's."""
    found = getattr(cause_of(error), "sqlstate", None)
    return found if isinstance(found, str) else None


def sentence_of(error: BaseException) -> str:
    """Return a description without internal names, for public responses."""
    kind = kind_of(error)
    if kind == "not_migrated":
        return str(cause_of(error))
    return _SENTENCES.get(kind, "the database does not respond within 2 seconds")


def reason_of(error: BaseException, url: str) -> str:
    """Return a description for operators: where, and the message of PostgreSQL or the operating system. Never a
    password."""
    cause = cause_of(error)
    if isinstance(cause, OfficeProError):
        return cause.detail
    return without_password(f"The database at {place_of(url)} cannot be used: {_words(cause)}", url)


def _words(cause: BaseException) -> str:
    match cause:
        case asyncpg.PostgresError():
            return (str(cause).splitlines() or [type(cause).__name__])[0]
        case ConnectTimeout() | TimeoutError():
            return "it does not respond in time"
        case socket.gaierror():
            return f"its host name cannot be resolved ({cause.strerror})"
        case ssl.SSLError():
            return f"TLS failed ({cause.reason or 'no reason given'})"
        case ConnectionRefusedError(errno=None):
            return f"{cause}"
        case OSError() if cause.strerror and cause.errno is not None and "call failed" not in cause.strerror:
            return cause.strerror
        case OSError():  # of several addresses, or asyncio's "Connect call failed"
            return "Connection refused"
        case UnusableFile() | asyncpg.InterfaceError():
            return (str(cause).splitlines() or [type(cause).__name__])[0]
        case _:
            return type(cause).__name__


def place_of(url: str) -> str:
    """Return the servers and the database that a URL names, without its login."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    servers = ", ".join(_server(each) for each in one_by_one(url))
    return f"{servers} ({unquote(parts.path.lstrip('/')) or query.get('dbname', 'default database')})"


def _server(url: str) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if host := query.get("host"):
        return host if host.startswith("/") else f"{host}:{query.get('port', '5432')}"
    named = parts.netloc.rpartition("@")[2]
    return named or "the local socket"


def without_password(text: str, url: str) -> str:
    """Return the text with the URL's password replaced by asterisks."""
    parts = urlsplit(url)
    given = parts.netloc.rpartition("@")[0].partition(":")[2]
    query = dict(parse_qsl(parts.query))
    for secret in {given, unquote(given), query.get("password", ""), query.get("sslpassword", "")} - {""}:
        text = text.replace(secret, "***")
    return text


def refuse_unreadable_files(url: str) -> None:
    """Raises UnusableFile. asyncpg would report that a file does not exist, but not which one."""
    query = dict(parse_qsl(urlsplit(url).query))
    for name in FILES_OF_URL:
        if path := query.get(name):
            try:
                Path(path).expanduser().read_bytes()
            except OSError as error:
                raise UnusableFile(f"{path} ({name} of the URL) cannot be read: {error.strerror}") from error


def level_of(error: BaseException) -> int:
    """Return the log level for failures of background work. An unavailable database is logged in one line of its own,
    once in each process. (DatabaseState)"""
    is_away = isinstance(error, (Unavailable, TimeoutError)) and kind_of(error) in AWAY
    return logging.DEBUG if is_away else logging.WARNING


def log_fields(error: BaseException) -> dict[str, Any]:
    """Return fields for a log line's `extra`: `kind`, `sqlstate` if there is one, and how many such lines may be
    written."""
    fields: dict[str, Any] = {"kind": kind_of(error), "lines_per_window": 1}
    if sqlstate := sqlstate_of(error):
        fields["sqlstate"] = sqlstate
    if fields["kind"] in AWAY:
        fields["group"] = "database away"
    return fields
