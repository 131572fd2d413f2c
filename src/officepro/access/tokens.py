"""Access tokens: JWT, HS256, bound to key, practice and scopes. (RFC 7519, RFC 8725)"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import jwt

from officepro.access.caller import Caller
from officepro.foundation.errors import Unauthorized
from officepro.foundation.wire import MAXIMUM_ID

LIFETIME = timedelta(hours=24)
EXPIRES_IN = "24h"  # the same lifetime as the source API specification writes it
ALGORITHM = "HS256"
ISSUER = "officepro"
AUDIENCE = "officepro/partner-api"
REMEMBERED_TOKENS = 10_000
MAXIMUM_TOKEN_CHARACTERS = 4096


class InvalidToken(Unauthorized):
    """The access token is invalid or has expired. Exchange your API key for a new one at
    POST /v1/{PPass}/auth/token."""

    code = "invalid_token"


class UnverifiableToken(InvalidToken):
    """The access token was not issued by this service, or was changed. Exchange your API key for a new one at
    POST /v1/{PPass}/auth/token."""


class Tokens:
    """Signs tokens with the first key and verifies with any, so that keys can be rotated. Caches verified tokens."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        self._signing_kid, self._signing_key = keys[0]
        self._keys = dict(keys)
        self._verified: dict[str, Caller] = {}

    def issue(self, caller: Caller, now: datetime) -> str:
        """Return a signed token for the caller."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(caller.key_id),
            "partner": caller.partner_id,
            "practice": caller.practice_id,
            "ppass": caller.practicepass,
            "scopes": sorted(caller.scopes),
            "iat": int(now.timestamp()),
            "exp": caller.expires_at,
        }
        return jwt.encode(claims, self._signing_key, ALGORITHM, headers={"kid": self._signing_kid})

    def verify(self, token: str, now_seconds: float) -> Caller:
        """Return the caller that the token was issued to. A cached token costs a dictionary look-up. Raises
        InvalidToken for an expired token, UnverifiableToken for one that this service did not sign."""
        caller = self._verified.get(token)
        if caller is None:
            caller = self._decode(token)
            if len(self._verified) >= REMEMBERED_TOKENS:
                self._verified.clear()
            self._verified[token] = caller
        if caller.expires_at <= now_seconds:
            raise InvalidToken
        return caller

    def _decode(self, token: str) -> Caller:
        if len(token) > MAXIMUM_TOKEN_CHARACTERS:
            raise UnverifiableToken
        try:
            claims = jwt.decode(
                token,
                self._keys[jwt.get_unverified_header(token)["kid"]],
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # A token issued by a machine whose clock is slightly ahead is valid; its expiry is checked in `verify`.
                options={"require": ["exp", "iat", "sub", "aud", "iss"], "verify_exp": False, "verify_iat": False},
            )
            return Caller(
                key_id=_id(claims["sub"]),
                partner_id=_id(claims["partner"]),
                practice_id=_id(claims["practice"]),
                practicepass=str(claims["ppass"]),
                scopes=frozenset(map(str, claims["scopes"])),
                expires_at=int(claims["exp"]),
            )
        except (jwt.InvalidTokenError, jwt.InvalidKeyError, LookupError, ValueError, TypeError, OverflowError):
            raise UnverifiableToken from None


def _id(claim: str | int) -> int:
    number = int(claim)
    if not 1 <= number <= MAXIMUM_ID:
        raise UnverifiableToken
    return number
