"""Database access: pools, transactions, tenant binding, and the mapping of failures to errors of the API.

No other module opens a connection. A connection serves one practice at a time, and row-level security restricts it to
that practice: a query that lacks its `practice_id` predicate still returns no rows of other practices. Two roles share
one login:

    officepro_app     rows of a practice, one practice at a time, and the global records of partners
    officepro_system  keys, partners, event log and deliveries, over all practices; no grants on patients and visits
"""

import asyncio
import logging
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from enum import StrEnum
from typing import Any, cast

import asyncpg

from officepro.foundation import distribution
from officepro.foundation.checkout import Checkout
from officepro.foundation.database_errors import (
    PERMANENT,
    ConnectTimeout,
    UnusableFile,
    kind_of,
    reason_of,
    refuse_unreadable_files,
    sqlstate_of,
)
from officepro.foundation.errors import OfficeProError, Unavailable
from officepro.foundation.servers import Reign, Servers

STATEMENT_TIMEOUT_SECONDS = 15
LOCK_TIMEOUT_SECONDS = 8
IDLE_IN_TRANSACTION_TIMEOUT_SECONDS = 30
ACQUIRE_TIMEOUT_SECONDS = 2.0  # how long a request waits for a connection before it is refused with 503
CONNECT_TIMEOUT_SECONDS = 5.0
LOOKS = 5  # checks whether two connections have a session each
CLOSE_TIMEOUT_SECONDS = 1.0
LENT_TIMEOUT_SECONDS = 5.0  # how long closing waits for connections that are checked out
COMMAND_TIMEOUT_SECONDS = 20.0  # client-side timeout, for a server that does not respond
SILENCE_SECONDS = 10  # after which a machine that acknowledges no packets counts as lost
PATIENCE_SECONDS = 2.0  # a connection checked out for longer starts a search for a new primary
LOOK_SECONDS = 1.0  # interval and timeout of these searches
RETRY_SECONDS = 1.0  # interval between attempts to reach an unavailable database
FIRST_ATTEMPT_SECONDS = 3.0  # how long a start waits for the database before it continues without it
ROOM_BYTES = 256 * 1024  # free space on the database's disk that readiness requires
OLDEST_SERVER_VERSION = 160000
APPLICATION_NAME = "officepro"
NO_PRACTICE = 0  # bound for global work: no tenant row has this id

# The error that a violated constraint means, by the constraint's name. Each package adds its own.
MEANING: dict[str, type[OfficeProError]] = {}

_SHARD_SUFFIX = re.compile(r"_\d+$")
_WAITING_FOR_A_STANDBY = "SyncRepWaitForLSN"  # the server function that warns; its message is localized

# Conflicts that only a retry of the transaction resolves; a migration that changed the result type of a prepared
# statement is one.
Retryable = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.InvalidCachedStatementError)
ExclusionViolation = asyncpg.ExclusionViolationError
UniqueViolation = asyncpg.UniqueViolationError
Row = asyncpg.Record

_OVERLOADED = (asyncpg.TooManyConnectionsError, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
# Loss of a connection during a statement.
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    TimeoutError,
    OSError,
)
_AWAY = (
    *_LOST,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,  # disk full, out of memory
    asyncpg.PostgresSystemError,  # files cannot be read or written
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
    UnusableFile,
)

logger = logging.getLogger("officepro")


class Mode(StrEnum):
    """How a connection is bound to a practice."""

    SINGLE = "single"  # for the session, at checkout: no cost if the connection served the practice last
    POOLED = "pooled"  # SET LOCAL in each transaction: behind a transaction pooler
    DISTRIBUTED = "distributed"  # SET LOCAL in each transaction, which Citus carries to its workers

    @property
    def keeps_a_session(self) -> bool:
        """Whether session state outlives a transaction."""
        return self is Mode.SINGLE


# With little work_mem the statement writes a temporary file, which leaves no row, no WAL and nothing to vacuum.
# (docs/decisions/0013)
_WITHOUT_MEMORY = "SET LOCAL work_mem = '64kB'; SET LOCAL temp_tablespaces = ''"
_TAKE_ROOM = f"SELECT count(*) FROM unnest(array_fill(repeat(' ', {ROOM_BYTES // 16}), ARRAY[16]))"


