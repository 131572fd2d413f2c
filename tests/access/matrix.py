"""The matrix: every route of the application × every kind of caller, checked against the route's own guard.

Generated from the route table: new routes are included, and a guard that does not do what it declares fails the
test."""

from collections import Counter
from dataclasses import dataclass, field

import httpx
import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from officepro.access.guards import IsOpen, PageGuard, Requires, RequiresAdmin
from officepro.documentation.document import handlers
from officepro.door import Door
from officepro.foundation.documented import documented_of
from officepro.portal.frame import SignedIn
from tests.access.callers import Kind, every_kind, from_everywhere
from tests.world import Office, client

ABSENT = 987_654_321
REFUSALS = {"another_practice", "missing_scope"}
# Its handler requires the scopes of the requested events.
ASKS_FOR_MORE = "/v1/webhooks/signup"
Guard = Requires | RequiresAdmin | IsOpen | PageGuard


@dataclass
class Outcome:
    """Lists that must be empty, and the number of requests."""

    faults: list[str] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)  # by status
    let_in: int = 0
    routes: int = 0
    kinds: int = 0

    def __str__(self) -> str:
        refused = ", ".join(f"{count} × {status}" for status, count in sorted(self.refused.items()))
        return (
            f"{self.routes} routes × {self.kinds} kinds of caller: {len(self.faults)} faults; "
            f"let in {self.let_in}, refused {refused}"
        )


async def matrix(app: Litestar, office: Office, other: Office) -> Outcome:
    kinds, outcome = await every_kind(office, other), Outcome()
    outcome.kinds = len(kinds)
    async with client(from_everywhere(Door(app))) as caller:
        for route, method, handler in handlers(app):
            outcome.routes += 1
            for kind in kinds:
                request = request_of(route.path_format, method, handler, office)
                answer = await caller.request(*request[:2], content=request[2], headers=_headers(kind, request[2]))
                caller.cookies.clear()
                fault = _fault(guard_of(handler), kind, route.path_format, method, answer, outcome)
                if fault is not None:
                    outcome.faults.append(f"{method} {route.path_format}, {kind.name}: {fault}")
    return outcome


def guard_of(handler: HTTPRouteHandler) -> Guard:
    [guard] = [one for one in handler.resolve_guards() if isinstance(one, Guard)]
    return guard


def request_of(path: str, method: str, handler: HTTPRouteHandler, office: Office) -> tuple[str, str, bytes | None]:
    """Return the documented example of the route, with ids of records that do not exist."""
    for part in path.split("/"):
        if part == "{practicepass}":
            path = path.replace(part, office.practicepass)
        elif part.startswith("{"):
            path = path.replace(part, str(ABSENT))
    body = documented_of(handler).example_request
    return method, path, None if body is msgspec.UNSET or method == "GET" else msgspec.json.encode(body)


def _headers(kind: Kind, body: bytes | None) -> dict[str, str]:
    return kind.headers if body is None else {**kind.headers, "Content-Type": "application/json"}


def _fault(guard: Guard, kind: Kind, path: str, method: str, answer: httpx.Response, outcome: Outcome) -> str | None:
    told = f"{answer.status_code} {answer.text[:200]}"
    if answer.status_code >= 500:
        return f"fails: {told}"
    due = refusal_due(guard, kind, path, method)
    if due is not None:
        outcome.refused[answer.status_code] += 1
        return None if answer.status_code == due else f"should be refused with {due}: {told}"
    outcome.let_in += 1
    if isinstance(guard, IsOpen):
        return None
    if path == ASKS_FOR_MORE and answer.status_code == 403:
        return None
    code = answer.json().get("code") if answer.headers.get("content-type") == "application/problem+json" else None
    return f"should be let in: {told}" if answer.status_code == 401 or code in REFUSALS or _to_login(answer) else None


def refusal_due(guard: Guard, kind: Kind, path: str, method: str) -> int | None:
    """Return the status with which this caller must be refused; None if it is authorized."""
    if isinstance(guard, IsOpen):
        return None
    if isinstance(guard, RequiresAdmin):
        return None if kind.name == "the admin" else 401
    if isinstance(guard, SignedIn):
        if kind.name == "the admin's session":
            return None
        if kind.name == "a partner's session":
            return 404 if guard.admin else None
        return 303 if method == "GET" else 401
    assert isinstance(guard, Requires), guard
    if kind.scopes is None:
        return 401
    may = kind.of_this_practice or "{practicepass}" not in path
    return None if may and (guard.scope is None or guard.scope in kind.scopes) else 403


def _to_login(answer: httpx.Response) -> bool:
    return answer.status_code == 303 and answer.headers.get("location", "").startswith("/portal/login")
