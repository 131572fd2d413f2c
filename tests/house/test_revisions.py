"""A revision runs while the version before it is at work: it may not hold up a big table, nor take away what that
version asks for, and what it makes must find its place on a distributed database. (docs/migrations.md)"""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from officepro.foundation.distribution import LOCAL_TABLES
from officepro.migrations import run
from tests.house.statements import VOLATILE, _functions, parsed

VERSIONS = Path(run.__file__).parent / "versions"
BEFORE_THE_FIRST_RELEASE = 8  # revisions that no service at work has ever met
RESTRAINED = {"AT_DropColumn", "AT_DropConstraint", "AT_DropNotNull", "AT_ColumnDefault", "AT_SetStatistics"}
RESTRAINED |= {"AT_SetRelOptions", "AT_ResetRelOptions", "AT_AttachPartition"}
NODES_REFUSED = {
    "TruncateStmt": "empties a table",
    "ClusterStmt": "rewrites a table",
    "VacuumStmt": "rewrites a table",
    "ReindexStmt": "locks a table",
    "LockStmt": "locks a table",
    "RenameStmt": "renames what the version before asks for",
    "UpdateStmt": "changes rows of a table that is there: fill it up from the worker, some rows at a time",
    "DeleteStmt": "changes rows of a table that is there: clear it from the worker, some rows at a time",
}


