"""Every SQL statement of ours, parsed by PostgreSQL's own grammar, and what it does to which practice.

Most statements stand in the code as they are run, or are put together of a module's constants: those are read from the
source. The few that a function composes of what it was asked are recorded while it is called. (`composed.py`)
"""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pglast.parser import ParseError, parse_sql_json

import officepro

SOURCE = Path(officepro.__file__).parent
METHODS = {"execute", "executemany", "fetch", "fetchrow", "fetchval"}
COLUMN = "practice_id"

Node = dict[str, Any]


@dataclass(frozen=True)
class Statement:
    where: str  # module and function, or module and constant
    text: str


def in_source() -> tuple[list[Statement], list[str]]:
    """The statements that can be read, and where those are that are composed at run time."""
    found, composed = [], []
    for path in sorted(SOURCE.rglob("*.py")):
        if "migrations" in path.parts or path.name == "database.py":
            continue
        tree = ast.parse(path.read_text())
        calls = list(_calls(tree))
        if not calls and "foundation.joining" not in path.read_text():  # which sends the statements of others
            continue
        name = ".".join(["officepro", *path.relative_to(SOURCE).with_suffix("").parts])
        module = importlib.import_module(name)
        short = name.removeprefix("officepro.")
        for function, argument in calls:
            try:
                text = eval(compile(ast.Expression(argument), str(path), "eval"), dict(vars(module)))  # noqa: S307
            except NameError:
                composed.append(f"{short}.{function}")
            else:
                found.append(Statement(f"{short}.{function}", text))
        for constant, value in vars(module).items():
            if (
                isinstance(value, str)
                and re.match(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b", value)
                and _is_whole(value)
            ):
                found.append(Statement(f"{short}.{constant}", value))
    return found, composed


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in METHODS
                and node.args
            ):
                yield function.name, node.args[0]


def _is_whole(text: str) -> bool:
    """Not the beginning or the end of one alone."""
    try:
        parsed(text)
    except ParseError:
        return False
    return True


@cache
def parsed(text: str) -> list[Node]:
    return [each["stmt"] for each in json.loads(parse_sql_json(text))["stmts"]]


def faults_of(text: str, tenants: frozenset[str], globals_: frozenset[str]) -> list[str]:
    """What a distributed database would refuse, and where a practice is not named; cross-practice reads begin with
    "reads"."""
    return [fault for statement in parsed(text) for fault in _Reading(tenants, globals_).faults(statement)]