class DatabaseUnavailable(Unavailable):
    """The database is temporarily unavailable. Retry in a moment."""

    code = "database_unavailable"


class CannotConnect(DatabaseUnavailable):
    """The database cannot be used; the message states where and why, for operators."""

    def __init__(self, url: str, failure: BaseException) -> None:
        self.kind = kind_of(failure)
        super().__init__(reason_of(failure, url))

    @property
    def is_permanent(self) -> bool:
        """Whether waiting does not help: the settings or the database have to be changed."""
        return self.kind in PERMANENT


class NotMigrated(DatabaseUnavailable):
    """The database has no schema: run officepro migrate."""

    kind = "not_migrated"


class OutcomeUnknown(Unavailable):
    """The database connection was lost while saving. The change may or may not have been applied. Retry with the same
    Idempotency-Key; if the request had none, first check whether the change was applied."""

    code = "outcome_unknown"


class Overloaded(Unavailable):
    """The service is overloaded. Retry in a moment."""

    code = "overloaded"


class Unsettled(Unavailable):
    """The request conflicted with a concurrent update. Retry it."""

    code = "unsettled"


_NO_ROLES = (
    "The login of OFFICEPRO_DATABASE_URL lacks the roles that officepro uses. A superuser grants "
    "them: GRANT officepro_app, officepro_system TO that login, as deploy/postgres/prepare.sql does."
)


_NOT_PASSED_ON = (
    "OFFICEPRO_DATABASE_URL names a pooler that does not forward session settings to PostgreSQL. Set "
    "OFFICEPRO_DATABASE_MODE=pooled, or name PostgreSQL itself in OFFICEPRO_DATABASE_URL."
)


class WrongRole(OfficeProError):
    """The login of OFFICEPRO_DATABASE_URL could bypass row-level security."""

    code = "wrong_role"


class WrongServer(OfficeProError):
    """The server of OFFICEPRO_DATABASE_URL does not match OFFICEPRO_DATABASE_MODE."""

    code = "wrong_server"


