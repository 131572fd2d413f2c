"""Webhooks page: subscriptions with their health, deliveries with their errors, and actions: send a test event, pause,
resume, replay, retry a delivery. A partner can act on its own subscription, an admin on all."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, Router, get, post
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase
from officepro.foundation.clock import now
from officepro.foundation.database import Connection, Database
from officepro.foundation.errors import Invalid, NotFound, OfficeProError
from officepro.foundation.parameters import PathId
from officepro.foundation.wire import MAXIMUM_ID, NO_NUL
from officepro.portal import queries
from officepro.portal.frame import (
    AnyRequest,
    Proof,
    Said,
    SignedIn,
    checked_form,
    page,
    said_to,
    tell,
    visitor_of,
)
from officepro.portal.sessions import Visitor
from officepro.webhooks import delivery_queries, manual, pausing
from officepro.webhooks import queries as hooks
from officepro.webhooks import replay as replaying
from officepro.webhooks.asked import TheManualDeliveries
from officepro.webhooks.delivery_queries import Filter
from officepro.webhooks.queries import UnknownSubscription

ROWS = 50
OUTCOMES = {"": None, "failed": False, "delivered": True}

Practice = Annotated[str, QueryParameter(name="practice", max_length=64, pattern=NO_NUL)]
Outcome = Annotated[str, QueryParameter(name="outcome", max_length=20)]
Number = Annotated[int, QueryParameter(name="page", ge=1, le=1000)]


@get("/webhooks", guards=[SignedIn()])
async def show_webhooks(
    request: AnyRequest,
    database: TheDatabase,
    practice: Practice = "",
    outcome: Outcome = "",
    number: Number = 1,
    said: Said = "",
    proof: Proof = "",
) -> Response[str]:
    """Return the page."""
    visitor = visitor_of(request)
    async with database.system() as db:
        practices = await queries.practices(db, practice) if visitor.is_admin else []
        subscriptions = await _shown(db, visitor)
        replaying_now = await replaying.subscriptions_in_progress(db)
        deliveries = await _deliveries(db, visitor, practices, practice, outcome, number, subscriptions)
    filters = {name: value for name, value in (("practice", practice), ("outcome", outcome)) if value}
    return page(
        request,
        "webhooks.html",
        subscriptions=subscriptions,
        replaying=replaying_now,
        deliveries=deliveries[:ROWS],
        practices=practices,
        practice=practice,
        outcome=outcome,
        outcomes=[name for name in OUTCOMES if name],
        said=said_to(visitor, said, proof),
        newer=urlencode({**filters, "page": number - 1}) if number > 1 else None,
        older=urlencode({**filters, "page": number + 1}) if len(deliveries) > ROWS else None,
    )


async def _shown(db: Connection, visitor: Visitor) -> list[Any]:
    if visitor.is_admin:
        return await queries.subscriptions(db, None)
    assert visitor.api_key_id is not None
    own = await hooks.find_subscription(db, visitor.api_key_id)
    return await queries.subscriptions(db, own.subscription_id) if own else []


async def _deliveries(
    db: Connection,
    visitor: Visitor,
    practices: list[Any],
    practice: str,
    outcome: str,
    number: int,
    subscriptions: list[Any],
) -> list[Any]:
    """Return the deliveries; for a partner those of its own subscription only."""
    if not visitor.is_admin and not subscriptions:
        return []
    ids = {row["practicepass"]: row["practice_id"] for row in practices}
    wanted = Filter(
        practice_id=ids.get(practice, -1) if practice else None,
        subscription_id=None if visitor.is_admin else subscriptions[0]["subscription_id"],
        success=OUTCOMES.get(outcome),
    )
    return list(await delivery_queries.recent(db, wanted, ROWS + 1, (number - 1) * ROWS))


@post("/webhooks/{delivery_id:str}/retry", guards=[SignedIn()], status_code=200)
async def retry(
    delivery_id: PathId, request: AnyRequest, database: TheDatabase, manual_deliveries: TheManualDeliveries
) -> Response[Any]:
    """Send one delivery again, now."""
    await checked_form(request)
    visitor = visitor_of(request)
    try:
        with manual_deliveries.place(visitor.api_key_id):
            async with database.system_transaction() as db:
                own = None if visitor.is_admin else (await _own(db, visitor)).subscription_id
                queued = await manual.queue_retry(db, delivery_id, own)
            said = _sent(await manual_deliveries.result(database, queued))
    except OfficeProError as refusal:
        said = refusal.detail
    return _told(request, said)


@post("/webhooks/subscriptions/{subscription_id:str}/test", guards=[SignedIn()], status_code=200)
async def send_test(
    subscription_id: PathId, request: AnyRequest, database: TheDatabase, manual_deliveries: TheManualDeliveries
) -> Response[Any]:
    """Send a `webhook.test` event now."""
    form = await checked_form(request)
    visitor = visitor_of(request)
    try:
        with manual_deliveries.place(visitor.api_key_id):
            async with database.system_transaction() as db:
                found = await _subscription(db, visitor, subscription_id)
                practice_id, practicepass = await _practice(db, found, form)
                queued = await manual.queue_test(db, practice_id, practicepass, found.subscription_id)
            said = _sent(await manual_deliveries.result(database, queued))
    except OfficeProError as refusal:
        said = refusal.detail
    return _told(request, said)


@post("/webhooks/subscriptions/{subscription_id:str}/pause", guards=[SignedIn()], status_code=200)
async def pause(subscription_id: PathId, request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Pause a subscription."""
    said = "Subscription paused. Events are stored, and delivered in order after you resume it."
    return await _set_status(subscription_id, request, database, "paused", said)


