"""Who is calling: what a handler asks for when it needs to know."""

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """A partner's key at work in one practice, as its access token says."""

    key_id: int
    partner_id: int
    practice_id: int
    practicepass: str
    scopes: frozenset[str]
    expires_at: int  # seconds since the epoch: when the token ends
    patient_budget: int = 0  # patients a day in responses to the key; 0: no limit


class Admin(msgspec.Struct, frozen=True):
    """Whoever holds the admin secret."""
