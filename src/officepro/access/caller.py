"""The authenticated caller of a request."""

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """A partner's API key in one practice, as its access token states."""

    key_id: int
    partner_id: int
    practice_id: int
    practicepass: str
    scopes: frozenset[str]
    expires_at: int  # expiry of the token, in seconds since the epoch
    patient_budget: int = 0  # patients a day in responses to the key; 0: no limit


class Admin(msgspec.Struct, frozen=True):
    """The holder of the admin secret."""
