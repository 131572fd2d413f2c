"""Webhooks: the subscriptions and their health, the deliveries and why each one failed, and trying one again."""

from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Response, Router, get, post
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase, TheSettings
from officepro.foundation.database import Connection
from officepro.foundation.errors import OfficeProError
from officepro.foundation.parameters import PathId
from officepro.foundation.wire import NO_NUL
from officepro.portal import queries
from officepro.portal.frame import AnyRequest, SignedIn, checked_form, go_to, page, visitor_of
from officepro.portal.sessions import Visitor
from officepro.webhooks import delivery_queries, manual
from officepro.webhooks.delivery_queries import Filter

ROWS = 50
OUTCOMES = {"": None, "failed": False, "delivered": True}

Practice = Annotated[str, QueryParameter(name="practice", max_length=64, pattern=NO_NUL)]
Outcome = Annotated[str, QueryParameter(name="outcome", max_length=20)]
Number = Annotated[int, QueryParameter(name="page", ge=1, le=1000)]
Said = Annotated[str, QueryParameter(name="said", max_length=300)]


@get("/webhooks", guards=[SignedIn()])
async def show_webhooks(
    request: AnyRequest,
    database: TheDatabase,
    practice: Practice = "",
    outcome: Outcome = "",
    number: Number = 1,
    said: Said = "",
) -> Response[str]:
    visitor = visitor_of(request)
    async with database.system() as db:
        practices = await queries.practices(db) if visitor.is_admin else []
        subscriptions = await queries.subscriptions(db, visitor.api_key_id)
        deliveries = await _deliveries(db, visitor, practices, practice, outcome, number, subscriptions)
    filters = {name: value for name, value in (("practice", practice), ("outcome", outcome)) if value}
    return page(
        request,
        "webhooks.html",
        subscriptions=subscriptions,
        deliveries=deliveries[:ROWS],
        practices=practices,
        practice=practice,
        outcome=outcome,
        outcomes=[name for name in OUTCOMES if name],
        said=said,
        newer=urlencode({**filters, "page": number - 1}) if number > 1 else None,
        older=urlencode({**filters, "page": number + 1}) if len(deliveries) > ROWS else None,
    )


async def _deliveries(
    db: Connection,
    visitor: Visitor,
    practices: list[Any],
    practice: str,
    outcome: str,
    number: int,
    subscriptions: list[Any],
) -> list[Any]:
    """A partner sees those of its own subscription; without one there are none."""
    if not visitor.is_admin and not subscriptions:
        return []
    ids = {row["practicepass"]: row["practice_id"] for row in practices}
    wanted = Filter(
        practice_id=ids.get(practice, -1) if practice else None,
        subscription_id=None if visitor.is_admin else subscriptions[0]["subscription_id"],
        success=OUTCOMES.get(outcome),
    )
    return list(await delivery_queries.recent(db, wanted, ROWS + 1, (number - 1) * ROWS))


@post("/webhooks/{delivery_id:str}/retry", guards=[SignedIn(admin=True)], status_code=200)
async def retry(
    delivery_id: PathId, request: AnyRequest, database: TheDatabase, settings: TheSettings
) -> Response[Any]:
    await checked_form(request)
    try:
        async with database.system_transaction() as db:
            made = await manual.begin_retry(db, delivery_id)
        outcome = await manual.send(made, settings)
        async with database.system_transaction() as db:
            await manual.finish(db, made, outcome)
            shown = await manual.shown(db, made.delivery_id)
        said = f"Delivery {shown.delivery_id}: " + ("received." if shown.success else f"{shown.error_message}.")
    except OfficeProError as refusal:
        said = refusal.detail
    return go_to("/portal/webhooks", None, said=said[:300])


router = Router("/portal", route_handlers=[show_webhooks, retry])
