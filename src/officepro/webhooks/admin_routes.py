"""Admin endpoints for webhooks: monitoring and retrying a delivery. (Source API specification: /v1/admin/webhooks)"""

from datetime import timedelta
from typing import Annotated

import msgspec
from litestar import Router, get, post
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase, TheOnce
from officepro.access.guards import requires_admin
from officepro.access.once import Replay as Repeated
from officepro.foundation import clock
from officepro.foundation.answers import Written
from officepro.foundation.database import Connection
from officepro.foundation.documented import documented
from officepro.foundation.errors import Invalid
from officepro.foundation.paging import MAXIMUM_LIMIT
from officepro.foundation.parameters import PathId
from officepro.foundation.wire import MAXIMUM_ID, NO_NUL, encode
from officepro.practices.queries import UnknownPractice, practice_named
from officepro.webhooks import delivery_queries, manual
from officepro.webhooks.asked import TheManualDeliveries
from officepro.webhooks.delivery_queries import Filter
from officepro.webhooks.manual import (
    EventExpired,
    ResultPending,
    SubscriptionGone,
    TooManyManualDeliveries,
    UnknownDelivery,
    WorkerUnavailable,
)
from officepro.webhooks.routes import From, OfEvent, Success, To
from officepro.webhooks.shapes import Begun, Delivery, DispatchState, Monitor, Retried, Summary

DEFAULT_SPAN = timedelta(days=7)
MAXIMUM_OFFSET = 100_000
RETRIED = "Webhook delivery retried successfully"

InPractice = Annotated[
    str | None,
    QueryParameter(name="practicepass", min_length=1, max_length=64, pattern=NO_NUL, description="Filter by practice."),
]
OfPatient = Annotated[
    int | None,
    QueryParameter(
        name="patientId",
        ge=1,
        le=MAXIMUM_ID,
        description="Filter by the PatientID in the event's `data`. Requires `practicepass`.",
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=MAXIMUM_LIMIT, description="Maximum number of deliveries.")]
Offset = Annotated[int, QueryParameter(ge=0, le=MAXIMUM_OFFSET, description="Number of deliveries to skip.")]

_DELIVERY = {
    "id": 10,
    "practicepass": "DemoOffice",
    "subscriptionId": 1,
    "event": "patient.updated",
    "eventId": "evt_1_14656636",
    "logId": 14656636,
    "hookUrl": "https://partner.example.com/officepro/webhooks",
    "success": False,
    "statusCode": 500,
    "attempts": 1,
    "errorMessage": "bad_status: The endpoint returned status 500; a 2xx status is required.",
    "durationMs": 42,
    "createdAt": "2026-03-09T14:15:00.000Z",
    "nextAttemptAt": "2026-03-09T14:15:05.000Z",
}


@get(
    "/monitor",
    summary="Monitor webhooks",
    opt=documented(
        query_example={"practicepass": "DemoOffice", "success": False, "limit": 50, "offset": 0},
        example_response={
            "summary": {
                "totalSubscriptions": 3,
                "activeSubscriptions": 2,
                "totalDeliveries": 150,
                "failedDeliveries": 4,
                "successRate": 97.33,
            },
            "dispatchStates": [{"practicepass": "DemoOffice", "lastLogId": 14656636}],
            "recentDeliveries": [_DELIVERY],
        },
        errors=[UnknownPractice],
    ),
)
async def monitor_webhooks(
    database: TheDatabase,
    practicepass: InPractice = None,
    success: Success = None,
    limit: Limit = 50,
    offset: Offset = 0,
    since: From = None,
    until: To = None,
    event: OfEvent = None,
    patient_id: OfPatient = None,
) -> Monitor:
    """Admin monitoring endpoint for webhook health and delivery activity. Lists the deliveries of the last seven days,
    newest first; set `from` for another period. The summary counts all attempted deliveries of the period and ignores
    `success`, `limit` and `offset`. A subscription for all practices is counted in each practice. `patientId` lists
    the addresses to which events about one patient were sent, as an accounting of disclosures requires."""
    if patient_id is not None and practicepass is None:
        raise Invalid.at("query.practicepass", "is required with `patientId`, because PatientIDs are per practice")
    async with database.system() as db:
        practice_id = None if practicepass is None else (await practice_named(db, practicepass)).practice_id
        begins = since or (until or clock.now()) - DEFAULT_SPAN
        wanted = Filter(practice_id=practice_id, event=event, since=begins, until=until, patient_id=patient_id)
        summary = await _summary(db, wanted)
        states = await delivery_queries.dispatch_states(db, practice_id)
        rows = await delivery_queries.recent(db, msgspec.structs.replace(wanted, success=success), limit, offset)
    return Monitor(summary, [DispatchState(*row) for row in states], [Delivery(*row) for row in rows])


async def _summary(db: Connection, wanted: Filter) -> Summary:
    subscriptions, active = await delivery_queries.subscription_counts(db, wanted.practice_id)
    total, failed = await delivery_queries.counts(db, wanted)
    rate = round(100 * (total - failed) / total, 2) if total else 0.0
    return Summary(subscriptions, active, total, failed, rate)


@post(
    "/retry/{delivery_id:str}",
    summary="Retry a delivery",
    status_code=200,
    opt=documented(
        path_example={"id": 10},
        example_response={
            "message": RETRIED,
            "data": {
                "sourceDeliveryId": 10,
                "retryDeliveryId": 11,
                "success": True,
                "statusCode": 200,
                "attempts": 1,
                "errorMessage": None,
            },
        },
        errors=[
            UnknownDelivery,
            SubscriptionGone,
            EventExpired,
            TooManyManualDeliveries,
            WorkerUnavailable,
            ResultPending,
        ],
    ),
)
async def retry_webhook_delivery(
    delivery_id: PathId, once: TheOnce, database: TheDatabase, manual_deliveries: TheManualDeliveries
) -> Written[Retried]:
    """Admin endpoint to retry a specific webhook delivery record. Creates a new record with the same event id. The
    worker sends it once, with a new signature, even if the subscription is paused or disabled. The request waits up to
    20 seconds for the result; see `success`. A subscription may have two manual deliveries in progress."""
    with manual_deliveries.place(None):
        try:
            async with once.system_transaction() as db:
                retry_id = await manual.queue_retry(db, delivery_id)
                await once.settled(db, Begun(retry_id), status=200)
        except Repeated as repeated:
            retry_id = msgspec.json.decode(repeated.body, type=Begun).delivery_id
            shown = _retried(delivery_id, await manual_deliveries.result(database, retry_id))
            raise Repeated(200, encode(Written(RETRIED, shown))) from None
        return Written(RETRIED, _retried(delivery_id, await manual_deliveries.result(database, retry_id)))


def _retried(source_id: int, shown: manual.Result) -> Retried:
    return Retried(source_id, shown.delivery_id, shown.success, shown.status_code, shown.attempts, shown.error_message)


router = Router(
    "/v1/admin/webhooks",
    guards=[requires_admin],
    route_handlers=[monitor_webhooks, retry_webhook_delivery],
    tags=["Webhooks"],
)