class _Reading:
    """One statement. `tenants` are distributed by practice, `globals_` are reference tables."""

    def __init__(self, tenants: frozenset[str], globals_: frozenset[str]) -> None:
        self._tenants = tenants
        self._globals = globals_
        self._found: list[str] = []
        self._practices: set[str] = set()

    def faults(self, statement: Node) -> list[str]:
        self._query(statement, set(), set())
        if len(self._practices) > 1:
            self._found.append(f"names more than one practice: {sorted(self._practices)}")
        if _tables(statement) & self._tenants and _is_recursive(statement) and _writes(statement):
            self._found.append("is recursive and writes to a distributed table")
        return self._found

    def _query(self, node: Node, bound: set[str], names: set[str]) -> None:
        """`bound` are the aliases around it whose practice is named; `names` are common table expressions."""
        ((kind, query),) = node.items()
        if kind == "VariableSetStmt":
            return
        names = set(names)
        for each in query.get("withClause", {}).get("ctes", []):
            expression = each["CommonTableExpr"]
            if query["withClause"].get("recursive"):
                names.add(expression["ctename"])
            self._query(expression["ctequery"], bound, names)
            names.add(expression["ctename"])
        getattr(self, f"_{kind}")(query, bound, names)

    def _SelectStmt(self, query: Node, bound: set[str], names: set[str]) -> None:  # noqa: N802
        if query.get("op", "SETOP_NONE") != "SETOP_NONE":
            for side in ("larg", "rarg"):
                self._query({"SelectStmt": query[side]}, bound, names)
            return
        relations, unions = _from(query.get("fromClause", []))
        bound = bound - relations.keys()  # an alias of this query hides that of a query around it
        conditions = [query.get("whereClause"), *_join_conditions(query.get("fromClause", []))]
        inside = bound | self._bound(relations, unions, conditions, bound)
        for alias, table in relations.items():
            if table in self._tenants and table not in names and alias not in inside:
                self._found.append(f"reads {table} of every practice")
        if locking := query.get("lockingClause"):
            locked = {
                relation["RangeVar"]["relname"]
                for each in locking
                for relation in each["LockingClause"].get("lockedRels", [])
            } or set(relations)
            for alias in locked:
                if relations.get(alias) in self._tenants and alias not in inside - bound:
                    self._found.append(f"locks {relations[alias]} of every practice")
        self._below([value for key, value in query.items() if key != "withClause"], inside, names)

    def _InsertStmt(self, query: Node, bound: set[str], names: set[str]) -> None:  # noqa: N802
        table = query["relation"]["relname"]
        select = query["selectStmt"]["SelectStmt"]
        if table in self._tenants:
            columns = [each["ResTarget"]["name"] for each in query.get("cols", [])]
            if COLUMN not in columns:
                self._found.append(f"inserts into {table} without a practice")
            else:
                place = columns.index(COLUMN)
                rows = [each["List"]["items"] for each in select.get("valuesLists", [])] or [
                    [each["ResTarget"]["val"] for each in select["targetList"]]
                ]
                for row in rows:
                    if (practice := _practice(row[place])) is None:
                        self._found.append(f"inserts into {table} for many practices at once")
                    else:
                        self._practices.add(practice)
        self._query(query["selectStmt"], bound, names)
        conflict = query.get("onConflictClause", {})
        if table in self._tenants | self._globals:
            for function in sorted(_functions(conflict) & (STABLE | VOLATILE)):
                self._found.append(f"calls {function}() in an ON CONFLICT of {table}")

    def _UpdateStmt(self, query: Node, bound: set[str], names: set[str]) -> None:  # noqa: N802
        self._change(query, bound, names, "updates", query.get("fromClause", []))

    def _DeleteStmt(self, query: Node, bound: set[str], names: set[str]) -> None:  # noqa: N802
        self._change(query, bound, names, "deletes from", query.get("usingClause", []))

    def _change(self, query: Node, bound: set[str], names: set[str], verb: str, sources: list[Node]) -> None:
        table = query["relation"]["relname"]
        alias = query["relation"].get("alias", {}).get("aliasname", table)
        relations, unions = _from(sources)
        inside = self._bound({alias: table, **relations}, unions, [query.get("whereClause")], set())
        if table in self._tenants and alias not in inside:
            self._found.append(f"{verb} {table} of every practice")
        for other, read in relations.items():
            if read in self._tenants and read not in names and other not in inside | bound:
                self._found.append(f"reads {read} of every practice")
        if table in self._tenants | self._globals:
            for function in sorted(_functions([query.get("targetList"), query.get("whereClause")]) & VOLATILE):
                self._found.append(f"calls {function}() in a change of {table}")
        self._below([value for key, value in query.items() if key != "withClause"], bound | inside, names)

    def _below(self, node: Any, bound: set[str], names: set[str]) -> None:
        """The queries inside of it."""
        if isinstance(node, list):
            for each in node:
                self._below(each, bound, names)
        elif isinstance(node, dict):
            for key, value in node.items():
                if key in ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt"):
                    self._query({key: value}, bound, names)
                else:
                    self._below(value, bound, names)

    def _bound(
        self, relations: dict[str, str], unions: list[set[str]], conditions: list[Any], around: set[str]
    ) -> set[str]:
        """The aliases whose practice is named, be it by way of another with the same practice."""
        groups = [set(union) for union in unions]
        bound: set[str] = set()
        for equality in (each for condition in conditions for each in _equalities(condition)):
            left, right = (_column(side, relations) for side in equality)
            for mine, other in ((left, equality[1]), (right, equality[0])):
                if mine and (practice := _practice(other)) is not None:
                    bound |= mine
                    self._practices.add(practice)
            if left and right:
                groups.append(left | right)
        grown = True
        bound |= around
        while grown:
            grown = False
            for group in groups:
                if group & bound and not group <= bound:
                    bound |= group
                    grown = True
        return bound