class Connection(asyncpg.Connection):
    """A connection that caches which practice it is bound to, so that binding it again costs nothing."""

    reign: Reign | None = None
    lent_at: float | None = None
    charged_to: int | None = None
    practice_id: int | None = None  # for the session
    _is_replicated = True  # what was committed last

    async def bind(self, practice_id: int) -> None:
        """Bind the session to a practice."""
        if practice_id != self.practice_id:
            await self.execute(f"SET app.practice = '{practice_id:d}'")  # cheaper than set_config(): nothing to plan
            self.practice_id = practice_id

    async def commit(self, statement: str) -> None:
        """Execute a COMMIT. Raises OutcomeUnknown if its response is lost.

        A COMMIT that waits for a standby is never cancelled: that would leave the transaction visible on the primary,
        where a failover may undo it. The connection is terminated after COMMAND_TIMEOUT_SECONDS instead."""
        giving_up = asyncio.get_running_loop().call_later(COMMAND_TIMEOUT_SECONDS, self.terminate)
        try:
            with self.saving():
                await self.execute(statement, timeout=2 * COMMAND_TIMEOUT_SECONDS)
        finally:
            giving_up.cancel()

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Context in which a lost connection means that the change may have been applied. Raises OutcomeUnknown,
        DatabaseUnavailable."""
        if self.is_closed():
            raise DatabaseUnavailable
        self._is_replicated = True
        try:
            yield
        except _LOST as failure:
            raise OutcomeUnknown from failure
        if not self._is_replicated:
            raise OutcomeUnknown

    def note(self, _: object, message: asyncpg.PostgresLogMessage) -> None:
        """Handle a log message of the server. A COMMIT that stopped waiting for a standby succeeds like any other; only
        a warning reports it."""
        if message.server_source_function == _WAITING_FOR_A_STANDBY:
            self._is_replicated = False

    def notice_silence(self) -> None:
        """Enable TCP keepalive: a machine that was lost resets no connection, and without keepalive they would seem
        alive for hours."""
        line: socket.socket | None = self._transport.get_extra_info("socket")  # type: ignore[attr-defined]  # private in asyncpg
        if line is None or line.family == socket.AF_UNIX or sys.platform != "linux":
            return
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENCE_SECONDS // 2)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, SILENCE_SECONDS // 2)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000)


class DatabaseState:
    """Whether this process can use the database, as last observed. Each change is logged in one line.

    If `is_waited_for`, pools open no connection before `accept` was called: the server may be the wrong one, or have no
    schema. Commands do not wait, and report a failure themselves."""

    def __init__(self, url: str, *, is_waited_for: bool) -> None:
        self._url = url
        self._is_waited_for = is_waited_for
        self._is_accepted = not is_waited_for
        self._failure: BaseException | None = None
        self._failed_at = 0.0

    @property
    def is_lost(self) -> bool:
        """Whether the database is unavailable."""
        return self._failure is not None

    def refuse_if_not_accepted(self) -> None:
        """Raises DatabaseUnavailable from the failure that prevents the use of the database."""
        if not self._is_accepted:
            raise DatabaseUnavailable from self._failure

    def lose(self, failure: BaseException) -> None:
        """Record that the database is unavailable."""
        if not self._is_waited_for:
            return
        kind = kind_of(failure)
        if self._failure is None:
            self._failed_at = time.monotonic()
        elif kind == kind_of(self._failure):
            return
        self._failure = failure
        fields = {"kind": kind, "reason": reason_of(failure, self._url)}
        if sqlstate := sqlstate_of(failure):
            fields["sqlstate"] = sqlstate
        logger.warning("database_unavailable", extra=fields)

    def accept(self) -> None:
        """Record that the database was verified and is available."""
        self._is_accepted = True
        self.regain()

    def regain(self) -> None:
        """Record that the database is available again."""
        if self._failure is not None:
            self._failure = None
            seconds = round(time.monotonic() - self._failed_at, 1)
            logger.info("database_available", extra={"unavailableSeconds": seconds})


class Database:
    """Connection pools, one per role. `practice` and `practice_transaction` are restricted to one practice; `system`
    covers all practices, without patients and visits."""

    def __init__(self, url: str, mode: Mode, pool_size: int, *, is_waited_for: bool = False) -> None:
        servers: Servers[Connection] = Servers(url, self._leave_former)
        self._state = state = DatabaseState(url, is_waited_for=is_waited_for)
        self._application = _Pool(servers, state, "officepro_app", mode, pool_size)
        self._system = _Pool(servers, state, "officepro_system", mode, max(2, pool_size // 3))
        self._first_attempt = asyncio.Event()
        self._tasks = [asyncio.create_task(self._watch_for_silence())]
        self._mode = mode
        self._begin_application = _begin(mode, "officepro_app")
        self._begin_system = _begin(mode, "officepro_system")
        if mode is Mode.DISTRIBUTED:
            self._begin_application += "SET LOCAL citus.propagate_set_commands = 'local'; "
        # Citus sends every SET LOCAL to its workers, which costs a round trip.
        self._commit = "COMMIT" if mode is Mode.DISTRIBUTED else "SET LOCAL statement_timeout = 0; COMMIT"

    @classmethod
    async def connect(cls, url: str, *, mode: Mode = Mode.SINGLE, pool_size: int = 10) -> "Database":
        """Connect to a database that must be available.

        Raises CannotConnect with the reason; NotMigrated without a schema; WrongServer if the mode does not match the
        server; WrongRole if the login could read other practices."""
        database = cls(url, mode, pool_size)
        try:
            with _failures_explained():
                refuse_unreadable_files(url)
                await _refuse_wrong_server(url, mode)
            await database.refuse_wrong_role()
            async with database.system_transaction():
                pass  # checks that the login may use this role too
        except BaseException as error:
            await database.close()
            if isinstance(error, (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError)):
                raise (WrongRole(_NO_ROLES) if await _has_schema(url) else NotMigrated()) from None
            if isinstance(error.__cause__, asyncpg.ProtocolViolationError) and "parameter" in str(error.__cause__):
                raise WrongServer(_NOT_PASSED_ON) from error
            if isinstance(error, (DatabaseUnavailable, Overloaded)) and (failure := error.__cause__) is not None:
                raise CannotConnect(url, failure) from failure
            raise
        return database

    @classmethod
    async def waiting(
        cls,
        url: str,
        verify: Callable[[], Awaitable[object]],
        when_ready: Callable[[], object],
        *,
        mode: Mode,
        pool_size: int,
    ) -> "Database":
        """Return a database that may be unavailable as yet. `verify` is called until it raises nothing, then
        `when_ready` once. Until then every use of a connection raises DatabaseUnavailable."""
        database = cls(url, mode, pool_size, is_waited_for=True)
        database._tasks.append(asyncio.create_task(database._watch_for_return(verify, when_ready)))
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ATTEMPT_SECONDS):
                await database._first_attempt.wait()
        return database

    @property
    def keeps_sessions(self) -> bool:
        """Whether session state outlives a transaction."""
        return self._mode.keeps_a_session

    @property
    def is_distributed(self) -> bool:
        """Whether the database is distributed by Citus."""
        return self._mode is Mode.DISTRIBUTED

    async def close(self) -> None:
        """Close the pools and stop the background tasks."""
        for task in self._tasks:
            task.cancel()
        for pool in (self._application, self._system):
            await pool.close()

    async def _watch_for_silence(self) -> None:
        """Search for a new primary while a connection is checked out for too long.

        A frozen primary closes no connection, and its clients would wait for all of COMMAND_TIMEOUT_SECONDS, long after
        a standby was promoted."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            lent_seconds = max(pool.longest_lent_seconds() for pool in (self._application, self._system))
            if lent_seconds > PATIENCE_SECONDS:
                await self._application.look_elsewhere()

    async def _watch_for_return(
        self, verify: Callable[[], Awaitable[object]], when_ready: Callable[[], object]
    ) -> None:
        """Wait until the database is accepted. Then, while it is unavailable, check once a second until it is
        available."""
        while not await self._is_accepted(verify):  # noqa: ASYNC110 -- there is no event to wait for
            await asyncio.sleep(RETRY_SECONDS)
        when_ready()
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            with suppress(Exception):  # still unavailable
                if self._state.is_lost and await self.is_reachable():
                    self._state.regain()

    async def _is_accepted(self, verify: Callable[[], Awaitable[object]]) -> bool:
        try:
            await verify()
            self._state.accept()
            async with self.practice_transaction(NO_PRACTICE), self.system_transaction():
                pass  # so that the first request finds a connection
        except Exception as error:  # any error: the process waits and logs it
            self._state.lose(error)
            return False
        else:
            return True
        finally:
            self._first_attempt.set()

    def _leave_former(self, reign: Reign) -> None:
        for pool in (self._application, self._system):
            pool.leave_former(reign)

    @asynccontextmanager
    async def practice(self, practice_id: int, *, is_writing: bool = False) -> AsyncIterator[Connection]:
        """Check out a connection that is restricted to this practice; each statement is a transaction of its own."""
        if not self._mode.keeps_a_session:
            async with self._transaction(
                self._application, self._begin(practice_id), practice_id, is_saving=is_writing
            ) as connection:
                yield connection
            return
        with _failures_explained():
            async with self._application.borrowed(practice_id, bound_to=practice_id) as connection:
                await connection.bind(practice_id)
                with connection.saving() if is_writing else nullcontext():
                    yield connection

    def unbound(self, practice_id: int | None = None) -> AbstractAsyncContextManager[Connection]:
        """Check out a connection for statements that bind themselves to a practice; only if `keeps_sessions`.

        For the isolation of practices in them, see `each_asked`. `practice_id` is the only practice that the statement
        concerns, to which the connection is charged; None for several."""
        assert self.keeps_sessions
        return _Unbound(self._application, practice_id)

    @asynccontextmanager
    async def practice_transaction(self, practice_id: int) -> AsyncIterator[Connection]:
        """Open a transaction that is restricted to this practice. It is committed at the end, and rolled back on an
        exception."""
        async with self._transaction(self._application, self._begin(practice_id), practice_id) as connection:
            yield connection

    def _begin(self, practice_id: int) -> str:
        return f"{self._begin_application}SET LOCAL app.practice = '{practice_id:d}'"

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """Check out a connection for work over all practices. It has no grant on patients and visits."""
        if not self._mode.keeps_a_session:
            async with self._transaction(self._system, self._begin_system, is_saving=False) as connection:
                yield connection
            return
        with _failures_explained():
            async with self._system.borrowed() as connection:
                yield connection

    @asynccontextmanager
    async def system_transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction over all practices."""
        async with self._transaction(self._system, self._begin_system) as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(
        self, pool: "_Pool", begin: str, practice_id: int | None = None, *, is_saving: bool = True
    ) -> AsyncIterator[Connection]:
        """Open a transaction. `is_saving` is False if a lost COMMIT does not matter, because nothing was changed."""
        with _failures_explained():
            async with pool.borrowed(practice_id) as connection:
                try:
                    await connection.execute(begin)
                    yield connection
                except (asyncio.CancelledError, TimeoutError):
                    raise  # the connection is closed, which rolls the transaction back
                except BaseException:
                    if not connection.is_closed():
                        await asyncio.shield(connection.execute("ROLLBACK"))
                    raise
                await (connection.commit(self._commit) if is_saving else connection.execute("COMMIT"))

    def connections(self) -> dict[str, tuple[int, int, int]]:
        """Return by role: open connections, idle ones, and the maximum."""
        pools = {"application": self._application, "system": self._system}
        return {name: pool.figures() for name, pool in pools.items()}

    async def is_reachable(self) -> bool:
        """Return whether the database responds. Raises nothing."""
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT_SECONDS), self.system() as db:
                return bool(await db.fetchval("SELECT true"))
        except Exception:  # any error: a task that polls once a second must not end
            return False

    async def revision(self) -> str | None:
        """Return the schema's revision; None without a schema."""
        async with self.system() as db:
            if await db.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
                return None
            version: str = await db.fetchval("SELECT version_num FROM alembic_version")
            return version

    async def has_room(self) -> bool:
        """Return whether the database's disk has ROOM_BYTES of free space. Raises DatabaseUnavailable for any other
        failure."""
        try:
            async with self.system() as db:
                await db.execute(f"{_WITHOUT_MEMORY}; {_TAKE_ROOM}")  # one message, and so one transaction
        except DatabaseUnavailable as failure:
            if isinstance(failure.__cause__, (asyncpg.DiskFullError, asyncpg.PostgresSystemError)):
                return False
            raise
        return True

    async def refuse_wrong_role(self) -> None:
        """Raises WrongRole if the application's login is a superuser, has BYPASSRLS, or is a member of the tables'
        owner; WrongServer if a pooler drops session settings."""
        async with self.practice_transaction(NO_PRACTICE) as db:
            faults = await db.fetchrow(
                """
                SELECT bool_or(rolsuper) AS rolsuper, bool_or(rolbypassrls) AS rolbypassrls, current_user AS role,
                       current_setting('server_version_num')::int AS version,
                       EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace
                               AND relkind IN ('r', 'p') AND pg_has_role(session_user, relowner, 'MEMBER')) AS owner
                FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')  -- itself, and all that it can become
                """
            )
        assert faults is not None
        if faults["role"] != "officepro_app":
            raise WrongServer(_NOT_PASSED_ON)
        if faults["version"] < OLDEST_SERVER_VERSION:
            raise WrongRole(f"PostgreSQL {faults['version'] // 10000} is too old: officepro needs 16 or newer.")
        for fault, meaning in (
            ("rolsuper", "is a superuser or can become one"),
            ("rolbypassrls", "has BYPASSRLS or can become a role with it"),
            ("owner", "owns the tables"),
        ):
            if faults[fault]:
                raise WrongRole(
                    f"The login of OFFICEPRO_DATABASE_URL {meaning}, so row-level security would not restrict it to "
                    "one practice. Use a plain login there, and the owner's in OFFICEPRO_OWNER_DATABASE_URL."
                )


