"""What partners keep with us, made by rule: products, articles, tickets, and requests for access."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from officepro.demo import record_queries
from officepro.demo.articles import ARTICLES, text_of
from officepro.demo.queries import insert
from officepro.foundation.database import NO_PRACTICE, Connection, Database
from officepro.products.queries import ProductRow, save
from officepro.products.tokens import tokens_of
from officepro.requests.queries import Wish, ask
from officepro.tickets.states import PRIORITIES

SEED = 20260310
PRODUCTS = 400
TICKETS = 60
VENDORS = ("V001", "V002", "V003", "V004", "V005", "V006")

_KINDS = (
    ("Serum", "Skin Care", "24.00"),
    ("Moisturizer", "Skin Care", "32.50"),
    ("Sunscreen SPF 50", "Skin Care", "28.99"),
    ("Cleanser", "Skin Care", "19.90"),
    ("Peel Kit", "Treatments", "145.00"),
    ("Dermal Filler", "Treatments", "389.00"),
    ("Compression Garment", "Aftercare", "79.95"),
    ("Scar Gel", "Aftercare", "41.25"),
    ("Exam Gloves", "Supplies", "12.49"),
    ("Syringes", "Supplies", "17.80"),
)
_LINES = ("Vitamin C", "Retinol", "Hyaluronic", "Zinc", "Peptide", "Aloe", "Arnica", "Niacinamide")
_SIZES = ("15 ml", "30 ml", "50 ml", "Box of 10", "Box of 100")

_SUBJECTS = (
    ("Labels print blank", "Hardware", "Since this morning every label comes out empty."),
    ("Online booking shows no times", "Booking", "The booking site shows no times for next week."),
    ("Claim export stops half way", "Billing", "The export stops at the same line every time."),
    ("Reminder text went out twice", "Messages", "Several patients were reminded twice."),
    ("New key for the call center", "Access", "Please issue a key that may only book visits."),
    ("Wrong room on the schedule", "Booking", "Visits of this type should be in the other room."),
    ("Product prices are out of date", "Products", "The vendor has sent a new list."),
    ("Tablet does not open the intake form", "Hardware", "It stays on the first page."),
    ("Duplicate prospect records", "Records", "The same person came in by phone and online."),
    ("Report of last month's visits", "Reports", "By provider and visit type, please."),
)
_PEOPLE = ("Front Desk", "Billing", "Jane Smith", "Office Manager")
_REPLIES = (
    "We are looking into it.",
    "Could you send us a picture of it?",
    "It happened again today.",
    "This should work now; please try once more.",
    "Works, thank you.",
)
_WAYS = (  # what became of a ticket, step by step
    (),
    ("In Progress",),
    ("In Progress", "Waiting"),
    ("In Progress", "Resolved"),
    ("In Progress", "Waiting", "In Progress", "Resolved", "Closed"),
)

WISHES = (
    Wish(
        company="Lakeside Scheduling",
        practice="DemoOffice",
        contact="Sam Rivera",
        email="api@lakesidescheduling.example",
        scopes=["Prospects", "Providers", "Scheduling"],
        purpose="Online booking on the practice's website.",
    ),
    Wish(
        company="Northwind Skin Care",
        practice="DemoOffice",
        contact="Dana Cole",
        email="catalog@northwindskincare.example",
        scopes=["ProductPro.Products"],
        purpose="Keep our catalog and its prices up to date.",
    ),
    Wish(
        company="Front Desk Assistant",
        practice="Demo Office, Main Street",
        contact="Kim Park",
        email="hello@frontdeskassistant.example",
        scopes=["Prospects", "Scheduling", "KB", "Tickets"],
        purpose="Answers the phone after hours.",
    ),
)


async def load_records(database: Database, practice_id: int, partner_id: int, now: datetime) -> None:
    """Each kind once: what is there already is left as it is. The products become the partner's."""
    async with database.practice_transaction(NO_PRACTICE) as db:
        if not await record_queries.has_vendors(db, VENDORS):
            await save(db, partner_id, None, list(_products()))
    async with database.system_transaction() as db:
        await record_queries.add_articles(
            db, [(one.title, text_of(one), one.category, one.type, one.tags) for one in ARTICLES]
        )
        for wish in WISHES:
            if not await record_queries.has_asked(db, wish.email):
                await ask(db, wish)
    async with database.practice_transaction(practice_id) as db:
        if not await record_queries.has_tickets(db, practice_id):
            await _load_tickets(db, practice_id, now)