THIS = "this"  # the alias by which `each_asked` names the bound practice
STABLE = {"now", "statement_timestamp", "current_setting"}
VOLATILE = {"clock_timestamp", "gen_random_uuid", "nextval", "random", "set_config"}


def _from(clause: list[Node]) -> tuple[dict[str, str], list[set[str]]]:
    """Tables by their aliases, and which have the same practice by USING (practice_id)."""
    relations: dict[str, str] = {}
    unions = []
    for node in clause:
        found, same = _from_one(node)
        relations |= found
        unions += same
    return relations, unions


def _from_one(node: Node) -> tuple[dict[str, str], list[set[str]]]:
    if "RangeVar" in node:
        table = node["RangeVar"]["relname"]
        return {node["RangeVar"].get("alias", {}).get("aliasname", table): table}, []
    if "JoinExpr" in node:
        join = node["JoinExpr"]
        (left, unions), (right, more) = _from_one(join["larg"]), _from_one(join["rarg"])
        unions = [*unions, *more]
        if COLUMN in [each["String"]["sval"] for each in join.get("usingClause", [])]:
            unions.append({*left, *right})
        return {**left, **right}, unions
    if "RangeSubselect" in node:
        return {node["RangeSubselect"].get("alias", {}).get("aliasname", ""): ""}, []
    if "RangeFunction" in node:
        return {node["RangeFunction"].get("alias", {}).get("aliasname", ""): ""}, []
    raise NotImplementedError(node)


def _join_conditions(clause: list[Node]) -> list[Any]:
    found = []
    for node in clause:
        if "JoinExpr" in node:
            join = node["JoinExpr"]
            found += [join.get("quals"), *_join_conditions([join["larg"], join["rarg"]])]
    return found


def _equalities(condition: Any) -> Iterator[tuple[Node, Node]]:
    """Those that must hold."""
    if not condition:
        return
    if "BoolExpr" in condition and condition["BoolExpr"]["boolop"] == "AND_EXPR":
        for each in condition["BoolExpr"]["args"]:
            yield from _equalities(each)
    if "A_Expr" in condition:
        expression = condition["A_Expr"]
        if expression["kind"] == "AEXPR_OP" and expression["name"][0]["String"]["sval"] == "=":
            yield expression["lexpr"], expression["rexpr"]


def _column(node: Node, relations: dict[str, str]) -> set[str]:
    """The aliases that a mention of practice_id means; none where it is something else."""
    if "ColumnRef" not in node:
        return set()
    fields = [each["String"]["sval"] for each in node["ColumnRef"]["fields"] if "String" in each]
    if fields[-1:] != [COLUMN]:
        return set()
    return {fields[0]} if len(fields) > 1 else set(relations)


def _practice(node: Node) -> str | None:
    """A parameter, a number, or the practice that the statement has bound itself to in `this` (see `each_asked`)."""
    if "ColumnRef" in node:
        fields = [each["String"]["sval"] for each in node["ColumnRef"]["fields"] if "String" in each]
        return THIS if fields == ["this", COLUMN] else None
    if "TypeCast" in node:
        return _practice(node["TypeCast"]["arg"])
    if "ParamRef" in node:
        return f"${node['ParamRef']['number']}"
    if "A_Const" in node:
        return str(node["A_Const"].get("ival", {}).get("ival", 0))
    return None


def _functions(node: Any) -> set[str]:
    """Of this query's own expressions, those of queries inside of it left out."""
    if isinstance(node, list):
        return set().union(*map(_functions, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    found = set()
    for key, value in node.items():
        if key == "FuncCall":
            found.add(value["funcname"][-1]["String"]["sval"])
        if key != "SelectStmt":
            found |= _functions(value)
    return found


def _tables(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_tables, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    own = {node["relname"]} if "relname" in node else set()
    return own.union(*map(_tables, node.values())) if node else own


def _is_recursive(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_is_recursive, node))
    return isinstance(node, dict) and (node.get("recursive") is True or any(map(_is_recursive, node.values())))


def _writes(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_writes, node))
    return isinstance(node, dict) and any(
        key in ("InsertStmt", "UpdateStmt", "DeleteStmt") or _writes(value) for key, value in node.items()
    )
