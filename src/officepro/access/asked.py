"""What a handler may ask for by naming it in its signature: `caller: TheCaller`, `database: TheDatabase`, …"""

from functools import partial
from typing import Any

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from litestar.types import Scope

from officepro.access.caller import Caller
from officepro.access.gate import Gate
from officepro.access.once import Once
from officepro.foundation.database import Database
from officepro.settings import Settings

TheCaller = NamedDependency[Caller]  # who calls; only behind `requires` or `any_partner`
TheDatabase = NamedDependency[Database]
TheOnce = NamedDependency[Once]  # in every POST: the work, done once
TheGate = NamedDependency[Gate]
TheSettings = NamedDependency[SkipValidation[Settings]]


def _caller(scope: Scope) -> Any:
    return scope["caller"]  # type: ignore[typeddict-item]


def _database(state: State) -> Any:
    return state.database


def _once(request: Request[Any, Any, Any]) -> Any:
    state, scope = request.app.state, request.scope
    return Once(state.database, request, scope.get("caller"), partial(state.before_replay, scope))  # type: ignore[arg-type]


def _gate(state: State) -> Any:
    return state.gate


def _settings(state: State) -> Any:
    return state.settings


PROVIDED = {
    "caller": Provide(_caller, sync_to_thread=False),
    "database": Provide(_database, sync_to_thread=False),
    "once": Provide(_once, sync_to_thread=False),
    "gate": Provide(_gate, sync_to_thread=False),
    "settings": Provide(_settings, sync_to_thread=False),
}
