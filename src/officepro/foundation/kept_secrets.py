"""Generated secrets of an installation: created once, stored in the data folder, readable by its owner only."""

import base64
import json
import os
import secrets
from pathlib import Path

FILE = "secrets.json"
SECRET_BYTES = 32


class KeptSecretsError(Exception):
    """The file of the generated secrets cannot be read or written; the message states why."""


def kept_secrets(data_dir: Path) -> dict[str, str]:
    """Return the secrets by the names of their settings, in the settings' format. Missing ones are generated. Raises
    KeptSecretsError."""
    path = data_dir / FILE
    try:
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        missing = {name: text for name, text in _made().items() if name not in kept}
        if missing:
            write_privately(path, json.dumps(kept | missing, indent=2))
    except (OSError, ValueError) as error:
        raise KeptSecretsError(f"The secrets in {path} cannot be read or stored: {error}") from error
    return kept | missing


def keep_secret(data_dir: Path, name: str, text: str) -> None:
    """Store a secret. Raises KeptSecretsError."""
    write_privately(data_dir / FILE, json.dumps(kept_secrets(data_dir) | {name: text}, indent=2))


def write_privately(path: Path, text: str) -> None:
    """Write a file atomically, never readable by others."""
    making = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)


def _made() -> dict[str, str]:
    return {
        "admin_secret": secrets.token_urlsafe(SECRET_BYTES),
        "token_keys": f"first:{_random_base64url()}",
        "encryption_keys": f"first:{_random_base64url()}",
    }


def _random_base64url() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")
