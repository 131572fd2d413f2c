"""Routes for products: search, and save thousands at once. (source API specification: Products (ProductPro))"""

import base64
from typing import Annotated, Any

import msgspec
from litestar import Router, get, post, put
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import UNSET

from officepro.access.asked import TheCaller, TheDatabase, TheOnce, TheTimeSlices
from officepro.access.guards import requires, requires_admin
from officepro.access.scopes import PRODUCTS
from officepro.foundation.answers import Paged, Written
from officepro.foundation.database import NO_PRACTICE, Row
from officepro.foundation.documented import documented
from officepro.foundation.errors import Fault, Invalid
from officepro.foundation.json_body import Faults
from officepro.foundation.paging import DEFAULT_LIMIT, MAXIMUM_TOTAL, Page, paged
from officepro.foundation.parameters import PageLimit, PageNumber, Search
from officepro.foundation.time_slices import Steps
from officepro.foundation.wire import NO_NUL
from officepro.products import queries
from officepro.products.queries import Filter, PartnerNotFound, ProductRow, VendorOfAnotherPartner
from officepro.products.shapes import (
    GiveVendor,
    Product,
    ProductChange,
    ProductFields,
    ProductValues,
    Saved,
    SaveProducts,
    Vendor,
)
from officepro.products.tokens import searched, tokens_of

MAXIMUM_BODY_BYTES = 8 * 1024 * 1024

OfVendor = Annotated[
    str | None,
    QueryParameter(name="vendorCode", min_length=1, max_length=50, pattern=NO_NUL, description="Filter by vendor."),
]
TheVendor = Annotated[
    str, QueryParameter(name="vendorCode", min_length=1, max_length=50, pattern=NO_NUL, description="The VendorCode.")
]
OfProduct = Annotated[
    str | None,
    QueryParameter(name="productCode", min_length=1, max_length=100, pattern=NO_NUL, description="Filter by product."),
]
IncludeInactive = Annotated[
    bool, QueryParameter(name="includeInactive", description="true: include inactive products.")
]
Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", min_length=1, max_length=900, description="`nextCursor` of the previous page."),
]
PathVendorCode = Annotated[
    str, PathParameter(min_length=1, max_length=50, pattern=NO_NUL, description="The VendorCode.")
]

_SENT = {"VendorCode": "V001", "ProductCode": "P001", "Product": "Example Product", "RetailPrice": 99.99}
_VALUES = {
    "Product": "Example Product",
    "RetailPrice": 99.99,
    "Description": None,
    "Category": None,
    "UPC": None,
    "Cost": None,
    "Active": True,
}
_EXAMPLE = {"VendorCode": "V001", "ProductCode": "P001", **_VALUES, "UpdatedAt": "2026-03-09T14:15:00.000Z"}
_VENDOR = {
    "vendorCode": "V001",
    "partnerId": 1,
    "company": "Example Company",
    "products": 80,
    "createdAt": "2026-03-09T14:15:00.000Z",
}