class _Pool:
    """Opens and closes the connections of one role; Checkout hands them out."""

    def __init__(self, servers: Servers[Connection], state: DatabaseState, role: str, mode: Mode, size: int) -> None:
        self._servers = servers
        self._state = state
        self._mode = mode
        self._options = _options(role, mode)
        self._size = size
        self._open: set[Connection] = set()
        self._checkout: Checkout[Connection] = Checkout(size, self._obtain, self._release, ACQUIRE_TIMEOUT_SECONDS)

    @asynccontextmanager
    async def borrowed(
        self, practice_id: int | None = None, *, bound_to: int | None = None
    ) -> AsyncIterator[Connection]:
        connection = await self._checkout.take(practice_id, bound_to)
        try:
            yield connection
        except BaseException as error:
            await self.take_back(connection, error)
            raise
        await self.take_back(connection, None)

    async def lend(self, practice_id: int | None) -> Connection:
        return await self._checkout.take(practice_id)

    async def take_back(self, connection: Connection, error: BaseException | None) -> None:
        """Give a connection back. `error` is the exception that ended its use.

        If the server does not respond, or is no longer the primary, its other connections are unusable too: all idle
        ones are closed."""
        if isinstance(error, (TimeoutError, asyncpg.ReadOnlySQLTransactionError)):
            await self._checkout.give_up_resting()
        unusable = (asyncio.CancelledError, TimeoutError, asyncpg.ReadOnlySQLTransactionError)
        await self._checkout.give_back(connection, is_whole=not isinstance(error, unusable))

    async def _obtain(self) -> Connection:
        self._state.refuse_if_not_accepted()
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT_SECONDS):
                connection = await self._servers.connected(self._connect)
        except TimeoutError as error:
            failure = ConnectTimeout()
            self._state.lose(failure)
            raise failure from error
        except Exception as error:
            self._state.lose(error)
            raise
        self._state.regain()
        connection.notice_silence()
        connection.add_log_listener(connection.note)
        self._open.add(connection)
        return connection

    async def _connect(self, url: str) -> Connection:
        try:
            connection = cast(Connection, await asyncpg.connect(url, **self._options))
        except asyncpg.TargetServerAttributeNotMatched as standby:
            raise ConnectionRefusedError("not the primary") from standby
        if self._mode is not Mode.POOLED:
            try:
                connection.reign = await _reign(connection)
            except BaseException:
                connection.terminate()
                raise
        return connection

    def longest_lent_seconds(self) -> float:
        now = time.monotonic()
        return max((now - one.lent_at for one in self._open if one.lent_at is not None), default=0.0)

    async def look_elsewhere(self) -> None:
        """Check whether a standby has been promoted."""
        with suppress(Exception):  # not, or not yet
            async with asyncio.timeout(LOOK_SECONDS):
                found = await self._servers.look_elsewhere(self._connect)
            await self._release(found)

    def leave_former(self, reign: Reign) -> None:
        """Terminate connections to a former primary; requests that use them fail with a retryable error."""
        for connection in self._open:
            if connection.reign is not None and connection.reign.is_over(reign):
                connection.terminate()

    async def _release(self, connection: Connection) -> None:
        self._open.discard(connection)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await connection.close()
        except Exception:  # any error of its server
            connection.terminate()

    def figures(self) -> tuple[int, int, int]:
        """Return the number of open connections, of idle ones, and the maximum."""
        return len(self._open), self._checkout.resting, self._size

    async def close(self) -> None:
        """Close all connections. Those that are checked out may finish within LENT_TIMEOUT_SECONDS."""
        await self._checkout.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LENT_TIMEOUT_SECONDS):
                while self._open:  # noqa: ASYNC110 -- once per process
                    await asyncio.sleep(0.01)
        for connection in self._open:
            connection.terminate()


