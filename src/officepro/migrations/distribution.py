"""Distribute a migrated database, with its data, over the nodes of a Citus cluster.

Citus distributes a table only if no foreign key connects it to a table that is not distributed. Therefore the foreign
keys are stored in a table and dropped; each table becomes a reference table or is distributed by practice, colocated
with the other tables; then the foreign keys are created again. The stored definitions remain until the end: an
interrupted run can be continued, and until then the service does not start.

Each statement is a separate transaction, because Citus executes each kind differently. (docs/distributed.md)
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy

from officepro.foundation import distribution
from officepro.foundation.distribution import DISTRIBUTION_COLUMN, UNFINISHED, wanted
from officepro.migrations.run import MigrationRefused, connected, refuse_pooler, revision_of, revisions

FIRST_TENANT = "practice_setup"  # first of the colocation group: small, and every practice has a row in it


class DistributionRefused(MigrationRefused):
    """The database cannot be distributed in its current state."""

    code = "distribution_refused"


@dataclass(frozen=True)
class Table:
    """A table with its present distribution."""

    name: str
    spread: str | None
    colocation: int | None
    is_tenant: bool

    @property
    def wanted(self) -> str | None:
        """The required distribution: reference, tenant, or None."""
        return wanted(self.name, is_tenant=self.is_tenant)


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key with its definition."""

    table: str
    name: str
    definition: str
    refers_to: str


def plan(owner_url: str) -> list[str]:
    """Return the remaining statements, in order; none for a distributed database.

    Without Citus, return the statements for a database like this one. Raises DistributionRefused.
    """
    with _looking(owner_url) as connection:
        return list(_Database(connection).statements())


def distribute(owner_url: str, tell: Callable[[str], None]) -> int:
    """Run the statements of `plan`, passing each to `tell` before it is run. Return their number.

    Safe to repeat, also after a failure. Raises DistributionRefused.
    """
    with _looking(owner_url) as connection:
        found = _Database(connection)
        found.refuse_unready()
        statements = list(found.statements())
        done = 0
        for statement in statements:
            tell(statement)
            try:
                connection.exec_driver_sql(statement)
            except sqlalchemy.exc.DBAPIError as error:
                reason = str(error.orig).strip().splitlines()[0]
                raise DistributionRefused(
                    f"This statement failed: {statement}\n{reason}\nThe statements before it were applied. Fix the "
                    "cause, then run officepro distribute again."
                ) from error
            done += 1
        left = [table.name for table in found.tables() if table.spread != table.wanted]
        assert not left, left
        return done


@contextmanager
def _looking(owner_url: str) -> Iterator[sqlalchemy.Connection]:
    with connected(owner_url, "officepro distribute") as connection:
        refuse_pooler(connection, owner_url)
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


