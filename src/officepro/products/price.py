"""Prices: exact decimals with two places, from request to database and response."""

from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

LOWEST, HIGHEST = Decimal("0.00"), Decimal("99999999.99")
CENT = Decimal("0.01")
MAXIMUM_CHARACTERS = 30


class Price(Decimal):
    """A price from 0 to 99,999,999.99 with at most two decimals; a JSON number or the same as a string."""

    json_schema: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": 99999999.99, "multipleOf": 0.01},
            {"type": "string", "pattern": r"^[0-9]{1,8}([.][0-9]{1,2})?$"},
        ],
        "description": "An exact decimal, 0 to 99,999,999.99, with at most two decimals.",
    }

    @classmethod
    def parse(cls, value: object) -> "Price":
        """Parse a price from its decimal digits, without a conversion to binary floating point. Raises ValueError."""
        price = _decimal(value)
        if not price.is_finite():
            raise ValueError("must be a number")
        if not LOWEST <= price <= HIGHEST:
            raise ValueError(f"must be {LOWEST} to {HIGHEST}")
        if price != price.quantize(CENT):
            raise ValueError("must have at most two decimals")
        return cls(price.quantize(CENT).copy_abs())


def _decimal(value: object) -> Decimal:
    """Return the decimal of a JSON value; a float occurs only when errors of the request are collected."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise ValueError("must be a number")
    text = str(value)
    if isinstance(value, str) and (not text.isascii() or len(text) > MAXIMUM_CHARACTERS or not text[:1].isdigit()):
        raise ValueError("must be a number of at most two decimals, such as 99.99")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("must be a number of at most two decimals, such as 99.99") from None
