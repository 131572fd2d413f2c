"""Signatures by which a partner knows that a delivery is ours and recent.

Source: the Standard Webhooks specification 1.0.0 (standardwebhooks.com), symmetric scheme `v1`:
`base64(HMAC-SHA256(key, "{id}.{timestamp}.{body}"))`, where the secret is `whsec_` + base64 of the key.
Pure: the standard library alone, and `now` is passed in.
"""

import base64
import binascii
import functools
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
VERSION = "v1"
GENERATED_KEY_BYTES = 32
MINIMUM_KEY_BYTES = 24  # Standard Webhooks: between 24 bytes (192 bits) and 64 bytes (512 bits)
MAXIMUM_KEY_BYTES = 64
TOLERANCE_SECONDS = 300  # an older or more future timestamp is taken for a replay


def make_secret(key: bytes | None = None) -> str:
    """A new secret from `key`, or from the system's randomness when none is given."""
    key = secrets.token_bytes(GENERATED_KEY_BYTES) if key is None else key
    _refuse_bad_length(key)
    return PREFIX + base64.b64encode(key).decode("ascii")


def sign(secret: str, message_id: str, timestamp_seconds: int, body: bytes) -> str:
    """The signature `v1,<base64>` of one message; raises ValueError for a malformed secret or id."""
    if not message_id or "." in message_id:
        raise ValueError("a message id must not be empty or hold a full stop, which separates the signed parts")
    signed = f"{message_id}.{timestamp_seconds}.".encode() + body
    digest = hmac.digest(_key_of(secret), signed, "sha256")
    return f"{VERSION},{base64.b64encode(digest).decode('ascii')}"


def signature_header(secrets: Sequence[str], message_id: str, timestamp_seconds: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature per secret, parted by spaces.

    During the 24 hours after a rotation there are two secrets, and a receiver that knows either accepts the message.
    """
    if not secrets:
        raise ValueError("at least one secret must sign")
    return " ".join(sign(secret, message_id, timestamp_seconds, body) for secret in secrets)


def verify(
    secrets: Sequence[str],
    message_id: str,
    timestamp: str,
    body: bytes,
    header: str,
    *,
    now_seconds: float,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> bool:
    """Whether one of `secrets` signed this message within the tolerance of `now_seconds` (Unix time).

    `timestamp` and `header` are the texts of `webhook-timestamp` and `webhook-signature` as they were received, so
    nothing in them can raise. Signatures of other versions are passed over, as the specification asks.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(now_seconds - int(timestamp)) > tolerance_seconds or not message_id or "." in message_id:
        return False
    offered = [part.encode() for part in header.split(" ") if part.startswith(VERSION + ",")]
    expected = [sign(secret, message_id, int(timestamp), body).encode() for secret in secrets]
    # Every pair is compared, so that the time taken doesn't tell which one matched.
    matches = [hmac.compare_digest(mine, theirs) for mine in expected for theirs in offered]
    return any(matches)


@functools.lru_cache(maxsize=1024)
def _key_of(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        raise ValueError(f"a webhook secret starts with {PREFIX}")
    try:
        key = base64.b64decode(secret[len(PREFIX) :], validate=True)
    except binascii.Error:
        raise ValueError("a webhook secret is base64 after its prefix") from None
    _refuse_bad_length(key)
    return key


def _refuse_bad_length(key: bytes) -> None:
    if not MINIMUM_KEY_BYTES <= len(key) <= MAXIMUM_KEY_BYTES:
        raise ValueError(f"a webhook key has {MINIMUM_KEY_BYTES} to {MAXIMUM_KEY_BYTES} bytes")
