"""The statements that functions compose of what they are asked: each function is called in every way that makes another
statement, and what it would have sent is written down."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

from officepro.access import keys
from officepro.activity import disclosure_queries
from officepro.activity import queries as activity
from officepro.demo import big_queries
from officepro.demo import queries as demo
from officepro.foundation.database import Connection, Row
from officepro.foundation.joining import write_together
from officepro.foundation.paging import Page
from officepro.knowledge import queries as knowledge
from officepro.me import queries as me
from officepro.portal import queries as portal
from officepro.products import queries as products
from officepro.prospects import queries as prospects
from officepro.prospects.newcomers import CREATE
from officepro.scheduling import queries as scheduling
from officepro.scheduling import questions, visit_queries
from officepro.scheduling.bookings import BOOK
from officepro.tickets import queries as tickets
from officepro.webhooks import delivery_queries, fan_out
from officepro.webhooks import queries as webhooks
from tests.house.statements import METHODS, Statement

NOW = datetime(2026, 3, 9, 14, tzinfo=UTC)
PRACTICE = 7


class Recorder:
    """In a connection's place: keeps what is said to it, and knows of nothing."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        assert name in METHODS, name

        async def say(query: str, *arguments: object) -> Any:
            self.said.append(query)
            return {"fetch": [], "fetchrow": None, "fetchval": 0}.get(name)

        return say


class _AskedTogether(questions.OnConnection):
    async def ask(self, asked: questions.Asked) -> Row:
        return (await questions.ask_together(self._db, [asked]))[0]


Ask = Callable[[Connection], Awaitable[object]]


def _asks() -> Iterator[tuple[str, Ask]]:
    """By where the statements stand."""
    page = Page()
    yield from _asks_for_orders(page)
    yield (
        "activity.disclosure_queries.some",
        lambda db: disclosure_queries.some(
            db,
            PRACTICE,
            disclosure_queries.Filter(patient_id=1, api_key_id=2, since=NOW, until=NOW, before=3),
            10,
        ),
    )
    call = activity.Filter(practice_id=PRACTICE, api_key_id=1, endpoint="/", least_status=500, before=(NOW, 1))
    yield "activity.queries.calls", lambda db: activity.calls(db, call, 10)
    yield "activity.queries.figures", lambda db: activity.figures(db, NOW, NOW, PRACTICE, 1, 2)
    yield "activity.queries.by_day", lambda db: activity.by_day(db, NOW, NOW, PRACTICE)
    yield "activity.queries.by_endpoint", lambda db: activity.by_endpoint(db, NOW, NOW, PRACTICE)
    for write in (CREATE, BOOK):
        yield "foundation.joining.write_together", lambda db, write=write: write_together(db, write, [])  # type: ignore[misc]
    yield "demo.big_queries.furnish", lambda db: big_queries.furnish(db, PRACTICE, 3)
    for table in ("patient", "visit", "ticket_comment"):
        yield "demo.queries.insert", lambda db, table=table: demo.insert(db, PRACTICE, table, [{"patient_id": 1}])  # type: ignore[misc]
    for article in (
        knowledge.Filter(),
        knowledge.Filter(search="x", beginnings="x:*", category="c", type="t", highlights=True),
    ):
        yield "knowledge.queries.some", lambda db, article=article: knowledge.some(db, article, page)  # type: ignore[misc]
    yield "knowledge.queries.change", lambda db: knowledge.change(db, 1, {"title": "t"}, None, 2)
    yield "me.queries.update", lambda db: me.update(db, 1, {"phone": "1"})
    for product in (products.Filter(), products.Filter(beginnings=["a"], vendor_code="v", after=("v", "p"))):
        yield "products.queries.some", lambda db, product=product: products.some(db, product, page)  # type: ignore[misc]
    for prospect in (
        prospects.Filter(),
        prospects.Filter(only_prospects=True, tag_id=3, updated_since=NOW, after=(NOW, 4)),
        prospects.Filter(beginnings=["ada"]),
        prospects.Filter(beginnings=[]),
        prospects.Filter(beginnings=["ada", "lov"], tag_id=3, only_prospects=True),
    ):
        yield "prospects.queries.some", lambda db, prospect=prospect: prospects.some(db, PRACTICE, prospect, page)  # type: ignore[misc]
    yield "prospects.queries.update", lambda db: prospects.update(db, PRACTICE, 1, {"city": "Utica"}, 3)
    yield from _asks_for_visits()
    visit = visit_queries.Filter(begins=NOW, ends=NOW, provider_id=1, patient_id=2, status="booked")
    yield "scheduling.visit_queries.some", lambda db: visit_queries.some(db, PRACTICE, visit, page)
    ticket = tickets.Filter(statuses=["Open"], priorities=["High"], search="x")
    yield "tickets.queries.some", lambda db: tickets.some(db, PRACTICE, ticket, page)
    before = cast(Any, {"ticket_id": 1, "status": "Open"})
    yield "tickets.queries.update", lambda db: tickets.update(db, PRACTICE, 1, before, {"status": "Closed"})
    for delivery in (
        delivery_queries.Filter(),
        delivery_queries.Filter(
            practice_id=PRACTICE, subscription_id=1, success=True, event="e", since=NOW, until=NOW, patient_id=1
        ),
    ):
        yield "webhooks.delivery_queries.some", lambda db, one=delivery: delivery_queries.some(db, one, page)  # type: ignore[misc]
        yield "webhooks.delivery_queries.recent", lambda db, one=delivery: delivery_queries.recent(db, one, 10, 0)  # type: ignore[misc]
        yield "webhooks.delivery_queries.counts", lambda db, one=delivery: delivery_queries.counts(db, one)  # type: ignore[misc]
    yield (
        "webhooks.fan_out._log_after",
        lambda db: fan_out._Taking(db, PRACTICE, "Demo", NOW, 1, lambda key: 1).fresh(0),
    )
    for lock in (False, True):
        yield (
            "webhooks.queries.find_subscription",
            lambda db, lock=lock: webhooks.find_subscription(db, 1, lock=lock),  # type: ignore[misc]
        )
        yield (
            "webhooks.queries.cancel_queued",
            lambda db, lock=lock: webhooks.cancel_queued(db, PRACTICE, [1], is_waiting=lock),  # type: ignore[misc]
        )