@post("/webhooks/subscriptions/{subscription_id:str}/resume", guards=[SignedIn()], status_code=200)
async def resume(subscription_id: PathId, request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Resume a subscription."""
    return await _set_status(subscription_id, request, database, "active", "Subscription resumed.")


@post("/webhooks/subscriptions/{subscription_id:str}/replay", guards=[SignedIn()], status_code=200)
async def replay(subscription_id: PathId, request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Start a replay of past events."""
    form = await checked_form(request)
    try:
        async with database.system_transaction() as db:
            found = await _subscription(db, visitor_of(request), subscription_id)
            practice_id, practicepass = await _practice(db, found, form)
            endpoint = await hooks.endpoint(db, practice_id, subscription_id)
            assert endpoint is not None
            wanted = msgspec.structs.replace(found, scopes=sorted(endpoint.scopes))
            start = await _start(db, practice_id, form)
            done = await replaying.start(db, practice_id, wanted, start)
        numbers = f"from number {done.from_log_id} to {done.to_log_id}"
        said = f"{done.deliveries} events of {practicepass}, {numbers}, will be sent again."
        if done.status == "held":
            said += " They are held until you resume the subscription."
        if done.next_from_log_id is not None:
            said += f" There are more events: start the next replay from {done.next_from_log_id}."
    except OfficeProError as refusal:
        said = refusal.faults[0].message if isinstance(refusal, Invalid) else refusal.detail
    return _told(request, said)


@post("/webhooks/subscriptions/{subscription_id:str}/replay/cancel", guards=[SignedIn()], status_code=200)
async def cancel_replay(subscription_id: PathId, request: AnyRequest, database: TheDatabase) -> Response[Any]:
    """Cancel the replay in progress."""
    await checked_form(request)
    try:
        async with database.system_transaction() as db:
            await _subscription(db, visitor_of(request), subscription_id)
            cancelled = await replaying.cancel(db, subscription_id)
        created = f"{cancelled.created} of {cancelled.deliveries} deliveries had been created"
        said = f"Replay {cancelled.status}; {created}."
    except OfficeProError as refusal:
        said = refusal.detail
    return _told(request, said)


async def _set_status(
    subscription_id: int, request: AnyRequest, database: Database, status: str, said: str
) -> Response[Any]:
    await checked_form(request)
    async with database.system_transaction() as db:
        await _subscription(db, visitor_of(request), subscription_id)
        await pausing.set_status(db, subscription_id, status)
    return _told(request, said)


def _sent(result: manual.Result) -> str:
    return f"Delivery {result.delivery_id}: " + ("received." if result.success else f"{result.error_message}.")


async def _own(db: Connection, visitor: Visitor) -> hooks.Subscription:
    """Return the subscription of the partner's key, or of a key that it replaced. Raises UnknownSubscription."""
    assert visitor.api_key_id is not None
    return await hooks.subscription_of(db, visitor.api_key_id)


async def _subscription(db: Connection, visitor: Visitor, subscription_id: int) -> hooks.Subscription:
    """Lock and return a subscription. Raises UnknownSubscription, also for another partner's."""
    if not visitor.is_admin and (await _own(db, visitor)).subscription_id != subscription_id:
        raise UnknownSubscription
    return await hooks.subscription(db, subscription_id)


async def _practice(db: Connection, subscription: hooks.Subscription, form: dict[str, str]) -> tuple[int, str]:
    """Return the subscription's practice; for a subscription to all practices, the one named in the form. Raises
    NotFound."""
    found = await queries.practice(db, subscription.practice_id, form.get("practice", "").strip())
    if found is None:
        raise NotFound("Practice not found. Enter a PPass, such as DemoOffice.")
    return found["practice_id"], found["practicepass"]


async def _start(db: Connection, practice_id: int, form: dict[str, str]) -> int:
    """Return the first event number, given as such or as a time in UTC. Raises Invalid, ReplayOfTheFuture."""
    number, since = form.get("from", "").strip(), form.get("since", "").strip()
    if re.fullmatch(r"[0-9]{1,19}", number) and 1 <= int(number) <= MAXIMUM_ID:
        return int(number)
    if number or not since:
        raise Invalid.at("from", "Enter an event number (1 or higher) or a date and time.")
    try:
        moment = datetime.fromisoformat(since).replace(tzinfo=UTC)
    except ValueError:
        raise Invalid.at("since", f"{since} is not a valid date and time.") from None
    return await replaying.start_of(db, practice_id, moment, now())


def _told(request: AnyRequest, said: str) -> Response[Any]:
    return tell(visitor_of(request), "/portal/webhooks", said)


router = Router("/portal", route_handlers=[show_webhooks, retry, send_test, pause, resume, replay, cancel_replay])
