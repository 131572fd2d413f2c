"""What a failure of PostgreSQL, or of the way to it, is called: in the log, at the start, and by /readyz.

Callers read one general sentence for all of them (`database.raise_explained`); who operates the service needs to know
which it was.
"""

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
    """The server did not let a connection begin in time."""


class UnusableFile(Exception):
    """A file that the database's URL names cannot be read."""


# The first that fits. (PostgreSQL's manual, Appendix A: Error Codes)
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

# Only another setting, or an operator of PostgreSQL, mends these.
PERMANENT = frozenset(
    {"wrong_password", "login_refused", "unknown_database", "wrong_settings", "unusable_file", "tls_failed"}
)
# The database cannot be used at all, by any request. Most of them end without a change of settings.
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

# For /readyz, which anybody may read: no host, no name of a login or of a database.
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
    "read_only": "no server of the database takes writes",
    "wrong_role": "the database's login may not be used; the log says why",
    "wrong_server": "the database's server does not suit; the log says why",
}


def cause_of(error: BaseException) -> BaseException:
    """The database's failure behind an application error; the error itself where there is none."""
    while isinstance(error, OfficeProError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def kind_of(error: BaseException) -> str:
    cause = cause_of(error)
    if isinstance(cause, OfficeProError):
        return str(getattr(cause, "kind", cause.code))
    return next((kind for each, kind in _KINDS if isinstance(cause, each)), type(cause).__name__)


def sqlstate_of(error: BaseException) -> str | None:
    """PostgreSQL's five characters; None where the failure is not PostgreSQL's."""
    found = getattr(cause_of(error), "sqlstate", None)
    return found if isinstance(found, str) else None


def sentence_of(error: BaseException) -> str:
    """For everybody to read."""
    kind = kind_of(error)
    if kind == "not_migrated":
        return str(cause_of(error))
    return _SENTENCES.get(kind, "the database does not answer within 2 seconds")


def reason_of(error: BaseException, url: str) -> str:
    """For operators: where, and what PostgreSQL or the system said. Never a password."""
    cause = cause_of(error)
    if isinstance(cause, OfficeProError):
        return cause.detail
    return without_password(f"The database at {place_of(url)} cannot be used: {_words(cause)}", url)


def _words(cause: BaseException) -> str:
    match cause:
        case asyncpg.PostgresError():
            return (str(cause).splitlines() or [type(cause).__name__])[0]
        case ConnectTimeout() | TimeoutError():
            return "it does not answer in time"
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
    """The servers and the database that a URL names, without its login."""
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
    """The text, should it quote the URL's password, without it."""
    parts = urlsplit(url)
    given = parts.netloc.rpartition("@")[0].partition(":")[2]
    query = dict(parse_qsl(parts.query))
    for secret in {given, unquote(given), query.get("password", ""), query.get("sslpassword", "")} - {""}:
        text = text.replace(secret, "***")
    return text


def refuse_unreadable_files(url: str) -> None:
    """Raises UnusableFile. asyncpg would say that a file does not exist, but not which."""
    query = dict(parse_qsl(urlsplit(url).query))
    for name in FILES_OF_URL:
        if path := query.get(name):
            try:
                Path(path).expanduser().read_bytes()
            except OSError as error:
                raise UnusableFile(f"{path} ({name} of the URL) cannot be read: {error.strerror}") from error


def level_of(error: BaseException) -> int:
    """How work in the background logs that it could not be done: a database that is away is one line of its own, which
    each process writes once. (DatabaseState)"""
    is_away = isinstance(error, (Unavailable, TimeoutError)) and kind_of(error) in AWAY
    return logging.DEBUG if is_away else logging.WARNING


def log_fields(error: BaseException) -> dict[str, Any]:
    """`kind`, and `sqlstate` where there is one, for a log line's `extra`; and how few such lines are written."""
    fields: dict[str, Any] = {"kind": kind_of(error), "lines_per_window": 1}
    if sqlstate := sqlstate_of(error):
        fields["sqlstate"] = sqlstate
    if fields["kind"] in AWAY:
        fields["group"] = "database away"
    return fields