class _Unbound:
    """Context manager of Database.unbound. Every search uses it, and generators would cost as much as the checkout."""

    __slots__ = ("_connection", "_pool", "_practice_id")

    def __init__(self, pool: _Pool, practice_id: int | None) -> None:
        self._pool = pool
        self._practice_id = practice_id

    async def __aenter__(self) -> Connection:
        try:
            self._connection = await self._pool.lend(self._practice_id)
        except Exception as error:
            raise_explained(error)
            raise
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        await self._pool.take_back(self._connection, error)
        if isinstance(error, Exception):
            raise_explained(error)


async def _reign(connection: Connection) -> Reign | None:
    """Return the primary's epoch; None if the server does not disclose it. Raises ConnectionRefusedError if the server
    is no longer the primary."""
    try:
        async with connection.transaction():  # a pooler may switch sessions between statements
            row = await connection.fetchrow(
                """
                SELECT system_identifier,
                       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline
                FROM pg_control_system()
                """
            )
    except asyncpg.ObjectNotInPrerequisiteStateError as standby:
        raise ConnectionRefusedError("no longer the primary") from standby
    except (asyncpg.InsufficientPrivilegeError, asyncpg.FeatureNotSupportedError):
        return None
    return None if row is None else Reign(row["system_identifier"], row["timeline"])


