"""Webhook endpoints for partners: subscription, deliveries, replay. (Source API specification: Webhooks)"""

from contextlib import suppress
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import JSONBody, QueryParameter

from officepro.access.asked import TheCaller, TheDatabase, TheOnce, TheSettings
from officepro.access.gate import MissingScope
from officepro.access.guards import any_partner
from officepro.access.once import Once
from officepro.access.once import Replay as Repeated
from officepro.foundation import clock
from officepro.foundation.answers import One, Paged, Written
from officepro.foundation.documented import documented
from officepro.foundation.paging import DEFAULT_LIMIT, Page, paged
from officepro.foundation.parameters import PageLimit, PageNumber
from officepro.foundation.wire import NO_NUL, Moment, encode
from officepro.webhooks import delivery_queries, manual, pausing, queries, replay
from officepro.webhooks.asked import ONCE_OF_KEY, TheManualDeliveries
from officepro.webhooks.delivery_queries import Filter
from officepro.webhooks.manual import ResultPending, TooManyManualDeliveries, WorkerUnavailable
from officepro.webhooks.queries import UnknownSubscription
from officepro.webhooks.replay import Replay, ReplayInProgress, ReplayNotFound, ReplayOfTheFuture
from officepro.webhooks.sealing import Sealer
from officepro.webhooks.shapes import (
    Begun,
    Deleted,
    OwnDelivery,
    ReplayRequest,
    Rotated,
    SignedUp,
    SignUp,
    Status,
    Subscription,
    Tested,
)
from officepro.webhooks.sign_up import ForbiddenHookUrl, check_hook_url, check_scopes, sign_up
from officepro.webhooks.signing import make_secret

OVERLAP_HOURS = 24
EVERY_KIND = ("live", "replay", "manual")

Success = Annotated[
    bool | None, QueryParameter(name="success", description="true: delivered; false: attempted, but not delivered.")
]
OfEvent = Annotated[
    str | None, QueryParameter(name="event", max_length=101, pattern=NO_NUL, description="Such as patient.updated.")
]
From = Annotated[Moment | None, QueryParameter(name="from", description="Created at or after this time.")]
To = Annotated[Moment | None, QueryParameter(name="to", description="Created before this time.")]

