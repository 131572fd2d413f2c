"""API keys and fingerprints of secrets: generation, parsing, comparison in constant time. Secrets are never stored."""

import hashlib
import hmac
import re
import secrets
import zlib

RANDOM_CHARACTERS = 32  # of 62 kinds: 190 bits
CHECKSUM_CHARACTERS = 6
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
API_KEY_PREFIX = "opk_"
_API_KEY = re.compile(r"opk_([1-9][0-9]{0,17})_([0-9A-Za-z]{32})_([0-9A-Za-z]{6})")


def make_api_key(api_key_id: int) -> str:
    """Return `opk_<key id>_<random>_<checksum>`: secret scanners recognize it, and a typo is detected without a
    query."""
    body = f"opk_{api_key_id}_" + "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return f"{body}_{_checksum(body)}"


def key_id_of(api_key: str) -> int | None:
    """Return the key's id; None if the text is not a well-formed key."""
    found = _API_KEY.fullmatch(api_key)
    if found is None or _checksum(api_key[: -CHECKSUM_CHARACTERS - 1]) != found.group(3):
        return None
    return int(found.group(1))


def fingerprint(secret: str) -> bytes:
    """Return the SHA-256 that is stored of a secret. It suffices because the secret is random."""
    return hashlib.sha256(secret.encode()).digest()


def are_equal(one: bytes, other: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one, other)


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = []
    for _ in range(CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