def _asks_for_visits() -> Iterator[tuple[str, Ask]]:
    for providers, rooms in (([1], []), ([1], [101]), ([1, 2], [101])):
        look = scheduling.Look(providers, rooms, NOW, NOW)
        for where, visits in (("questions.ask", questions.OnConnection), ("questions.ask_together", _AskedTogether)):
            for read in (scheduling.busy, scheduling.glance):
                yield (
                    f"scheduling.{where}",
                    lambda db, look=look, visits=visits, read=read: read(visits(db), PRACTICE, look),  # type: ignore[misc]
                )


def _asks_for_orders(page: Page) -> Iterator[tuple[str, Ask]]:
    for order in keys.ORDERS:
        yield (
            "access.keys.keys",
            lambda db, order=order: keys.keys(db, page, partner_id=1, practicepass=None, status=None, order=order),  # type: ignore[misc]
        )
    for order in portal.PARTNER_ORDERS:
        yield (
            "portal.queries.partners_at_work",
            lambda db, order=order: portal.partners_at_work(db, NOW.date(), page, order),  # type: ignore[misc]
        )


# Its statements are constants of its module, and are read there.
OF_CONSTANTS = {"scheduling.visit_writes._written"}


async def composed() -> list[Statement]:
    found = []
    for where, ask in _asks():
        recorder = Recorder()
        with suppress(AssertionError, LookupError, TypeError, fan_out.LogHasGap):  # of an answer that knows of nothing
            await ask(cast(Connection, recorder))
        assert recorder.said, where
        found += [Statement(where, text) for text in recorder.said]
    return found
