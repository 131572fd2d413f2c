"""Assembles the application: route table, exception handlers, lifespan, and the edge middleware around them."""

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException, NotFoundException

from officepro import routes
from officepro.access.asked import PROVIDED, resolve_one_after_another
from officepro.access.gate import Gate
from officepro.access.limits import Limiter
from officepro.access.once import Replay
from officepro.access.tokens import Tokens
from officepro.activity.asked import DISCLOSURES_PROVIDED, record_replay
from officepro.activity.ledger import Ledger
from officepro.activity.recorder import Done
from officepro.calling import call_directly
from officepro.door import Door
from officepro.failures import DOCUMENTATION_URL, answer_problem, answer_replay, methods_of
from officepro.foundation.database import Database, Mode
from officepro.foundation.database_errors import level_of, log_fields
from officepro.foundation.errors import OfficeProError
from officepro.foundation.input import StrictJson, query_parameters, query_values
from officepro.foundation.logs import configure_logging
from officepro.foundation.time_slices import TimeSlices
from officepro.foundation.wire import PARSED, decode_hook, encode_hook
from officepro.metrics import Account
from officepro.migrations.verification import verify
from officepro.portal import routes as portal_routes
from officepro.practices.setup import Setups
from officepro.prospects.newcomers import Newcomers, provide_newcomers
from officepro.prospects.searches import Searches, provide_searches
from officepro.scheduling.bookings import Bookings, provide_bookings
from officepro.scheduling.diary import provide_setups
from officepro.scheduling.questions import Together, provide_visits
from officepro.scheduling.remembered import Remembered, provide_remembered
from officepro.service import Room
from officepro.settings import Settings
from officepro.webhooks.asked import provide_manual_deliveries
from officepro.webhooks.manual import ManualDeliveries

MAXIMUM_BODY_BYTES = 1024 * 1024
USE_FLUSH_SECONDS = 2.0

logger = logging.getLogger("officepro")


def create_app(settings: Settings | None = None) -> Door:
    """Return the complete application, ready to be served. Without `settings`, they are read from the environment.
    Raises SettingsError."""
    settings = settings or Settings.from_environment(os.environ)
    configure_logging(settings.log_level)
    app = enclose(create_inner_app(settings))
    gc.collect()
    gc.freeze()  # the application's objects are permanent: the garbage collector need not traverse them again
    return app


def enclose(inner: Litestar) -> Door:
    """Wrap the application in the edge middleware, which reports each finished request to the metrics and the request
    log."""
    settings: Settings = inner.state.settings
    account: Account = inner.state.account
    door = Door(
        inner,
        trusted_proxies=settings.trusted_proxies,
        is_always_https=settings.public_url.startswith("https://"),
        documentation_url=DOCUMENTATION_URL,
        when_done=partial(_log_request, account.note) if logger.isEnabledFor(logging.DEBUG) else account.note,
    )
    account.watch(door)
    return door


def _log_request(note: Callable[[Done], None], done: Done) -> None:
    """Log a line for each request at OFFICEPRO_LOG_LEVEL=debug: the template of its route, never its path."""
    note(done)
    method, route = done.route
    of_request = {"requestId": done.scope.get("request_id"), "method": method, "route": route, "status": done.status}
    logger.debug("request", extra={**of_request, "milliseconds": round(done.duration_seconds * 1000, 1)})


def create_inner_app(settings: Settings) -> Litestar:
    """Return the Litestar application, without the edge middleware."""
    app = Litestar(
        route_handlers=[*routes.ROUTERS, portal_routes.router],
        lifespan=[_lifespan, _keeping_account],
        state=State(
            {
                "settings": settings,
                "setups": Setups(),
                "remembered": Remembered(),
                "manual_deliveries": ManualDeliveries(),
                "account": Account(settings.data_dir),
                "time_slices": TimeSlices(),
            }
        ),
        dependencies={
            **PROVIDED,
            **DISCLOSURES_PROVIDED,
            "setups": Provide(provide_setups, sync_to_thread=False),
            "visits": Provide(provide_visits, sync_to_thread=False),
            "bookings": Provide(provide_bookings, sync_to_thread=False),
            "newcomers": Provide(provide_newcomers, sync_to_thread=False),
            "searches": Provide(provide_searches, sync_to_thread=False),
            "remembered": Provide(provide_remembered, sync_to_thread=False),
            "manual_deliveries": Provide(provide_manual_deliveries, sync_to_thread=False),
        },
        dto=StrictJson,
        return_dto=None,
        before_request=_look_over,
        exception_handlers={
            Replay: answer_replay,
            OfficeProError: answer_problem,
            NotFoundException: _answer_unknown,
            HTTPException: answer_problem,
            Exception: answer_problem,
        },
        type_decoders=[(lambda wanted: wanted in PARSED, decode_hook)],
        type_encoders=dict.fromkeys(PARSED, encode_hook),
        request_max_body_size=MAXIMUM_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
    )
    resolve_one_after_another(app)
    call_directly(app)
    return app


def _answer_unknown(request: Request[None, None, State], error: NotFoundException) -> Response[Any]:
    """Respond to a path without a route: with a page within the portal, otherwise with a problem document."""
    if request.scope["path"].startswith("/portal/"):
        return portal_routes.answer_fault(request, error)
    return answer_problem(request, error)


@asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    app.state.database = database = await Database.waiting(
        settings.database_url,
        partial(verify, settings),
        lambda: logger.info("ready"),
        mode=Mode(settings.database_mode),
        pool_size=settings.database_pool_size,
    )
    app.state.room = Room(database)
    app.state.visits = Together(database)
    app.state.bookings = Bookings(database)
    app.state.newcomers = Newcomers(database)
    app.state.searches = Searches(database)
    limiter = Limiter(settings.data_dir / "limits.bin")
    app.state.gate = gate = Gate(
        database,
        Tokens([(key.kid, key.secret) for key in settings.token_keys]),
        limiter,
        admin_secrets=settings.admin_secrets,
        requests_per_minute=settings.rate_limit_per_minute,
        patient_budget_per_day=settings.patient_budget_per_day,
    )
    flushing = asyncio.create_task(_flush_use(gate))
    try:
        yield
    finally:
        flushing.cancel()
        with suppress(asyncio.CancelledError, OfficeProError):
            await flushing
        with suppress(OfficeProError):
            await gate.flush_use()
        await database.close()
        limiter.close()


@asynccontextmanager
async def _keeping_account(app: Litestar) -> AsyncIterator[None]:
    """Run the request log, the metrics and the disclosure log as long as requests are served."""
    app.state.ledger = ledger = Ledger(app.state.database)
    app.state.before_replay = partial(record_replay, ledger)
    async with app.state.account.keeping(app.state.database, ledger):
        yield


async def _flush_use(gate: Gate) -> None:
    while True:
        await asyncio.sleep(USE_FLUSH_SECONDS)
        try:
            await gate.flush_use()
        except Exception as error:  # any error: the task continues
            logger.log(level_of(error), "key use not written", extra=log_fields(error))


async def _look_over(request: Request[None, None, State]) -> Response[None] | None:
    """Run before a handler: respond to OPTIONS (Litestar would leave out methods) and reject unknown query
    parameters."""
    if request.method == "OPTIONS":
        return Response(None, status_code=204, headers={"Allow": ", ".join(methods_of(request))})
    if request.scope["query_string"]:
        query_values(request.scope["query_string"], query_parameters(request.route_handler))
    return None