def _settings(role: str) -> dict[str, str]:
    """Return the settings of every session."""
    return {
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_SECONDS}s",
        "jit": "off",
        "role": role,
    }


def _begin(mode: Mode, role: str) -> str:
    """Return the text that begins a transaction; further statements may be appended for the same round trip.

    On a distributed database, role and limits precede the propagation setting, so that each worker receives only the
    practice; and only for the application's role: a worker must not assume the system role where a function of the
    owner creates a partition."""
    if mode.keeps_a_session:
        return "BEGIN; "
    return "BEGIN; " + "".join(f"SET LOCAL {name} = '{value}'; " for name, value in _settings(role).items())


def _options(role: str, mode: Mode) -> dict[str, Any]:
    """Return the arguments for asyncpg. A transaction pooler switches sessions between transactions, so neither session
    settings nor prepared statements can be used there."""
    return {
        "connection_class": Connection,
        "timeout": CONNECT_TIMEOUT_SECONDS,
        "command_timeout": COMMAND_TIMEOUT_SECONDS,
        "server_settings": {"application_name": APPLICATION_NAME} | (_settings(role) if mode.keeps_a_session else {}),
        "statement_cache_size": 256 if mode.keeps_a_session else 0,
    }


async def refuse_unusable(url: str) -> None:
    """Raises CannotConnect if waiting does not help; returns if the database can be used, or is unavailable."""
    try:
        refuse_unreadable_files(url)
        async with _plain_connection(url):
            pass
    except Exception as error:
        refused = CannotConnect(url, error)
        if refused.is_permanent:
            raise refused from error


