"""Dependencies that a handler declares in its signature: `caller: TheCaller`, `database: TheDatabase`, …"""

from functools import partial
from typing import Any

from litestar import Litestar, Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from litestar.routes import HTTPRoute
from litestar.types import Scope

from officepro.access.caller import Caller
from officepro.access.gate import Gate
from officepro.access.once import Once
from officepro.foundation.database import Database
from officepro.foundation.time_slices import TimeSlices
from officepro.settings import Settings

TheCaller = NamedDependency[Caller]  # the authenticated caller; needs `requires` or `any_partner`
TheDatabase = NamedDependency[Database]
TheOnce = NamedDependency[Once]  # in every POST: runs it at most once per Idempotency-Key
TheGate = NamedDependency[Gate]
TheTimeSlices = NamedDependency[TimeSlices]  # for work over many rows
TheSettings = NamedDependency[SkipValidation[Settings]]


def _caller(scope: Scope) -> Any:
    return scope["caller"]  # type: ignore[typeddict-item]


def _database(scope: Scope) -> Any:
    return scope["litestar_app"].state.database


def _once(request: Request[Any, Any, Any]) -> Any:
    state, scope = request.app.state, request.scope
    return Once(state.database, request, scope.get("caller"), partial(state.before_replay, scope))  # type: ignore[arg-type]


def _gate(scope: Scope) -> Any:
    return scope["litestar_app"].state.gate


def _time_slices(scope: Scope) -> Any:
    return scope["litestar_app"].state.time_slices


def _settings(scope: Scope) -> Any:
    return scope["litestar_app"].state.settings


PROVIDED = {
    "caller": Provide(_caller, sync_to_thread=False),
    "database": Provide(_database, sync_to_thread=False),
    "once": Provide(_once, sync_to_thread=False),
    "gate": Provide(_gate, sync_to_thread=False),
    "time_slices": Provide(_time_slices, sync_to_thread=False),
    "settings": Provide(_settings, sync_to_thread=False),
}


def resolve_one_after_another(app: Litestar) -> None:
    """Resolve the dependencies of handlers one after another.

    They are all available without waiting. Litestar would resolve them concurrently, each in a task of its own, and
    these tasks take longer than the rest of the framework. The providers do not take `state`, which Litestar copies for
    each."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for _, asked in route.route_handler_map.values():
                asked.dependency_batches = [{one} for batch in asked.dependency_batches for one in batch]
