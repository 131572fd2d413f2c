"""Request and response bodies of the key exchange. (source API specification: Authentication)"""

from typing import Annotated

import msgspec
from msgspec import Meta


class ExchangeKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The API key to exchange."""

    api_key: Annotated[str, Meta(min_length=1, max_length=255)]


class AccessToken(msgspec.Struct, rename="camel"):
    """Send `accessToken` with every later request: `Authorization: Bearer <accessToken>`."""

    access_token: str
    token_type: str
    expires_in: str
