"""What a handler may ask for by naming it in its signature: `caller: TheCaller`, `database: TheDatabase`, …"""

from typing import Any

from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.types import Scope

from officepro.access.caller import Caller
from officepro.access.gate import Gate
from officepro.foundation.database import Database
from officepro.settings import Settings

TheCaller = NamedDependency[Caller]  # who calls; only behind `requires` or `any_partner`
TheDatabase = NamedDependency[Database]
TheGate = NamedDependency[Gate]
TheSettings = NamedDependency[Settings]


def _caller(scope: Scope) -> Any:
    return scope["caller"]  # type: ignore[typeddict-item]


def _database(state: State) -> Any:
    return state.database


def _gate(state: State) -> Any:
    return state.gate


def _settings(state: State) -> Any:
    return state.settings


PROVIDED = {
    "caller": Provide(_caller, sync_to_thread=False),
    "database": Provide(_database, sync_to_thread=False),
    "gate": Provide(_gate, sync_to_thread=False),
    "settings": Provide(_settings, sync_to_thread=False),
}
