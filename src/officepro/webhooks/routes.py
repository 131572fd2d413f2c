"""Webhooks: a partner's subscription and its deliveries. (seeds: Webhooks)"""

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
    bool | None, QueryParameter(name="success", description="true: received; false: attempted and not received (yet).")
]
OfEvent = Annotated[
    str | None, QueryParameter(name="event", max_length=101, pattern=NO_NUL, description="Such as patient.updated.")
]
From = Annotated[Moment | None, QueryParameter(name="from", description="Created at this moment or later.")]
To = Annotated[Moment | None, QueryParameter(name="to", description="Created before this moment.")]

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
    summary="Sign up for events",
    status_code=201,
    opt=documented(
        example_request={"hookUrl": _URL, "scopes": ["Patients", "Claims"]},
        example_response={
            "message": "Webhook subscription created successfully",
            "data": {**_SIGNED_UP, **_SECRET},
        },
        errors=[MissingScope, ForbiddenHookUrl],
        further_answers={200: "The key had a subscription already, and it was updated: the same body without secret."},
    ),
)
async def sign_up_for_webhooks(
    data: JSONBody[SignUp], caller: TheCaller, once: TheOnce, settings: TheSettings
) -> Response[Written[SignedUp]]:
    """Creates or updates the authenticated client webhook subscription; a key has one. `secret` is in the first answer
    only (not in its repeat by Idempotency-Key): it signs deliveries by Standard Webhooks. Scopes must be the key's own.
    Updating a subscription that was disabled brings it back; a paused one stays paused. A host name that does not
    resolve yet is accepted."""
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
    """With the health of its endpoint."""
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
    """What waits to be delivered is cancelled. To stop for a while, pause instead."""
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
    """Events are kept and delivered in order when you resume."""
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
    """Also brings back a subscription that was disabled; use /replay to receive the events missed meanwhile."""
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
    """For 24 hours deliveries are signed with both secrets, so that no delivery is refused while you change over.
    `secret` is in this answer only, not in its repeat by Idempotency-Key."""
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
    """Sends a `webhook.test` event and returns the result. It is not added to the event log. The worker sends it, and
    the request waits for at most 20 seconds. A subscription may have two manual deliveries in progress."""
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
                    "errorMessage": "bad_status: The endpoint answered 500; only 2xx counts as received.",
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
    """Of the practice that your token is for, the newest first. `total` counts up to 10,000."""
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
    """Delivers events of the log of your token's practice again, in order, beside new ones, with the event ids that
    they had. A subscription has one replay at a time; while the subscription is paused or disabled, it is held. One
    replay covers 10,000 log numbers; `nextFromLogId` is where to start the next. `deliveries` counts the events in the
    range; events that still wait for their first delivery are not sent twice."""
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
    """The replay in progress, else the latest one."""
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
    """Cancels the replay in progress and its deliveries that are still queued. Deliveries that are being sent or wait
    for a retry go on. A replay that has ended stays as it is; `status` says so."""
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
