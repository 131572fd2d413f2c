"""The only place that opens a connection.

A connection serves one practice at a time, and row-level security holds it to that practice: whoever forgets a
`practice_id` in a query still sees no foreign row. Two roles share one login:

    officepro_app     what belongs to a practice, one practice at a time, and the global records of partners
    officepro_system  keys, partners, the log and its delivery, over all practices; no grant on people and visits
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import cast

import asyncpg

from officepro.foundation.checkout import Checkout
from officepro.foundation.errors import OfficeProError, Unavailable

STATEMENT_TIMEOUT_SECONDS = 15
LOCK_TIMEOUT_SECONDS = 8
IDLE_IN_TRANSACTION_TIMEOUT_SECONDS = 30
ACQUIRE_TIMEOUT_SECONDS = 2.0  # how long a request waits for a connection before it is told to come back
CONNECT_TIMEOUT_SECONDS = 5.0
COMMAND_TIMEOUT_SECONDS = 20.0  # the client's own bound, for a server that has gone silent
OLDEST_SERVER_VERSION = 160000
NO_PRACTICE = 0  # what a connection is bound to for global work: no tenant row is its own

# What a violated constraint tells the caller, by the constraint's name. Each room adds its own.
MEANING: dict[str, type[OfficeProError]] = {}

_SHARD_SUFFIX = re.compile(r"_\d+$")

# One unit of work is repeated from fresh state when it met another in a way that only repeating can settle.
Retryable = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
ExclusionViolation = asyncpg.ExclusionViolationError
UniqueViolation = asyncpg.UniqueViolationError
Row = asyncpg.Record


class Mode(StrEnum):
    """How a practice is bound to a connection."""

    SINGLE = "single"  # for the session, at checkout: free on a connection that served the practice last
    POOLED = "pooled"  # SET LOCAL in each transaction: behind a transaction pooler
    DISTRIBUTED = "distributed"  # SET LOCAL in each transaction, which Citus carries to its workers


class DatabaseUnavailable(Unavailable):
    """The database does not answer just now; try again in a moment."""

    code = "database_unavailable"


class Overloaded(Unavailable):
    """More requests are under way than the service can carry; try again in a moment."""

    code = "overloaded"


class Unsettled(Unavailable):
    """Two writers met in a way that only repeating can settle; try again."""

    code = "unsettled"


_NO_ROLES = (
    "The login of OFFICEPRO_DATABASE_URL has not been given the roles that officepro works under; "
    "`officepro migrate` gives them."
)


class WrongRole(OfficeProError):
    """The login of OFFICEPRO_DATABASE_URL could pass the wall between practices."""

    code = "wrong_role"


class Connection(asyncpg.Connection):
    """A connection that remembers which practice it is bound to, so that binding it again costs nothing."""

    practice_id: int | None = None

    async def bind(self, practice_id: int) -> None:
        if self.practice_id != practice_id:
            await self.execute(f"SET app.practice = '{practice_id:d}'")  # cheaper than set_config(): nothing to plan
            self.practice_id = practice_id


class Database:
    """One pool per role. `practice` and `practice_transaction` see one practice; `system` sees all, but no person."""

    def __init__(self, application: "_Pool", system: "_Pool", mode: Mode) -> None:
        self._application = application
        self._system = system
        self._mode = mode

    @classmethod
    async def connect(cls, url: str, *, mode: Mode = Mode.SINGLE, pool_size: int = 10) -> "Database":
        """Raises DatabaseUnavailable, or WrongRole where the login could pass the wall."""
        pools: list[asyncpg.Pool[Row]] = []
        try:
            with _failures_explained():
                for role, size in (("officepro_app", pool_size), ("officepro_system", max(2, pool_size // 3))):
                    pools.append(_pool(url, role, mode, size))
                    await pools[-1]
            application, system = map(_Pool, pools)
            database = cls(application, system, mode)
            await database.refuse_wrong_role()
            async with database.system_transaction():
                pass  # it may take that role too
        except BaseException as error:
            for pool in pools:
                pool.terminate()
            if isinstance(error, (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError)):
                raise WrongRole(_NO_ROLES) from error
            raise
        return database

    async def close(self) -> None:
        for pool in (self._application, self._system):
            await pool.close()

    @asynccontextmanager
    async def practice(self, practice_id: int) -> AsyncIterator[Connection]:
        """A connection that sees this practice only; each statement is a transaction of its own."""
        if self._mode is not Mode.SINGLE:
            async with self.practice_transaction(practice_id) as connection:
                yield connection
            return
        with _failures_explained():
            async with self._application.borrowed(practice_id) as connection:
                await connection.bind(practice_id)
                yield connection

    @asynccontextmanager
    async def practice_transaction(self, practice_id: int) -> AsyncIterator[Connection]:
        """The same, all statements in one transaction: committed at the end, or nothing happened."""
        begin = f"BEGIN; SET LOCAL app.practice = '{practice_id:d}'"
        async with self._transaction(self._application, "officepro_app", begin) as connection:
            yield connection

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """A connection for work over all practices, which has no grant on people and visits."""
        if self._mode is Mode.POOLED:
            async with self.system_transaction() as connection:
                yield connection
            return
        with _failures_explained():
            async with self._system.borrowed() as connection:
                yield connection

    @asynccontextmanager
    async def system_transaction(self) -> AsyncIterator[Connection]:
        async with self._transaction(self._system, "officepro_system", "BEGIN") as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, pool: "_Pool", role: str, begin: str) -> AsyncIterator[Connection]:
        if self._mode is Mode.POOLED:
            begin = f"{begin}; SET LOCAL ROLE {role}"
        with _failures_explained():
            async with pool.borrowed() as connection:
                await connection.execute(begin)
                try:
                    yield connection
                except BaseException:
                    if not connection.is_closed():
                        await asyncio.shield(connection.execute("ROLLBACK"))
                    raise
                await connection.execute("COMMIT")

    def connections(self) -> dict[str, tuple[int, int, int]]:
        """By role: how many there are, how many of them are idle, and how many there may be."""
        pools = {"application": self._application, "system": self._system}
        return {name: pool.figures() for name, pool in pools.items()}

    async def is_reachable(self) -> bool:
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT_SECONDS), self.system() as db:
                return bool(await db.fetchval("SELECT true"))
        except (OfficeProError, TimeoutError):
            return False

    async def revision(self) -> str | None:
        """The schema's revision; None where there is no schema yet."""
        async with self.system() as db:
            if await db.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
                return None
            version: str = await db.fetchval("SELECT version_num FROM alembic_version")
            return version

    async def refuse_wrong_role(self) -> None:
        """The application's login may be neither superuser nor BYPASSRLS nor a member of the tables' owner."""
        async with self.practice_transaction(NO_PRACTICE) as db:
            faults = await db.fetchrow(
                """
                SELECT bool_or(rolsuper) AS rolsuper, bool_or(rolbypassrls) AS rolbypassrls,
                       current_setting('server_version_num')::int AS version,
                       EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace
                               AND relkind IN ('r', 'p') AND pg_has_role(session_user, relowner, 'MEMBER')) AS owner
                FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')  -- itself, and all that it can become
                """
            )
        assert faults is not None
        if faults["version"] < OLDEST_SERVER_VERSION:
            raise WrongRole(f"PostgreSQL {faults['version'] // 10000} is too old: officepro needs 16 or newer.")
        for fault, meaning in (
            ("rolsuper", "is a superuser or can become one"),
            ("rolbypassrls", "has BYPASSRLS or can become who has it"),
            ("owner", "owns our tables"),
        ):
            if faults[fault]:
                raise WrongRole(
                    f"The login of OFFICEPRO_DATABASE_URL {meaning}, so row-level security would not hold it to one "
                    "practice. Use a plain login there, and the owner's in OFFICEPRO_OWNER_DATABASE_URL."
                )


