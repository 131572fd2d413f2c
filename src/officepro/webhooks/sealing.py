"""Encryption of webhook signing secrets at rest: encrypt with the first key of the settings, decrypt with any of them.

The encrypted form is `kid.base64(nonce + ciphertext)`, AES-256-GCM. (API.md: secrets encrypted at rest)
"""

import base64
import functools
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from officepro.foundation.errors import OfficeProError
from officepro.settings import Key

NONCE_BYTES = 12
PURPOSE = b"officepro webhook secret"  # associated data: a text encrypted for another purpose cannot be decrypted


class CannotOpen(OfficeProError):
    """A webhook secret cannot be decrypted: its encryption key is missing from OFFICEPRO_ENCRYPTION_KEYS."""

    code = "cannot_open_secret"


class Sealer:
    """Encrypts and decrypts webhook secrets with OFFICEPRO_ENCRYPTION_KEYS. Decrypted secrets are cached."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._ciphers = {key.kid: AESGCM(hashlib.sha256(PURPOSE + key.secret).digest()) for key in keys}
        self._kid = keys[0].kid
        self.open = functools.lru_cache(maxsize=4096)(self._open)

    def seal(self, secret: str) -> str:
        """Encrypt a secret with the first key."""
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = self._ciphers[self._kid].encrypt(nonce, secret.encode(), PURPOSE)
        return f"{self._kid}.{base64.b64encode(nonce + ciphertext).decode()}"

    def is_current(self, sealed: str) -> bool:
        """Return whether the secret is encrypted with the first key."""
        return sealed.rpartition(".")[0] == self._kid

    def _open(self, sealed: str) -> str:
        """Decrypt a secret. Raises CannotOpen."""
        kid, _, text = sealed.rpartition(".")
        if kid not in self._ciphers:
            raise CannotOpen
        raw = base64.b64decode(text)
        try:
            return self._ciphers[kid].decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], PURPOSE).decode()
        except InvalidTag:
            raise CannotOpen from None
