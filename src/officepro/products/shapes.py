"""Request and response bodies of products. (source API specification: Products (ProductPro))"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from officepro.foundation.wire import SOME_TEXT, Name, RecordId, Text50, Text100, Text2000
from officepro.products.price import Price

MAXIMUM_ROWS = 10_000

VendorCode = Annotated[str, Meta(min_length=1, max_length=50, pattern=SOME_TEXT, examples=["V001"])]
ProductCode = Annotated[str, Meta(min_length=1, max_length=100, pattern=SOME_TEXT, examples=["P001"])]


class ProductFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A product to create or change. Omitted optional fields are unchanged; null clears a field."""

    vendor_code: VendorCode = msgspec.field(name="VendorCode")
    product_code: ProductCode = msgspec.field(name="ProductCode")
    product: Name = msgspec.field(name="Product")
    retail_price: Price = msgspec.field(name="RetailPrice")
    description: Text2000 | UnsetType | None = msgspec.field(name="Description", default=UNSET)
    category: Text100 | UnsetType | None = msgspec.field(name="Category", default=UNSET)
    upc: Text50 | UnsetType | None = msgspec.field(name="UPC", default=UNSET)
    cost: Price | UnsetType | None = msgspec.field(name="Cost", default=UNSET)
    active: bool | UnsetType = msgspec.field(name="Active", default=UNSET)


class SaveProducts(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 10,000 products, identified by VendorCode and ProductCode, each at most once."""

    products: Annotated[list[ProductFields], Meta(min_length=1, max_length=MAXIMUM_ROWS)]

    fractions: ClassVar[type[Any]] = Decimal  # fractions are parsed as decimals


class Product(msgspec.Struct):
    """A product."""

    vendor_code: str = msgspec.field(name="VendorCode")
    product_code: str = msgspec.field(name="ProductCode")
    product: str = msgspec.field(name="Product")
    retail_price: float = msgspec.field(name="RetailPrice")  # ten digits: exact when serialized as a float
    description: str | None = msgspec.field(name="Description")
    category: str | None = msgspec.field(name="Category")
    upc: str | None = msgspec.field(name="UPC")
    active: bool = msgspec.field(name="Active")
    updated_at: datetime = msgspec.field(name="UpdatedAt")
    cost: float | UnsetType | None = msgspec.field(name="Cost", default=UNSET)  # only for the vendor's partner


class Saved(msgspec.Struct):
    """Numbers of products created, updated and unchanged."""

    created: int
    updated: int
    unchanged: int


class ProductValues(msgspec.Struct):
    """Values of a product before or after a change."""

    product: str = msgspec.field(name="Product")
    retail_price: float = msgspec.field(name="RetailPrice")
    description: str | None = msgspec.field(name="Description")
    category: str | None = msgspec.field(name="Category")
    upc: str | None = msgspec.field(name="UPC")
    active: bool = msgspec.field(name="Active")
    cost: float | UnsetType | None = msgspec.field(name="Cost", default=UNSET)  # only for the vendor's partner


class ProductChange(msgspec.Struct):
    """A product change with partner and time; `Was` is null for the creation of the product."""

    vendor_code: str = msgspec.field(name="VendorCode")
    product_code: str = msgspec.field(name="ProductCode")
    changed_at: datetime = msgspec.field(name="ChangedAt")
    partner_id: int | None = msgspec.field(name="PartnerID")
    key_id: int | None = msgspec.field(name="KeyID")
    was: ProductValues | None = msgspec.field(name="Was")
    became: ProductValues = msgspec.field(name="Became")


class Vendor(msgspec.Struct, rename="camel"):
    """A vendor with the partner that owns it."""

    vendor_code: str
    partner_id: int
    company: str
    products: int
    created_at: datetime


class GiveVendor(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The partner to assign a VendorCode to."""

    partner_id: RecordId
