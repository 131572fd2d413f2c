"""Signatures of deliveries, with which a receiver verifies origin and age.

Source: the Standard Webhooks specification 1.0.0 (standardwebhooks.com), symmetric scheme `v1`:
`base64(HMAC-SHA256(key, "{id}.{timestamp}.{body}"))`, where the secret is `whsec_` + base64 of the key.
Pure functions on the standard library; the time is an argument.
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
TOLERANCE_SECONDS = 300  # timestamps further in the past or future are rejected as a replay attack


def make_secret(key: bytes | None = None) -> str:
    """Return a secret made from `key`, or from system randomness if None. Raises ValueError for a bad key length."""
    key = secrets.token_bytes(GENERATED_KEY_BYTES) if key is None else key
    _refuse_bad_length(key)
    return PREFIX + base64.b64encode(key).decode("ascii")


def sign(secret: str, message_id: str, timestamp_seconds: int, body: bytes) -> str:
    """Return the signature `v1,<base64>` of one message. Raises ValueError for a malformed secret or id."""
    if not message_id or "." in message_id:
        raise ValueError("a message id must not be empty or contain a full stop, which separates the signed parts")
    signed = f"{message_id}.{timestamp_seconds}.".encode() + body
    digest = hmac.digest(_key_of(secret), signed, "sha256")
    return f"{VERSION},{base64.b64encode(digest).decode('ascii')}"


def signature_header(secrets: Sequence[str], message_id: str, timestamp_seconds: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one signature per secret, separated by spaces.

    For 24 hours after a rotation there are two secrets; a receiver that has either one accepts the message. Raises
    ValueError without a secret.
    """
    if not secrets:
        raise ValueError("at least one secret is required")
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
    """Return whether one of `secrets` signed this message within the tolerance of `now_seconds` (Unix time).

    `timestamp` and `header` are the values of `webhook-timestamp` and `webhook-signature` as received; malformed ones
    return False. Signatures of other versions are ignored, as the specification requires.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(now_seconds - int(timestamp)) > tolerance_seconds or not message_id or "." in message_id:
        return False
    offered = [part.encode() for part in header.split(" ") if part.startswith(VERSION + ",")]
    expected = [sign(secret, message_id, int(timestamp), body).encode() for secret in secrets]
    # Compare every pair, so that the duration does not reveal which one matched.
    matches = [hmac.compare_digest(mine, theirs) for mine in expected for theirs in offered]
    return any(matches)


@functools.lru_cache(maxsize=1024)
def _key_of(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        raise ValueError(f"a webhook secret must start with {PREFIX}")
    try:
        key = base64.b64decode(secret[len(PREFIX) :], validate=True)
    except binascii.Error:
        raise ValueError("a webhook secret must be base64 after its prefix") from None
    _refuse_bad_length(key)
    return key


def _refuse_bad_length(key: bytes) -> None:
    if not MINIMUM_KEY_BYTES <= len(key) <= MAXIMUM_KEY_BYTES:
        raise ValueError(f"a webhook key must have {MINIMUM_KEY_BYTES} to {MAXIMUM_KEY_BYTES} bytes")