class _Database:
    """The database's present state, and the statements that distribute it."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self._connection = connection
        self._has_citus = bool(self._value(distribution.HAS_CITUS))
        if revision_of(connection) != revisions()[0]:
            raise DistributionRefused("The database is not at the newest revision: run officepro migrate first.")

    def _value(self, query: str) -> Any:
        return self._connection.exec_driver_sql(query).scalar()

    def _rows(self, query: str) -> Sequence[Any]:
        return self._connection.exec_driver_sql(query).all()

    def refuse_unready(self) -> None:
        """Raise DistributionRefused if Citus or the coordinator is not set up, or the service is running."""
        if not self._has_citus:
            raise DistributionRefused(
                "Citus is not installed in this database: install its package on every node, add citus to "
                "shared_preload_libraries, and run CREATE EXTENSION citus. (officepro distribute --plan shows the "
                "statements.)"
            )
        if not self._value("SELECT EXISTS (SELECT FROM pg_dist_node WHERE groupid = 0)"):
            raise DistributionRefused(
                "The coordinator is not registered: run SELECT citus_set_coordinator_host('its name') on it, and "
                "SELECT citus_add_node('name', 5432) for each worker."
            )
        if at_work := self._value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'officepro'"
        ):
            raise DistributionRefused(
                f"The service is running ({at_work} sessions), and foreign keys will be dropped: stop the API, the "
                "worker and the pooler first."
            )

    def tables(self) -> list[Table]:
        """Return all tables with their distribution."""
        query = distribution.TABLES if self._has_citus else distribution.TABLES_WITHOUT_CITUS
        return [Table(row.name, row.spread, row.colocation, row.is_tenant) for row in self._rows(query)]

    def statements(self) -> Iterator[str]:
        """Yield the remaining statements. Raises DistributionRefused."""
        tables = self.tables()
        todo = [table for table in tables if table.wanted is not None and table.spread != table.wanted]
        is_unfinished = bool(self._value(distribution.IS_UNFINISHED))
        if not todo and not is_unfinished:
            return
        if strange := [table.name for table in todo if table.spread is not None]:
            raise DistributionRefused(f"These tables have an unexpected distribution: {', '.join(strange)}.")
        if len({table.colocation for table in tables if table.spread == "tenant"}) > 1:
            raise DistributionRefused("The tables of practices are not in one colocation group.")
        yield "CREATE EXTENSION IF NOT EXISTS btree_gist"
        yield from self._logins()
        foreign_keys = self._foreign_keys({table.name for table in todo})
        if foreign_keys or not is_unfinished:
            yield _taking_off(foreign_keys)
        yield from self._triggers({table.name for table in todo})
        opened = self._opened()
        to_open = {name for table in todo if table.is_tenant for name in self._with_partitions(table)} - opened
        yield from (f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY" for name in sorted(to_open))
        yield from _spreading(tables, todo)
        noted = self._noted() if is_unfinished else []
        yield from _truncating([*(self._copied() if is_unfinished else ()), *(table.name for table in todo)])
        yield from _putting_back([*noted, *foreign_keys])
        yield from (f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY" for name in sorted(opened | to_open))
        yield f"DROP TABLE {UNFINISHED}"

    def _logins(self) -> Iterator[str]:
        """Yield statements that allow the service's roles to log in: nodes connect to each other under the current
        role."""
        for row in self._rows(
            "SELECT rolname FROM pg_roles WHERE rolname IN ('officepro_app', 'officepro_system') AND NOT rolcanlogin "
            "ORDER BY rolname"
        ):
            yield f"ALTER ROLE {row.rolname} LOGIN"

    def _foreign_keys(self, tables: set[str]) -> list[ForeignKey]:
        """Return the foreign keys of and to these tables."""
        rows = self._rows(
            """
            SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition,
                   confrelid::regclass::text AS refers_to
            FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conparentid = 0
            ORDER BY 1, 2
            """
        )
        found = [ForeignKey(row.table, row.name, row.definition, row.refers_to) for row in rows]
        return [key for key in found if key.table in tables or key.refers_to in tables]

    def _triggers(self, tables: set[str]) -> Iterator[str]:
        """Yield statements that drop the service's triggers: a distributed table cannot have any. Triggers of other
        programs have to be dropped by their owners."""
        for row in self._rows(
            """
            SELECT tgname AS name, tgrelid::regclass::text AS table FROM pg_trigger
            WHERE NOT tgisinternal AND tgname ~ '^visit_.*_elsewhere$' ORDER BY 2, 1
            """
        ):
            if row.table in tables:
                yield f"DROP TRIGGER {row.name} ON {row.table}"

    def _noted(self) -> list[ForeignKey]:
        """Return the foreign keys that an earlier run has dropped and that are not created again."""
        rows = self._rows(
            f"""
            SELECT t.table_name, t.name, t.definition FROM {UNFINISHED} t WHERE NOT EXISTS (
                SELECT FROM pg_constraint c WHERE c.conname = t.name AND c.conrelid = to_regclass(t.table_name))
            ORDER BY 1, 2
            """
        )
        return [ForeignKey(row.table_name, row.name, row.definition, "") for row in rows]

    def _opened(self) -> set[str]:
        """Return tables whose FORCE ROW LEVEL SECURITY an earlier run has switched off."""
        rows = self._rows(
            """
            SELECT c.relname::text AS name FROM pg_class c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity AND NOT c.relforcerowsecurity
            """
        )
        return {row.name for row in rows}

    def _copied(self) -> list[str]:
        """Return tables that an earlier run has distributed, and whose local data is not truncated yet."""
        rows = self._rows(
            """
            SELECT d.logicalrel::text AS name FROM pg_dist_partition d JOIN pg_class c ON c.oid = d.logicalrel
            WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND pg_relation_size(c.oid) + (
                SELECT coalesce(sum(pg_relation_size(inhrelid)), 0) FROM pg_inherits WHERE inhparent = c.oid) > 0
            ORDER BY 1
            """
        )
        return [row.name for row in rows]

    def _with_partitions(self, table: Table) -> list[str]:
        rows = self._rows(
            f"SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = '{table.name}'::regclass"
        )
        return [table.name, *(row.name for row in rows)]


def _taking_off(foreign_keys: Sequence[ForeignKey]) -> str:
    """Return one transaction that stores and drops the foreign keys, so that none is dropped without being stored."""
    values = ", ".join(
        f"\n    ({_quoted(key.table)}, {_quoted(key.name)}, {_quoted(key.definition)})" for key in foreign_keys
    )
    lines = [
        "BEGIN",
        f"CREATE TABLE IF NOT EXISTS {UNFINISHED} (table_name text, name text, definition text, "
        "PRIMARY KEY (table_name, name))",
    ]
    if foreign_keys:
        lines.append(
            f"INSERT INTO {UNFINISHED} (table_name, name, definition) VALUES{values}\n    ON CONFLICT DO NOTHING"
        )
    lines += [f"ALTER TABLE {key.table} DROP CONSTRAINT {key.name}" for key in foreign_keys]
    return ";\n".join([*lines, "COMMIT"])


def _spreading(tables: Sequence[Table], todo: Sequence[Table]) -> Iterator[str]:
    """Yield statements that distribute tables; reference tables first, because foreign keys of tenant tables refer to
    them."""
    for table in todo:
        if table.wanted == "reference":
            yield f"SELECT create_reference_table('{table.name}')"
    first = next((table.name for table in tables if table.spread == "tenant"), None)
    for table in sorted(todo, key=lambda table: table.name != FIRST_TENANT):
        if table.wanted == "tenant":
            yield (
                f"SELECT create_distributed_table('{table.name}', '{DISTRIBUTION_COLUMN}', "
                f"colocate_with => '{first or 'none'}')"
            )
            first = first or table.name


def _truncating(tables: Sequence[str]) -> Iterator[str]:
    """Yield statements that free the coordinator's disk of data that was copied to the nodes."""
    for table in tables:
        yield f"SELECT truncate_local_data_after_distributing_table('{table}')"


def _putting_back(foreign_keys: Sequence[ForeignKey]) -> Iterator[str]:
    for key in foreign_keys:
        yield f"ALTER TABLE {key.table} ADD CONSTRAINT {key.name} {key.definition}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