def load(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def sql_of(module: Any) -> list[str]:
    """What `upgrade` executes; anything but op.execute and op.get_context().autocommit_block() fails here."""
    said: list[str] = []
    module.op = SimpleNamespace(
        execute=said.append, get_context=lambda: SimpleNamespace(autocommit_block=lambda: nullcontext())
    )
    module.upgrade()
    return said


class Revisions:
    """What the revisions before have made, which is there and may be big."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.proven: set[tuple[str, str]] = set()  # table and column that a validated CHECK keeps from NULL
        self._checks: dict[tuple[str, str], str] = {}  # not validated: the column that it keeps from NULL

    def faults(self, said: list[str]) -> list[str]:
        statements = [statement for text in said for statement in parsed(text)]
        self._new: set[str] = set()
        self._added: set[tuple[str, str]] = set()
        found = [fault for statement in statements for fault in self._of(statement)]
        found += self._of_place(statements)
        self.tables |= self._new
        return found

    def _of(self, statement: dict[str, Any]) -> Iterator[str]:
        ((kind, node),) = statement.items()
        if kind == "CreateStmt":
            self._new |= set() if "partbound" in node else {node["relation"]["relname"]}  # a partition: as its parent
        elif kind == "AlterTableStmt" and node["relation"]["relname"] in self.tables:
            if len(node["cmds"]) > 1 and "AT_AddConstraint" in str(node["cmds"]):
                yield "adds a constraint together with something else, which a distributed database does not take"
            for command in node["cmds"]:
                yield from self._of_command(node["relation"]["relname"], command["AlterTableCmd"])
        elif kind == "IndexStmt" and node["relation"]["relname"] in self.tables:
            if not node.get("concurrent") and node["relation"].get("inh", False):
                yield "makes an index of a table that is there, without CONCURRENTLY"
        elif kind == "DoStmt":
            body = str(node)
            if re.search(r"ALTER\s+TABLE|CREATE\s+(UNIQUE\s+)?INDEX|UPDATE\s", body, re.IGNORECASE):
                yield "does in a DO block what is not looked at there"
        elif kind in NODES_REFUSED and self._touches(node):
            yield NODES_REFUSED[kind]

    def _touches(self, node: dict[str, Any]) -> bool:
        named = set(re.findall(r"'relname': '(\w+)'", str(node)))
        return not named or bool(named & self.tables)

    def _of_command(self, table: str, command: dict[str, Any]) -> Iterator[str]:
        kind, name = command["subtype"], command.get("name", "")
        if kind == "AT_AddColumn":
            yield from _of_new_column(command["def"]["ColumnDef"])
        elif kind == "AT_AddConstraint":
            yield from self._of_constraint(table, command["def"]["Constraint"])
        elif kind == "AT_ValidateConstraint":
            if (table, name) in self._added:
                yield "validates a constraint in the transaction that added it, which locks the table meanwhile"
            elif (table, name) in self._checks:
                self.proven.add((table, self._checks[table, name]))
        elif kind == "AT_SetNotNull":
            if (table, name) not in self.proven:
                yield "sets NOT NULL without a validated CHECK, which reads the whole table"
        elif kind not in RESTRAINED:
            yield f"alters a table in a way that rewrites or locks it: {kind}"

    def _of_constraint(self, table: str, constraint: dict[str, Any]) -> Iterator[str]:
        kind, name = constraint["contype"], constraint.get("conname", "")
        if kind in ("CONSTR_CHECK", "CONSTR_FOREIGN"):
            if not constraint.get("skip_validation"):
                yield "adds a constraint that is not NOT VALID, which reads the whole table"
            self._added.add((table, name))
            test = constraint.get("raw_expr", {}).get("NullTest")
            if test and test["nulltesttype"] == "IS_NOT_NULL":
                self._checks[table, name] = test["arg"]["ColumnRef"]["fields"][-1]["String"]["sval"]
        elif "indexname" not in constraint:
            yield "makes an index under a lock; make it CONCURRENTLY, and add the constraint USING INDEX"

    def _of_place(self, statements: list[dict[str, Any]]) -> Iterator[str]:
        """Whether each new table is sent where it belongs, and foreign keys come after that."""
        spread = set()
        for statement in statements:
            if found := re.search(r"'spread_table'.*?'sval': '(\w+)'", str(statement)):
                spread.add(found[1])
            ((kind, node),) = statement.items()
            if kind == "AlterTableStmt" and "CONSTR_FOREIGN" in str(node):
                table = node["relation"]["relname"]
                if table in self._new and table not in spread:
                    yield f"ties {table} to others before spread_table('{table}')"
            if kind == "CreateStmt" and "CONSTR_FOREIGN" in str(node):
                yield f"ties {node['relation']['relname']} to others while it is made; add foreign keys afterwards"
        for table in sorted(self._new - spread - LOCAL_TABLES):
            yield f"makes {table} without spread_table('{table}')"


def _of_new_column(column: dict[str, Any]) -> Iterator[str]:
    constraints = {each["Constraint"]["contype"]: each["Constraint"] for each in column.get("constraints", [])}
    if column["typeName"]["names"][-1]["String"]["sval"].endswith("serial"):
        yield "adds a column of a serial type, which rewrites the table"
    if refused := set(constraints) - {"CONSTR_DEFAULT", "CONSTR_NOTNULL", "CONSTR_NULL"}:
        yield f"adds a column with more than a default: {', '.join(sorted(refused))}"
    if "CONSTR_NOTNULL" in constraints and "CONSTR_DEFAULT" not in constraints:
        yield "adds a column that is NOT NULL and has no default"
    if _functions(constraints.get("CONSTR_DEFAULT")) & VOLATILE:
        yield "adds a column with a default that differs by row, which rewrites the table"


def test_no_revision_holds_up_a_service_at_work() -> None:
    revisions = Revisions()
    faults = {}
    for path in sorted(VERSIONS.glob("[0-9]*.py")):
        found = revisions.faults(sql_of(load(path)))
        if found and int(path.name[:4]) > BEFORE_THE_FIRST_RELEASE:
            faults[path.name] = found

    assert {"visit", "patient", "log"} <= revisions.tables
    assert faults == {}


@pytest.fixture
def revisions() -> Revisions:
    """All that there are."""
    known = Revisions()
    for path in sorted(VERSIONS.glob("[0-9]*.py")):
        known.faults(sql_of(load(path)))
    return known


# The control: revisions that must not land.
BAD = {
    "ALTER TABLE visit ALTER COLUMN notes TYPE varchar(9)": "rewrites or locks it: AT_AlterColumnType",
    "ALTER TABLE visit ADD COLUMN token uuid DEFAULT gen_random_uuid()": "differs by row",
    "ALTER TABLE visit ADD COLUMN seen timestamptz DEFAULT clock_timestamp()": "differs by row",
    "ALTER TABLE visit ADD COLUMN number bigserial": "serial",
    "ALTER TABLE visit ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY": "CONSTR_IDENTITY",
    "ALTER TABLE visit ADD COLUMN day date GENERATED ALWAYS AS ('2026-01-01') STORED": "CONSTR_GENERATED",
    "ALTER TABLE visit ADD COLUMN fee numeric NOT NULL": "has no default",
    "ALTER TABLE visit ADD COLUMN fee numeric CHECK (fee > 0)": "CONSTR_CHECK",
    "ALTER TABLE visit ADD COLUMN tag_id bigint REFERENCES tag (tag_id)": "CONSTR_FOREIGN",
    "ALTER TABLE visit ALTER COLUMN notes SET NOT NULL": "without a validated CHECK",
    "ALTER TABLE visit ADD CONSTRAINT v CHECK (notes <> '')": "not NOT VALID",
    "ALTER TABLE visit ADD CONSTRAINT v FOREIGN KEY (practice_id, room_id) REFERENCES room": "not NOT VALID",
    "ALTER TABLE tag ADD CONSTRAINT v CHECK (tag <> '') NOT VALID; ALTER TABLE tag VALIDATE CONSTRAINT v": "added it",
    "ALTER TABLE visit ADD CONSTRAINT v UNIQUE (practice_id, starts_at)": "under a lock",
    "ALTER TABLE visit DROP CONSTRAINT visit_status, ADD CONSTRAINT v CHECK (status <> '') NOT VALID": "together with",
    "ALTER TABLE visit SET TABLESPACE slow": "AT_SetTableSpace",
    "ALTER TABLE visit SET UNLOGGED": "AT_SetUnLogged",
    "ALTER TABLE visit RENAME COLUMN notes TO remarks": "renames",
    "ALTER TABLE visit RENAME TO appointment": "renames",
    "CREATE INDEX visit_notes ON visit (practice_id, notes)": "without CONCURRENTLY",
    "CREATE UNIQUE INDEX visit_notes ON visit (practice_id, notes)": "without CONCURRENTLY",
    "UPDATE visit SET notes = ''": "changes rows",
    "DELETE FROM visit": "changes rows",
    "TRUNCATE visit": "empties",
    "VACUUM FULL visit": "rewrites",
    "LOCK TABLE visit": "locks",
    "REINDEX TABLE visit": "locks",
    "DO $$ BEGIN ALTER TABLE visit ALTER COLUMN notes TYPE varchar(9); END $$": "in a DO block",
    "CREATE TABLE allergy (practice_id bigint)": "without spread_table('allergy')",
    "CREATE TABLE allergy (practice_id bigint REFERENCES practice); SELECT spread_table('allergy')": "while it is made",
    "CREATE TABLE a (practice_id bigint); ALTER TABLE a ADD FOREIGN KEY (practice_id) REFERENCES practice; "
    "SELECT spread_table('a')": "before spread_table('a')",
}


@pytest.mark.parametrize("sql", BAD)
def test_a_revision_that_would_is_refused(revisions: Revisions, sql: str) -> None:
    found = revisions.faults([sql])
    assert any(BAD[sql] in fault for fault in found), found


GOOD = (
    ["ALTER TABLE visit ADD COLUMN fee numeric"],
    ["ALTER TABLE visit ADD COLUMN fee numeric NOT NULL DEFAULT 0"],
    ["ALTER TABLE visit ADD COLUMN made timestamptz DEFAULT now()"],  # the same for all rows that are there
    ["ALTER TABLE visit DROP COLUMN notes"],
    ["ALTER TABLE visit ALTER COLUMN notes SET DEFAULT ''", "ALTER TABLE visit DROP CONSTRAINT visit_status"],
    ["ALTER TABLE visit ADD CONSTRAINT v CHECK (notes <> '') NOT VALID"],
    ["CREATE INDEX CONCURRENTLY visit_notes ON visit (practice_id, notes)"],
    ["CREATE TABLE request_log_unsummed (request_log_ids bigint[])"],  # which stays on the coordinator
    ["CREATE INDEX log_scopes ON ONLY log (practice_id, scope)"],  # to which the partitions' are attached
    ["ALTER TABLE visit ADD CONSTRAINT v UNIQUE USING INDEX visit_notes"],
    [
        "CREATE TABLE a (practice_id bigint, CONSTRAINT a_key PRIMARY KEY (practice_id)); SELECT spread_table('a'); "
        "ALTER TABLE a ADD CONSTRAINT a_practice FOREIGN KEY (practice_id) REFERENCES practice; "
        "CREATE INDEX a_of ON a (practice_id)"
    ],
)


@pytest.mark.parametrize("said", GOOD)
def test_what_holds_nobody_up_is_not(revisions: Revisions, said: list[str]) -> None:
    assert revisions.faults(said) == []


def test_not_null_takes_three_revisions(revisions: Revisions) -> None:
    """Each is a transaction of its own: the first locks for a moment, the second reads without a lock."""
    steps = (
        "ALTER TABLE visit ADD CONSTRAINT visit_notes_there CHECK (notes IS NOT NULL) NOT VALID",
        "ALTER TABLE visit VALIDATE CONSTRAINT visit_notes_there",
        "ALTER TABLE visit ALTER COLUMN notes SET NOT NULL",
    )
    assert [revisions.faults([step]) for step in steps] == [[], [], []]


def test_a_revision_is_written_as_sql(revisions: Revisions, tmp_path: Path) -> None:
    file = tmp_path / "9998_columns.py"
    file.write_text("from alembic import op\n\ndef upgrade():\n    op.add_column('visit', None)\n")
    with pytest.raises(AttributeError):
        sql_of(load(file))