async def _refuse_wrong_server(url: str, mode: Mode) -> None:
    """Raises WrongServer for a standby, for a pooler in mode `single`, and if the tables are not distributed as the
    mode requires."""
    async with _plain_connection(url) as first, _plain_connection(url) as second:
        if mode is Mode.SINGLE and await _share_sessions(first, second):
            raise WrongServer(
                "OFFICEPRO_DATABASE_URL names a transaction pooler, where a session can be shared by requests of "
                "different practices. Set OFFICEPRO_DATABASE_MODE=pooled, or name "
                "PostgreSQL itself in the URL."
            )
        async with first.transaction():
            if await first.fetchval("SELECT pg_is_in_recovery()"):
                raise WrongServer(
                    "OFFICEPRO_DATABASE_URL names a standby, which is read-only; name the primary, or all "
                    "servers of the cluster and ?target_session_attrs=read-write."
                )
            await _refuse_wrong_distribution(first, mode)


async def _refuse_wrong_distribution(connection: "asyncpg.Connection[Row]", mode: Mode) -> None:
    if await connection.fetchval(distribution.IS_UNFINISHED):
        raise WrongServer(f"The distribution of this database is not finished. {_DISTRIBUTE}")
    has_citus = await connection.fetchval(distribution.HAS_CITUS)
    tables = await connection.fetch(distribution.TABLES) if has_citus else []
    is_distributed = any(table["spread"] for table in tables)
    if mode is not Mode.DISTRIBUTED:
        if is_distributed:
            raise WrongServer("This database is distributed: set OFFICEPRO_DATABASE_MODE=distributed.")
        return
    if not is_distributed:
        raise WrongServer(f"OFFICEPRO_DATABASE_MODE is distributed, and this database is not. {_DISTRIBUTE}")
    left = [
        table["name"]
        for table in tables
        if table["spread"] != distribution.wanted(table["name"], is_tenant=table["is_tenant"])
    ]
    if left:
        raise WrongServer(f"These tables are not distributed as they should be: {', '.join(left)}. {_DISTRIBUTE}")


