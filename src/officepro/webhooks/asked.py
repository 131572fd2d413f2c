"""Dependencies of the webhook handlers: idempotency under the right practice, and the manual delivery limiter."""

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
    """Return the application's ManualDeliveries, which limits requests that wait for a result."""
    return scope["litestar_app"].state.manual_deliveries


def _once_of_key(request: AnyRequest) -> Any:
    """Idempotency without a practice: a subscription belongs to an API key, so its stored responses do too."""
    caller: Caller = request.scope["caller"]  # type: ignore[typeddict-item]
    return _once(request, msgspec.structs.replace(caller, practice_id=NO_PRACTICE))


def _once_of_practice(request: AnyRequest, practice: ThePractice) -> Any:
    """Idempotency of an admin request, under the practice in its path."""
    return _once(request, Caller(0, 0, practice.practice_id, practice.practicepass, frozenset(), 0))


def _once(request: AnyRequest, caller: Caller) -> Once:
    state = request.app.state
    return Once(state.database, request, caller, partial(state.before_replay, request.scope))


ONCE_OF_KEY = {"once": Provide(_once_of_key, sync_to_thread=False)}
ONCE_OF_PRACTICE = {"once": Provide(_once_of_practice, sync_to_thread=False)}