@get(
    "/",
    summary="List and search products",
    opt=documented(
        query_example={"search": "exam", "vendorCode": "V001"},
        example_response={
            "data": [_EXAMPLE],
            "count": 1,
            "page": 1,
            "limit": 25,
            "total": 1,
            "nextCursor": None,
        },
    ),
)
async def list_products(
    caller: TheCaller,
    database: TheDatabase,
    search: Search = None,
    vendor_code: OfVendor = None,
    include_inactive: IncludeInactive = False,
    page: PageNumber = 1,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Paged[Product]:
    """Available products by VendorCode and ProductCode. `search` matches the beginning of any word of the name and
    codes; all words of the search must match. `total` counts up to 10,000. `nextCursor` is returned while there are
    more products; pass it as `cursor` to continue at any depth."""
    wanted = Filter(
        beginnings=searched(search) if search else None,
        vendor_code=vendor_code,
        include_inactive=include_inactive,
        after=_after(cursor, page, limit),
    )
    async with database.practice(NO_PRACTICE) as db:
        rows, total = await queries.some(db, wanted, Page(page, limit))
    answer = paged([_product(row, caller.partner_id) for row in rows], Page(page, limit), total)
    answer.next_cursor = _cursor(rows[-1]) if len(rows) == limit else None
    return answer


@post(
    "/",
    summary="Bulk update or create products",
    status_code=200,
    request_max_body_size=MAXIMUM_BODY_BYTES,
    opt=documented(
        example_request={"products": [_SENT]},
        example_response={
            "message": "Products saved successfully",
            "data": {"created": 1, "updated": 0, "unchanged": 0},
        },
        errors=[VendorOfAnotherPartner],
    ),
)
async def save_products(
    data: JSONBody[SaveProducts], caller: TheCaller, once: TheOnce, time_slices: TheTimeSlices
) -> Written[Saved]:
    """Saves up to 10,000 products by VendorCode and ProductCode: all of them or none. Each invalid or repeated
    product is reported with its index and field. A VendorCode belongs to the first partner to write it."""
    rows = await time_slices.run(_rows(data.products))
    async with once.transaction() as db:
        counts = await queries.save(db, caller.partner_id, caller.key_id, rows)
        saved = Saved(counts.created, counts.updated, counts.unchanged)
        return await once.settled(db, Written("Products saved successfully", saved), status=200)


@get(
    "/changes",
    summary="List the changes of a vendor's products",
    opt=documented(
        query_example={"vendorCode": "V001", "productCode": "P001"},
        example_response={
            "data": [
                {
                    "VendorCode": "V001",
                    "ProductCode": "P001",
                    "ChangedAt": "2026-03-09T14:15:00.000Z",
                    "PartnerID": 1,
                    "KeyID": 1,
                    "Was": None,
                    "Became": _VALUES,
                }
            ],
            "count": 1,
            "page": 1,
            "limit": 25,
            "total": 1,
        },
    ),
)
async def list_changes(
    caller: TheCaller,
    database: TheDatabase,
    vendor_code: TheVendor,
    product_code: OfProduct = None,
    page: PageNumber = 1,
    limit: PageLimit = DEFAULT_LIMIT,
) -> Paged[ProductChange]:
    """Product changes with partner, time and values, newest first; without `productCode`, of all products of the
    vendor."""
    _refuse_depth(page, limit, "filter by `productCode`")
    async with database.practice(NO_PRACTICE) as db:
        rows, total = await queries.changes(db, vendor_code, product_code, Page(page, limit))
        is_own = await queries.owner_of(db, vendor_code) == caller.partner_id
    return paged([_change(row, is_own) for row in rows], Page(page, limit), total)


@get(
    "/",
    summary="List vendors and their partners",
    opt=documented(example_response={"data": [_VENDOR], "count": 1, "page": 1, "limit": 25, "total": 1}),
)
async def list_vendors(database: TheDatabase, page: PageNumber = 1, limit: PageLimit = DEFAULT_LIMIT) -> Paged[Vendor]:
    """By VendorCode, with the owning partner and the number of products."""
    async with database.system() as db:
        rows, total = await queries.vendors(db, Page(page, limit))
    return paged([_vendor(row) for row in rows], Page(page, limit), total)


@put(
    "/{vendor_code:str}",
    summary="Assign a vendor to a partner",
    opt=documented(
        path_example={"vendorCode": "V001"},
        example_request={"partnerId": 1},
        example_response={"message": "Vendor saved successfully", "data": _VENDOR},
        errors=[PartnerNotFound],
    ),
)
async def give_vendor(
    vendor_code: PathVendorCode, data: JSONBody[GiveVendor], database: TheDatabase
) -> Written[Vendor]:
    """From now on only that partner can write the vendor's products; the former owner no longer can."""
    async with database.system_transaction() as db:
        row = await queries.give_vendor(db, vendor_code, data.partner_id)
    return Written("Vendor saved successfully", _vendor(row))


def _rows(products: list[ProductFields]) -> Steps[list[ProductRow]]:
    """Return the database rows. Raises Invalid for products that are sent more than once."""
    first: dict[tuple[str, str], int] = {}
    faults, rows = Faults(), []
    for index, fields in enumerate(products):
        before = first.setdefault((fields.vendor_code, fields.product_code), index)
        if before == index:
            rows.append(_row(fields))
        else:
            same = f"VendorCode {fields.vendor_code} and ProductCode {fields.product_code}"
            faults.add(Fault(f"body.products[{index}]", f"repeats products[{before}]: {same}"))
        yield
    if faults.count:
        raise faults.refusal()
    return rows


def _row(fields: ProductFields) -> ProductRow:
    given = {name: value for name, value in msgspec.structs.asdict(fields).items() if value is not UNSET}
    tokens = tokens_of(fields.product, fields.product_code, fields.vendor_code)
    return ProductRow(**given, tokens=tokens, sent=frozenset(given))


def _after(cursor: str | None, page: int, limit: int) -> tuple[str, str] | None:
    if cursor is None:
        _refuse_depth(page, limit, "continue with `cursor`")
        return None
    if page != 1:
        raise Invalid.at("query.cursor", "cannot be combined with `page`")
    try:
        vendor_code, product_code = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "==="), type=tuple[str, str])
    except ValueError:
        raise Invalid.at("query.cursor", "invalid cursor; pass `nextCursor` unchanged") from None
    return vendor_code.replace("\0", ""), product_code.replace("\0", "")


def _refuse_depth(page: int, limit: int, instead: str) -> None:
    if page * limit > MAXIMUM_TOTAL:
        raise Invalid.at("query.page", f"reaches {MAXIMUM_TOTAL} records at most; {instead}")


def _cursor(last: Row) -> str:
    place = msgspec.json.encode([last["vendor_code"], last["product_code"]])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _product(row: Row, partner_id: int) -> Product:
    """Return the response body; `Cost` is omitted for vendors of other partners."""
    values: dict[str, Any] = dict(row)
    values["retail_price"] = float(values["retail_price"])
    if values.pop("owner_id") != partner_id:
        values["cost"] = UNSET
    elif values["cost"] is not None:
        values["cost"] = float(values["cost"])
    return Product(**values)


def _change(row: Row, is_own: bool) -> ProductChange:
    was = None if row["was"] is None else ProductValues(**msgspec.json.decode(row["was"]))
    became = ProductValues(**msgspec.json.decode(row["became"]))
    if not is_own:
        for values in (was, became):
            if values is not None:
                values.cost = UNSET
    return ProductChange(
        row["vendor_code"],
        row["product_code"],
        row["changed_at"],
        row["partner_id"],
        row["api_key_id"],
        was,
        became,
    )


def _vendor(row: Row) -> Vendor:
    return Vendor(**dict(row))


router = Router(
    "/v1/products",
    guards=[requires(PRODUCTS)],
    route_handlers=[list_products, save_products, list_changes],
    tags=["Products (ProductPro)"],
)

vendors = Router(
    "/v1/admin/vendors",
    guards=[requires_admin],
    route_handlers=[list_vendors, give_vendor],
    tags=["Administration"],
)
