"""Queries for products: list, search, and save thousands in one transaction."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from officepro.foundation.database import MEANING, Connection, Row
from officepro.foundation.errors import Forbidden, Impossible
from officepro.foundation.paging import MAXIMUM_TOTAL, Page

ROWS_PER_STATEMENT = 500


class VendorOfAnotherPartner(Forbidden):
    """This VendorCode belongs to another partner: the first to write it, or the one an admin assigned it to."""

    code = "vendor_of_another_partner"


class PartnerNotFound(Impossible):
    """There is no such partner; GET /v1/admin/partners lists them."""

    code = "partner_not_found"


MEANING["vendor_partner"] = PartnerNotFound


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Filter of a list or search of products."""

    beginnings: Sequence[str] | None = None  # prefixes that every result must match; None: no search
    vendor_code: str | None = None
    include_inactive: bool = False
    after: tuple[str, str] | None = None  # VendorCode and ProductCode of the last product on the previous page


class ProductRow(msgspec.Struct, frozen=True, kw_only=True):
    """A product to save; `sent` contains the optional columns to write."""

    vendor_code: str
    product_code: str
    product: str
    retail_price: Decimal
    tokens: Sequence[str]
    sent: frozenset[str] = frozenset()
    description: str | None = None
    category: str | None = None
    upc: str | None = None
    cost: Decimal | None = None
    active: bool = True


class Counts(msgspec.Struct, frozen=True):
    """Numbers of products created, updated and unchanged."""

    created: int
    updated: int
    unchanged: int


_COLUMNS = """
    vendor_code, product_code, product, retail_price, description, category, upc, cost, active, updated_at
"""


_OWNER = "(SELECT partner_id FROM vendor WHERE vendor.vendor_code = product.vendor_code) AS owner_id"  # of the vendor


async def some(db: Connection, wanted: Filter, page: Page) -> tuple[list[Row], int]:
    """Return a page by VendorCode and ProductCode, and the total number, counted up to MAXIMUM_TOTAL."""
    arguments: list[Any] = []
    counted = " AND ".join(_conditions(wanted, arguments)) or "true"
    total: int = await db.fetchval(
        f"SELECT count(*) FROM (SELECT FROM product WHERE {counted} LIMIT {MAXIMUM_TOTAL}) AS counted", *arguments
    )
    if wanted.after is not None:
        arguments += wanted.after
        counted += f" AND (vendor_code, product_code) > (${len(arguments) - 1}, ${len(arguments)})"
    arguments += [page.limit, page.offset]
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS}, {_OWNER} FROM product WHERE {counted} ORDER BY vendor_code, product_code
        LIMIT ${len(arguments) - 1} OFFSET ${len(arguments)}
        """,
        *arguments,
    )
    return rows, total


def _conditions(wanted: Filter, arguments: list[Any]) -> list[str]:
    conditions = [] if wanted.include_inactive else ["active"]
    if wanted.vendor_code is not None:
        arguments.append(wanted.vendor_code)
        conditions.append(f"vendor_code = ${len(arguments)}")
    if wanted.beginnings is not None and not wanted.beginnings:
        conditions.append("false")
    elif wanted.beginnings is not None:
        arguments.append(" & ".join(f"'{token}':*" for token in wanted.beginnings))  # tokens are letters and digits
        conditions.append(f"found_by @@ ${len(arguments)}::text::tsquery")
    return conditions


async def owner_of(db: Connection, vendor_code: str) -> int | None:
    """Return the id of the partner that owns the vendor, or None."""
    owner: int | None = await db.fetchval("SELECT partner_id FROM vendor WHERE vendor_code = $1", vendor_code)
    return owner


async def claim_vendors(db: Connection, partner_id: int, vendor_codes: Sequence[str]) -> None:
    """Assign vendors without owner to the partner, and lock all of them: writers of one vendor run one after
    another.

    Raises VendorOfAnotherPartner.
    """
    await db.execute(
        """
        INSERT INTO vendor (vendor_code, partner_id)
        SELECT code, $1 FROM unnest($2::text[]) AS code ORDER BY code COLLATE "C" ON CONFLICT DO NOTHING
        """,
        partner_id,
        vendor_codes,
    )
    rows = await db.fetch(
        """
        SELECT vendor_code, partner_id FROM vendor WHERE vendor_code = ANY ($1::text[])
        ORDER BY vendor_code FOR NO KEY UPDATE
        """,
        vendor_codes,
    )
    foreign = [row["vendor_code"] for row in rows if row["partner_id"] != partner_id]
    if foreign:
        named = ", ".join(foreign[:10])
        raise VendorOfAnotherPartner(
            f"Another partner owns {named}: a VendorCode belongs to the first partner to write it, "
            "or the one that an admin assigned it to. Nothing was saved.",
            vendorCodes=foreign[:100],
        )


_VALUES = ("product", "retail_price", "description", "category", "upc", "cost", "active")
_OPTIONAL = ("description", "category", "upc", "cost", "active")


def _as_json(source: str) -> str:
    pairs = ", ".join(f"'{name}', {source}.{name}" for name in _VALUES)
    return f"jsonb_build_object({pairs})"


_KEPT_OR_GIVEN = ", ".join(
    f"CASE WHEN given.sent & {1 << bit} <> 0 OR old.product IS NULL THEN given.{name} ELSE old.{name} END AS {name}"
    for bit, name in enumerate(_OPTIONAL)
)

# Columns that are not sent are unchanged. The vendors are locked before the snapshot of this statement, so the
# row that it reads is the row that it overwrites.
_SAVE = f"""
    WITH given AS (
        SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[], $8::smallint[],
                             $9::text[], $10::text[], $11::text[], $12::numeric[], $13::boolean[])
        AS given (vendor_code, product_code, product, retail_price, tokens, sent, description, category, upc, cost,
                  active)
    ),
    wanted AS (
        SELECT given.vendor_code, given.product_code, given.tokens, old.product IS NULL AS is_new,
               given.product, given.retail_price,
               {_KEPT_OR_GIVEN},
               CASE WHEN old.product IS NOT NULL THEN {_as_json("old")} END AS was,
               ({", ".join(f"old.{name}" for name in _VALUES)}) AS before
        FROM given LEFT JOIN product old USING (vendor_code, product_code)
    ),
    changed AS (
        SELECT * FROM wanted WHERE is_new OR ({", ".join(_VALUES)}) IS DISTINCT FROM before
    ),
    written AS (
        INSERT INTO product (vendor_code, product_code, {", ".join(_VALUES)}, found_by, updated_by)
        SELECT vendor_code, product_code, {", ".join(_VALUES)}, array_to_tsvector(string_to_array(tokens, ' ')), $2
        FROM changed ORDER BY vendor_code, product_code
        ON CONFLICT (vendor_code, product_code) DO UPDATE SET
            {", ".join(f"{name} = excluded.{name}" for name in (*_VALUES, "found_by", "updated_by"))},
            updated_at = excluded.updated_at
    ),
    kept AS (
        INSERT INTO product_change (vendor_code, product_code, was, became, partner_id, api_key_id)
        SELECT vendor_code, product_code, was, {_as_json("changed")}, $1, $2 FROM changed
    )
    SELECT count(*) FILTER (WHERE is_new) AS created, count(*) FILTER (WHERE NOT is_new) AS updated FROM changed