_URL = "https://partner.example.com/officepro/webhooks"
_SIGNED_UP = {"id": 1, "hookUrl": _URL, "scopes": ["Patients", "Claims"], "status": "active"}
_SECRET = {"secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
_SUBSCRIPTION = {
    **_SIGNED_UP,
    "failingSince": None,
    "warnedAt": None,
    "disabledAt": None,
    "disabledReason": None,
    "previousSecretUntil": None,
    "createdAt": "2026-03-09T14:15:00.000Z",
    "updatedAt": "2026-03-09T14:15:00.000Z",
}


_REPLAY = {
    "practicepass": "DemoOffice",
    "fromLogId": 14656600,
    "toLogId": 14656636,
    "deliveries": 30,
    "nextFromLogId": None,
    "status": "running",
    "created": 0,
    "requestedAt": "2026-03-09T14:15:00.000Z",
    "endedAt": None,
}


@post(
    "/signup",
    summary="Create or update the subscription",
    status_code=201,
    opt=documented(
        example_request={"hookUrl": _URL, "scopes": ["Patients", "Claims"]},
        example_response={
            "message": "Webhook subscription created successfully",
            "data": {**_SIGNED_UP, **_SECRET},
        },
        errors=[MissingScope, ForbiddenHookUrl],
        further_answers={200: "The key's existing subscription was updated. Same body, without `secret`."},
    ),
)
async def sign_up_for_webhooks(
    data: JSONBody[SignUp], caller: TheCaller, once: TheOnce, settings: TheSettings
) -> Response[Written[SignedUp]]:
    """Creates or updates the authenticated client webhook subscription; an API key has one. `secret` signs deliveries
    (Standard Webhooks). It is returned only once, when the subscription is created, and not in a retry with the same
    Idempotency-Key. The scopes must be scopes of the key. Updating a disabled subscription re-enables it; a paused one
    stays paused. A host name that does not resolve yet is accepted."""
    scopes = check_scopes(data.scopes, caller.scopes)
    await check_hook_url(data.hook_url, settings.webhook_allowed_networks)
    async with once.system_transaction() as db:
        made, secret = await sign_up(db, caller.key_id, data.hook_url, scopes, Sealer(settings.encryption_keys))
        message = f"Webhook subscription {'updated' if secret is None else 'created'} successfully"
        shown = SignedUp(made.subscription_id, made.hook_url, made.scopes, _status(made))
        status = 200 if secret is None else 201
        await once.settled(db, Written(message, shown), status)
    if secret is not None:
        shown.secret = secret
    return Response(Written(message, shown), status_code=status)


@get(
    "/",
    summary="Get the subscription",
    opt=documented(example_response={"data": _SUBSCRIPTION}, errors=[UnknownSubscription]),
)
async def get_subscription(caller: TheCaller, database: TheDatabase) -> One[Subscription]:
    """Returns the subscription of the API key, with the health of its endpoint."""
    async with database.system() as db:
        return One(_subscription(await queries.subscription_of(db, caller.key_id)))


@delete(
    "/",
    summary="Delete the subscription",
    status_code=200,
    opt=documented(
        example_response={"message": "Webhook subscription deleted successfully", "data": {"id": 1}},
        errors=[UnknownSubscription],
    ),
)
async def delete_subscription(caller: TheCaller, database: TheDatabase) -> Written[Deleted]:
    """Deletes the subscription and cancels its queued deliveries. To stop deliveries temporarily, pause it instead."""
    async with database.system_transaction() as db:
        found = await queries.subscription_of(db, caller.key_id, lock=True)
        with suppress(ReplayNotFound):
            await replay.cancel(db, found.subscription_id)
        await queries.delete(db, found.subscription_id)
        for practice_id in await queries.practices_waiting(db, found.subscription_id):
            await queries.cancel_queued(db, practice_id, [found.subscription_id], EVERY_KIND)
    return Written("Webhook subscription deleted successfully", Deleted(found.subscription_id))


@post(
    "/pause",
    summary="Pause the subscription",
    status_code=200,
    opt=documented(
        example_response={
            "message": "Webhook subscription paused successfully",
            "data": {**_SUBSCRIPTION, "status": "paused"},
        },
        errors=[UnknownSubscription],
    ),
)
async def pause_subscription(caller: TheCaller, once: TheOnce) -> Written[Subscription]:
    """Pauses deliveries. Events are kept and delivered in order after you resume."""
    return await _set_status(caller.key_id, once, "paused", "Webhook subscription paused successfully")


@post(
    "/resume",
    summary="Resume the subscription",
    status_code=200,
    opt=documented(
        example_response={"message": "Webhook subscription resumed successfully", "data": _SUBSCRIPTION},
        errors=[UnknownSubscription],
    ),
)
async def resume_subscription(caller: TheCaller, once: TheOnce) -> Written[Subscription]:
    """Resumes deliveries. Re-enables a disabled subscription; use /replay to receive the events missed meanwhile."""
    return await _set_status(caller.key_id, once, "active", "Webhook subscription resumed successfully")


async def _set_status(key_id: int, once: Once, status: str, message: str) -> Written[Subscription]:
    async with once.system_transaction() as db:
        found = await queries.subscription_of(db, key_id, lock=True)
        changed = await pausing.set_status(db, found.subscription_id, status)
        return await once.settled(db, Written(message, _subscription(changed)), status=200)


@post(
    "/rotate-secret",
    summary="Rotate the signing secret",
    status_code=200,
    opt=documented(
        example_response={
            "message": "Webhook secret rotated successfully",
            "data": {"id": 1, "previousSecretUntil": "2026-03-10T14:15:00.000Z", **_SECRET},
        },
        errors=[UnknownSubscription],
    ),
)
async def rotate_webhook_secret(caller: TheCaller, once: TheOnce, settings: TheSettings) -> Written[Rotated]:
    """Creates a new signing secret. For 24 hours deliveries are signed with both secrets, so that none is rejected
    while you switch. `secret` is returned only once, not in a retry with the same Idempotency-Key."""
    secret = make_secret()
    async with once.system_transaction() as db:
        found = await queries.subscription_of(db, caller.key_id, lock=True)
        sealed = Sealer(settings.encryption_keys).seal(secret)
        changed = await queries.rotate_secret(db, found.subscription_id, sealed, OVERLAP_HOURS)
        assert changed.previous_secret_until is not None
        shown = Rotated(changed.subscription_id, changed.previous_secret_until)
        answer = await once.settled(db, Written("Webhook secret rotated successfully", shown), status=200)
    shown.secret = secret
    return answer


@post(
    "/test",
    summary="Send a test event",
    status_code=200,
    opt=documented(
        example_response={
            "message": "Webhook test sent successfully",
            "data": {"deliveryId": 10, "success": True, "statusCode": 200, "durationMs": 42, "errorMessage": None},
        },
        errors=[UnknownSubscription, TooManyManualDeliveries, WorkerUnavailable, ResultPending],
    ),
)
async def test_webhook(
    caller: TheCaller, once: TheOnce, database: TheDatabase, manual_deliveries: TheManualDeliveries
) -> Written[Tested]:
    """Sends a `webhook.test` event and returns the result. It is not added to the event log. The request waits up to 20
    seconds for the worker to send it. A subscription may have two manual deliveries in progress."""
    message = "Webhook test sent successfully"
    with manual_deliveries.place(caller.key_id):
        try:
            async with once.system_transaction() as db:
                found = await queries.subscription_of(db, caller.key_id)
                delivery_id = await manual.queue_test(
                    db, caller.practice_id, caller.practicepass, found.subscription_id
                )
                await once.settled(db, Begun(delivery_id), status=200)
        except Repeated as repeated:
            delivery_id = msgspec.json.decode(repeated.body, type=Begun).delivery_id
            shown = _tested(await manual_deliveries.result(database, delivery_id))
            raise Repeated(200, encode(Written(message, shown))) from None
        return Written(message, _tested(await manual_deliveries.result(database, delivery_id)))


@get(
    "/deliveries",
    summary="List deliveries",
    opt=documented(
        query_example={"success": False, "event": "patient.updated"},
        example_response={
            "data": [
                {
                    "id": 10,
                    "practicepass": "DemoOffice",
                    "subscriptionId": 1,
                    "event": "patient.updated",
                    "eventId": "evt_1_14656636",
                    "logId": 14656636,
                    "hookUrl": _URL,
                    "success": False,
                    "statusCode": 500,
                    "attempts": 1,
                    "errorMessage": "bad_status: The endpoint returned status 500; a 2xx status is required.",
                    "durationMs": 42,
                    "createdAt": "2026-03-09T14:15:00.000Z",
                    "nextAttemptAt": "2026-03-09T14:15:05.000Z",
                    "state": "pending",
                }
            ],
            "count": 1,
            "page": 1,
            "limit": 25,
            "total": 1,
        },
        errors=[UnknownSubscription],
    ),
)
async def list_webhook_deliveries(
    caller: TheCaller,
    database: TheDatabase,
    page: PageNumber = 1,
    limit: PageLimit = DEFAULT_LIMIT,
    success: Success = None,
    event: OfEvent = None,
    since: From = None,
    until: To = None,
) -> Paged[OwnDelivery]:
    """Lists the subscription's deliveries in the practice of your access token, newest first. `total` is counted up to
    10,000."""
    async with database.system() as db:
        found = await queries.subscription_of(db, caller.key_id)
    wanted = Filter(
        practice_id=caller.practice_id,
        subscription_id=found.subscription_id,
        success=success,
        event=event,
        since=since,
        until=until,
    )
    async with database.practice(caller.practice_id) as db:
        rows, total = await delivery_queries.some(db, wanted, Page(page, limit))
    return paged([OwnDelivery(*row) for row in rows], Page(page, limit), total)


@post(
    "/replay",
    summary="Replay events",
    status_code=202,
    opt=documented(
        example_request={"fromLogId": 14656600},
        example_response={"message": "Webhook events replayed successfully", "data": _REPLAY},
        body_rules={"oneOf": [{"required": ["fromLogId"]}, {"required": ["since"]}]},
        errors=[UnknownSubscription, ReplayOfTheFuture, ReplayInProgress],
    ),
)
async def replay_webhook_events(
    data: JSONBody[ReplayRequest], caller: TheCaller, once: TheOnce, database: TheDatabase
) -> Written[Replay]:
    """Delivers past events of your access token's practice again, in log order and with their original event ids, in
    parallel with new events. A subscription has one replay at a time, which is held while the subscription is paused or
    disabled. One replay covers up to 10,000 log numbers; start the next one at `nextFromLogId`. `deliveries` counts the
    events in the range; events whose first delivery is still queued are not sent twice."""
    async with once.system_transaction() as db:
        found = await queries.subscription_of(db, caller.key_id, lock=True)
        if isinstance(data.from_log_id, int):
            start = data.from_log_id
        else:
            assert isinstance(data.since, Moment)
            start = await replay.start_of(db, caller.practice_id, data.since, clock.now())
        wanted = msgspec.structs.replace(found, scopes=[scope for scope in found.scopes if scope in caller.scopes])
        started = await replay.start(db, caller.practice_id, wanted, start)
        return await once.settled(db, Written("Webhook events replayed successfully", started), status=202)


@get(
    "/replay",
    summary="Get the progress of the replay",
    opt=documented(
        example_response={"data": {**_REPLAY, "status": "running", "created": 30}},
        errors=[UnknownSubscription, ReplayNotFound],
    ),
)
async def get_webhook_replay(caller: TheCaller, database: TheDatabase) -> One[Replay]:
    """Returns the replay in progress, else the latest one."""
    async with database.system() as db:
        found = await queries.subscription_of(db, caller.key_id)
        return One(await replay.latest(db, found.subscription_id))


@delete(
    "/replay",
    summary="Cancel the replay",
    status_code=200,
    opt=documented(
        example_response={
            "message": "Webhook replay cancelled successfully",
            "data": {**_REPLAY, "status": "cancelled", "created": 12, "endedAt": "2026-03-09T14:15:07.000Z"},
        },
        errors=[UnknownSubscription, ReplayNotFound],
    ),
)
async def cancel_webhook_replay(caller: TheCaller, database: TheDatabase) -> Written[Replay]:
    """Cancels the replay in progress and its queued deliveries. Deliveries that are being sent or are waiting for a
    retry continue. A replay that has ended is unchanged; see `status`."""
    async with database.system_transaction() as db:
        found = await queries.subscription_of(db, caller.key_id, lock=True)
        cancelled = await replay.cancel(db, found.subscription_id)
    return Written("Webhook replay cancelled successfully", cancelled)


def _status(subscription: queries.Subscription) -> Status:
    return subscription.status  # type: ignore[return-value]  # the table's CHECK


def _subscription(found: queries.Subscription) -> Subscription:
    fields: dict[str, Any] = msgspec.structs.asdict(found)
    del fields["practice_id"]
    return Subscription(id=fields.pop("subscription_id"), **fields)


def _tested(shown: manual.Result) -> Tested:
    return Tested(shown.delivery_id, shown.success, shown.status_code, shown.duration_ms, shown.error_message)


router = Router(
    "/v1/webhooks",
    guards=[any_partner],
    dependencies=ONCE_OF_KEY,
    route_handlers=[
        sign_up_for_webhooks,
        get_subscription,
        delete_subscription,
        pause_subscription,
        resume_subscription,
        rotate_webhook_secret,
        test_webhook,
        list_webhook_deliveries,
        replay_webhook_events,
        get_webhook_replay,
        cancel_webhook_replay,
    ],
    tags=["Webhooks"],
)