def _products() -> Iterator[ProductRow]:
    """The seeds' example is the first of them."""
    chance = Random(SEED)
    for number in range(PRODUCTS):
        vendor_code = VENDORS[number % len(VENDORS)]
        product_code = f"P{number // len(VENDORS) + 1:03}"
        kind, category, price = _KINDS[number % len(_KINDS)]
        name = f"{_LINES[number // 10 % len(_LINES)]} {kind} {chance.choice(_SIZES)}"
        retail = Decimal(price) + chance.randrange(0, 400) * Decimal("0.05")
        yield ProductRow(
            vendor_code=vendor_code,
            product_code=product_code,
            product=name if number else "Example Product",
            retail_price=retail if number else Decimal("99.99"),
            tokens=tokens_of(name if number else "Example Product", product_code, vendor_code),
            category=category,
            upc=f"0{chance.randrange(10**10, 10**11)}",
            cost=(retail * Decimal("0.6")).quantize(Decimal("0.01")),
            active=number % 25 != 24,
            sent=frozenset({"category", "upc", "cost", "active"}),
        )


async def _load_tickets(db: Connection, practice_id: int, now: datetime) -> None:
    chance = Random(SEED)
    tickets: list[dict[str, Any]] = []
    history: list[dict[str, Any]] = []
    comments: list[dict[str, Any]] = []
    for ticket_id in range(1, TICKETS + 1):
        opened = now - timedelta(days=TICKETS - ticket_id, minutes=chance.randrange(30, 600))
        ticket = _ticket(ticket_id, opened, chance)
        tickets.append(ticket)
        history += _steps(ticket, opened, chance)
        comments += _comments(ticket, opened, chance)
        ticket["version"] += len([one for one in comments if one["ticket_id"] == ticket_id])
    for number, one in enumerate(comments, 1):
        one["comment_id"] = number
    await insert(db, practice_id, "ticket", tickets)
    await record_queries.add_history(db, practice_id, history)
    await insert(db, practice_id, "ticket_comment", comments)


def _ticket(ticket_id: int, opened: datetime, chance: Random) -> dict[str, Any]:
    subject, category, description = _SUBJECTS[ticket_id % len(_SUBJECTS)]
    return {
        "ticket_id": ticket_id,
        "subject": subject,
        "description": description,
        "status": "Open",
        "priority": chance.choices(PRIORITIES, (2, 5, 2, 1))[0],
        "category": category,
        "author": chance.choice(_PEOPLE),
        "version": 1,
        "created_at": opened,
        "updated_at": opened,
    }


def _steps(ticket: dict[str, Any], opened: datetime, chance: Random) -> Iterator[dict[str, Any]]:
    """Takes the ticket through its statuses."""
    moment = opened
    for status in _WAYS[ticket["ticket_id"] % len(_WAYS)]:
        moment += timedelta(minutes=chance.randrange(2, 6))
        was, ticket["status"] = ticket["status"], status
        ticket["version"] += 1
        ticket["updated_at"] = moment
        yield {
            "ticket_id": ticket["ticket_id"],
            "version": ticket["version"],
            "field": "Status",
            "was": was,
            "became": status,
            "changed_at": moment,
        }


def _comments(ticket: dict[str, Any], opened: datetime, chance: Random) -> Iterator[dict[str, Any]]:
    for number, reply in enumerate(_REPLIES[: 1 + ticket["ticket_id"] % len(_REPLIES)], 1):
        yield {
            "ticket_id": ticket["ticket_id"],
            "comment": reply,
            "author": "Support Agent" if number != 3 else chance.choice(_PEOPLE),
            "created_at": min(opened + timedelta(minutes=4 * number), ticket["updated_at"] + timedelta(minutes=number)),
        }