"""


async def save(db: Connection, partner_id: int, key_id: int | None, rows: Sequence[ProductRow]) -> Counts:
    """Create and change all products, each once, in the caller's transaction. Raises VendorOfAnotherPartner.

    Runs several statements: encoding the arguments of one statement of 10,000 rows would block the event loop for
    100 ms.
    """
    await claim_vendors(db, partner_id, sorted({row.vendor_code for row in rows}))
    created = updated = 0
    for begins in range(0, len(rows), ROWS_PER_STATEMENT):
        counted = await _save_some(db, partner_id, key_id, rows[begins : begins + ROWS_PER_STATEMENT])
        created += counted["created"]
        updated += counted["updated"]
    return Counts(created, updated, len(rows) - created - updated)


async def _save_some(db: Connection, partner_id: int, key_id: int | None, rows: Sequence[ProductRow]) -> Row:
    counted = await db.fetchrow(
        _SAVE,
        partner_id,
        key_id,
        [row.vendor_code for row in rows],
        [row.product_code for row in rows],
        [row.product for row in rows],
        [row.retail_price for row in rows],
        [" ".join(row.tokens) for row in rows],
        [sum(1 << bit for bit, name in enumerate(_OPTIONAL) if name in row.sent) for row in rows],
        [row.description for row in rows],
        [row.category for row in rows],
        [row.upc for row in rows],
        [row.cost for row in rows],
        [row.active for row in rows],
    )
    assert counted is not None
    return counted


async def changes(db: Connection, vendor_code: str, product_code: str | None, page: Page) -> tuple[list[Row], int]:
    """Return a page of changes to the vendor's products, or to one of them, newest first."""
    total: int = await db.fetchval(
        f"""
        SELECT count(*) FROM (SELECT FROM product_change
            WHERE vendor_code = $1 AND product_code = coalesce($2, product_code) LIMIT {MAXIMUM_TOTAL}) AS counted
        """,
        vendor_code,
        product_code,
    )
    rows = await db.fetch(
        """
        SELECT vendor_code, product_code, changed_at, partner_id, api_key_id, was::text, became::text
        FROM product_change WHERE vendor_code = $1 AND product_code = coalesce($2, product_code)
        ORDER BY product_change_id DESC LIMIT $3 OFFSET $4
        """,
        vendor_code,
        product_code,
        page.limit,
        page.offset,
    )
    return rows, total


_VENDOR = """
    SELECT vendor_code, partner_id, company, vendor.created_at,
           (SELECT count(*) FROM product WHERE product.vendor_code = vendor.vendor_code) AS products
    FROM vendor JOIN partner USING (partner_id)
"""


async def vendors(db: Connection, page: Page) -> tuple[list[Row], int]:
    """Return a page of vendors by VendorCode."""
    total: int = await db.fetchval("SELECT count(*) FROM (SELECT FROM vendor LIMIT $1) AS counted", MAXIMUM_TOTAL)
    return await db.fetch(f"{_VENDOR} ORDER BY vendor_code LIMIT $1 OFFSET $2", page.limit, page.offset), total


async def give_vendor(db: Connection, vendor_code: str, partner_id: int) -> Row:
    """Assign the vendor to the partner. Raises PartnerNotFound."""
    await db.execute(
        """
        INSERT INTO vendor (vendor_code, partner_id) VALUES ($1, $2)
        ON CONFLICT (vendor_code) DO UPDATE SET partner_id = excluded.partner_id
        """,
        vendor_code,
        partner_id,
    )
    row = await db.fetchrow(f"{_VENDOR} WHERE vendor_code = $1", vendor_code)
    assert row is not None
    return row