class _Pool:
    """asyncpg's pool opens and closes the connections of one role; the checkout hands them round."""

    def __init__(self, pool: "asyncpg.Pool[Row]") -> None:
        self._pool = pool
        self._checkout: Checkout[Connection] = Checkout(
            pool.get_max_size(), self._obtain, self._release, ACQUIRE_TIMEOUT_SECONDS
        )

    @asynccontextmanager
    async def borrowed(self, practice_id: int | None = None) -> AsyncIterator[Connection]:
        connection = await self._checkout.take(practice_id)
        is_whole = True
        try:
            yield connection
        except (asyncio.CancelledError, TimeoutError):
            is_whole = False
            raise
        finally:
            await self._checkout.give_back(connection, is_whole=is_whole)

    async def _obtain(self) -> Connection:
        return cast(Connection, await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS))

    async def _release(self, connection: Connection) -> None:
        await self._pool.release(cast("asyncpg.pool.PoolConnectionProxy[Row]", connection))

    def figures(self) -> tuple[int, int, int]:
        """How many there are, how many of them are idle, and how many there may be."""
        pool = self._pool
        return pool.get_size(), pool.get_idle_size() + self._checkout.resting, pool.get_max_size()

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._close(), timeout=5)
        except TimeoutError:
            self._pool.terminate()

    async def _close(self) -> None:
        await self._checkout.close()
        await self._pool.close()


def _pool(url: str, role: str, mode: Mode, size: int) -> "asyncpg.Pool[Row]":
    """Not connected yet."""
    settings = {
        "application_name": "officepro",
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_SECONDS}s",
        "jit": "off",
        "role": role,
    }
    return asyncpg.create_pool(
        url,
        min_size=min(2, size),
        max_size=size,
        connection_class=Connection,
        reset=_keep_as_it_is,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        max_inactive_connection_lifetime=0 if mode is Mode.SINGLE else 60,
        server_settings=settings if mode is not Mode.POOLED else {"application_name": "officepro"},
        statement_cache_size=256 if mode is not Mode.POOLED else 0,
    )


async def _keep_as_it_is(connection: object) -> None:
    """In place of the pool's reset, which is a second round trip: nothing of ours outlives a transaction unseen."""


def constraint_of(violation: asyncpg.PostgresError) -> str:
    """The violated constraint's name; a distributed database hands it back with the shard's number behind it."""
    name = violation.constraint_name or ""
    return name if name in MEANING else _SHARD_SUFFIX.sub("", name)


@contextmanager
def _failures_explained() -> Iterator[None]:
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as violation:
        if meaning := MEANING.get(constraint_of(violation)):
            raise meaning() from None
        raise
    except Retryable:
        raise Unsettled from None
    except (asyncpg.TooManyConnectionsError, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
        raise Overloaded from None
    except TimeoutError:
        raise Overloaded from None
    except (
        asyncpg.PostgresConnectionError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.InterfaceError,
        OSError,
    ) as failure:
        raise DatabaseUnavailable from failure
