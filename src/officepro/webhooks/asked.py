"""What handlers of webhooks ask for besides the usual: `once` of the right practice, places for manual deliveries."""

from functools import partial
from typing import Any

import msgspec
from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.types import Scope

from officepro.access.caller import Caller
from officepro.access.once import Once
from officepro.foundation.database import NO_PRACTICE
from officepro.practices.asked import ThePractice
from officepro.webhooks.manual import ManualDeliveries

AnyRequest = Request[Any, Any, Any]
TheManualDeliveries = NamedDependency[ManualDeliveries]


def provide_manual_deliveries(scope: Scope) -> Any:
    return scope["litestar_app"].state.manual_deliveries


def _once_of_key(request: AnyRequest) -> Any:
    """A subscription is the key's and no practice's, so the answers kept for repeats are so, too."""
    caller: Caller = request.scope["caller"]  # type: ignore[typeddict-item]
    return _once(request, msgspec.structs.replace(caller, practice_id=NO_PRACTICE))


def _once_of_practice(request: AnyRequest, practice: ThePractice) -> Any:
    """The admin at work in the practice that the address names."""
    return _once(request, Caller(0, 0, practice.practice_id, practice.practicepass, frozenset(), 0))


def _once(request: AnyRequest, caller: Caller) -> Once:
    state = request.app.state
    return Once(state.database, request, caller, partial(state.before_replay, request.scope))


ONCE_OF_KEY = {"once": Provide(_once_of_key, sync_to_thread=False)}
ONCE_OF_PRACTICE = {"once": Provide(_once_of_practice, sync_to_thread=False)}
