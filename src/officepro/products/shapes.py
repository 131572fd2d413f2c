"""Products on the wire. (seeds: Products (ProductPro))"""

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
    """One product to be created or changed. An optional field that is not sent is left as it is; null empties it."""

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
    """Up to 10,000 products, each once, by VendorCode and ProductCode."""

    products: Annotated[list[ProductFields], Meta(min_length=1, max_length=MAXIMUM_ROWS)]

    fractions: ClassVar[type[Any]] = Decimal  # numbers with a fraction are read as they are written


class Product(msgspec.Struct):
    """A product as it stands."""

    vendor_code: str = msgspec.field(name="VendorCode")
    product_code: str = msgspec.field(name="ProductCode")
    product: str = msgspec.field(name="Product")
    retail_price: float = msgspec.field(name="RetailPrice")  # ten digits: a float shows them as they are
    description: str | None = msgspec.field(name="Description")
    category: str | None = msgspec.field(name="Category")
    upc: str | None = msgspec.field(name="UPC")
    active: bool = msgspec.field(name="Active")
    updated_at: datetime = msgspec.field(name="UpdatedAt")
    cost: float | UnsetType | None = msgspec.field(name="Cost", default=UNSET)  # to the vendor's partner alone


class Saved(msgspec.Struct):
    """How many of the products sent were new, were changed, and were so already."""

    created: int
    updated: int
    unchanged: int


class ProductValues(msgspec.Struct):
    """What a product was, or became, by a change."""

    product: str = msgspec.field(name="Product")
    retail_price: float = msgspec.field(name="RetailPrice")
    description: str | None = msgspec.field(name="Description")
    category: str | None = msgspec.field(name="Category")
    upc: str | None = msgspec.field(name="UPC")
    active: bool = msgspec.field(name="Active")
    cost: float | UnsetType | None = msgspec.field(name="Cost", default=UNSET)  # to the vendor's partner alone


class ProductChange(msgspec.Struct):
    """Who changed what, and when; `Was` is null where the product came about."""

    vendor_code: str = msgspec.field(name="VendorCode")
    product_code: str = msgspec.field(name="ProductCode")
    changed_at: datetime = msgspec.field(name="ChangedAt")
    partner_id: int | None = msgspec.field(name="PartnerID")
    key_id: int | None = msgspec.field(name="KeyID")
    was: ProductValues | None = msgspec.field(name="Was")
    became: ProductValues = msgspec.field(name="Became")


class Vendor(msgspec.Struct, rename="camel"):
    """Whose products a VendorCode names."""

    vendor_code: str
    partner_id: int
    company: str
    products: int
    created_at: datetime


class GiveVendor(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Which partner a VendorCode is to belong to."""

    partner_id: RecordId