_DISTRIBUTE = "Run officepro distribute."


async def _has_schema(url: str) -> bool:
    async with _plain_connection(url) as connection:
        return bool(await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"))


@asynccontextmanager
async def _plain_connection(url: str) -> AsyncIterator["asyncpg.Connection[Row]"]:
    """Open a connection without any settings, for checks of the server."""
    servers: Servers[Connection] = Servers(url)
    connection = await servers.connected(_connected)
    try:
        yield connection
    finally:
        connection.terminate()


async def _connected(url: str) -> Connection:
    try:
        connection = await asyncpg.connect(
            url,
            connection_class=Connection,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": APPLICATION_NAME},
        )
    except asyncpg.TargetServerAttributeNotMatched as standby:
        raise ConnectionRefusedError("not the primary") from standby
    except TimeoutError as error:
        raise ConnectTimeout from error
    return connection


async def _share_sessions(first: "asyncpg.Connection[Row]", second: "asyncpg.Connection[Row]") -> bool:
    """Return whether two connections share sessions. Each connection to PostgreSQL has its own session. A transaction
    pooler assigns a session that one connection has released to the other, or switches the session of one while the
    other uses it."""
    for _ in range(LOOKS):
        async with first.transaction():
            mine = await first.fetchval(_SESSION)
        async with second.transaction():
            if mine == await second.fetchval(_SESSION):
                return True
            async with first.transaction():
                if mine != await first.fetchval(_SESSION):
                    return True
    return False


_SESSION = "SELECT pg_postmaster_start_time() || ' ' || pg_backend_pid()"


def each_asked(kinds: Mapping[str, str]) -> str:
    """Return the FROM items of a batched statement, whose `$1` is a JSON list of requests.

    `asked` has a row with these columns for each request, and its `place` in the list. `this` binds the statement to
    the row's practice; the binding ends with the statement. Every tenant table must be restricted by
    `this.practice_id`, and so must follow it. That predicate is the only layer of isolation: a subquery without it may
    be executed once, under the practice that was bound first, and return that practice's rows to the others.
    (tests/house/test_self_binding.py)"""
    return f"""
        ROWS FROM (json_to_recordset($1) AS ({", ".join(f"{name} {kind}" for name, kind in kinds.items())}))
            WITH ORDINALITY AS asked ({", ".join(kinds)}, place),
        LATERAL (SELECT set_config('app.practice', asked.practice_id::text, true)::bigint AS practice_id) AS this
    """


def constraint_of(violation: asyncpg.PostgresError) -> str:
    """Return the violated constraint's name, without the shard number that a distributed database appends."""
    name = violation.constraint_name or ""
    return name if name in MEANING else _SHARD_SUFFIX.sub("", name)


@contextmanager
def _failures_explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise_explained(error)
        raise


def raise_explained(error: Exception) -> None:
    """Raise the application error that a database failure means; return if it is not a database failure."""
    if isinstance(error, OfficeProError):
        return
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        if meaning := MEANING.get(constraint_of(error)):
            raise meaning() from None
        if not error.constraint_name and (error.table_name or "").endswith("_default"):
            raise Unsettled from None  # the row was routed to a default partition while its own partition was attached
    elif isinstance(error, Retryable):
        raise Unsettled from error
    elif isinstance(error, (*_OVERLOADED, TimeoutError)):
        raise Overloaded from error
    elif isinstance(error, _AWAY):
        raise DatabaseUnavailable from error
