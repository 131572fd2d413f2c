"""Anchors of the disclosure log: number and hash of each practice's last row, signed, kept outside the database.

The hash chain detects rows that were changed, removed or moved; the head detects rows missing at the end. The owner of
the database can rewrite both. An earlier anchor detects that: the owner can neither change it where it is stored nor
sign another without the encryption keys. The worker writes anchors when it starts and once a day: one line each to its
log and, if set, to a file (OFFICEPRO_ANCHOR_FILE) and a URL (OFFICEPRO_ANCHOR_URL). (docs/operating.md)
"""

import asyncio
import hashlib
import hmac
import json
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

import msgspec

from officepro.activity import disclosure_queries
from officepro.foundation.clock import timestamp
from officepro.foundation.database import Database
from officepro.foundation.errors import OfficeProError
from officepro.foundation.outbound.client import OutboundClient
from officepro.foundation.outbound.failures import OutboundError
from officepro.settings import Key, Settings

ANCHORS_PER_REQUEST = 200  # 250 bytes each; a request may have 64 KiB
FILE_MODE = 0o640
_PURPOSE = b"officepro disclosure anchor"  # of the signing key, which is derived from an encryption key

logger = logging.getLogger("officepro.worker")


class AnchorNotStored(OfficeProError):
    """The anchors of the disclosure log could not be written to OFFICEPRO_ANCHOR_FILE or OFFICEPRO_ANCHOR_URL."""

    code = "anchor_not_stored"


class InvalidAnchor(OfficeProError):
    """The anchor file is invalid: each line must be one JSON object as printed by `officepro disclosure anchor` or
    written by the worker, with a signature by a key of OFFICEPRO_ENCRYPTION_KEYS."""

    code = "invalid_anchor"


class Anchor(msgspec.Struct, frozen=True):
    """Number and hash of the last row of a practice's disclosure log at a point in time, signed."""

    practicepass: str
    number: int
    sha256: str  # hexadecimal
    at: str
    kid: str  # of the encryption key that the signing key is derived from
    hmac: str  # SHA-256, hexadecimal

    def as_line(self) -> str:
        """Return the anchor as one line of JSON, without a newline."""
        return json.dumps(msgspec.structs.asdict(self))


def signed(practicepass: str, number: int, sha256: bytes, at: datetime, keys: Sequence[Key]) -> Anchor:
    """Return a signed anchor. The first key signs, as it also encrypts."""
    anchor = Anchor(practicepass, number, sha256.hex(), timestamp(at), keys[0].kid, "")
    return msgspec.structs.replace(anchor, hmac=_signature(anchor, keys[0]))


def anchors_in(text: str, keys: Sequence[Key]) -> list[Anchor]:
    """Parse JSON lines into anchors. Further members, as in a worker's log, are ignored. Raises InvalidAnchor for a
    line that is not an anchor, and for a signature that is wrong or cannot be checked."""
    return [_checked(number, line, keys) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _checked(number: int, line: str, keys: Sequence[Key]) -> Anchor:
    try:
        anchor = msgspec.json.decode(line, type=Anchor)
    except msgspec.MsgspecError as error:
        raise InvalidAnchor(f"Line {number} of the file of anchors is not an anchor: {error}.") from None
    key = next((key for key in keys if key.kid == anchor.kid), None)
    if key is None:
        raise InvalidAnchor(
            f"Line {number} of the file of anchors is signed with the key {anchor.kid}, which is not among "
            "OFFICEPRO_ENCRYPTION_KEYS: add that key again, or remove the line."
        )
    if not hmac.compare_digest(_signature(anchor, key), anchor.hmac):
        raise InvalidAnchor(f"Line {number} of the file of anchors has a wrong signature: the line was changed.")
    return anchor


def _signature(anchor: Anchor, key: Key) -> str:
    signing_key = hmac.digest(key.secret, _PURPOSE, hashlib.sha256)
    lines = (anchor.practicepass, anchor.number, anchor.sha256, anchor.at)
    return hmac.digest(signing_key, "\n".join(map(str, lines)).encode(), hashlib.sha256).hex()


class AnchorJob:
    """Maintenance job: writes the anchors when a worker starts, and again when the database's UTC date has changed.

    Each destination is written on its own, and its success is noted, so that a failing URL is retried without more
    lines in the log and the file.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places: dict[str, Callable[[Sequence[Anchor]], Awaitable[None]]] = {"log": self._log}
        if settings.anchor_file is not None:
            self._places["file"] = self._append
        if settings.anchor_url:
            self._places["url"] = self._send
        self._written: dict[str, date] = {}

    async def run(self, database: Database) -> None:
        """Write the anchors to every destination that is due. Raises AnchorNotStored after all were tried."""
        async with database.system() as db:
            at = await disclosure_queries.time_of_database(db)
            due = [place for place in self._places if self._written.get(place) != at.date()]
            heads = await disclosure_queries.heads(db) if due else []
        anchors = [signed(*head, at, self._settings.encryption_keys) for head in heads]
        failures = []
        for place in due:
            try:
                await self._places[place](anchors)
            except (OSError, OutboundError, AnchorNotStored) as error:
                failures.append(error)
            else:
                self._written[place] = at.date()
        if failures:
            raise AnchorNotStored from failures[0]

    async def _log(self, anchors: Sequence[Anchor]) -> None:
        for anchor in anchors:
            logger.info("disclosure anchor", extra=msgspec.structs.asdict(anchor))

    async def _append(self, anchors: Sequence[Anchor]) -> None:
        assert self._settings.anchor_file is not None
        text = "".join(f"{anchor.as_line()}\n" for anchor in anchors)
        await asyncio.to_thread(_append_to, self._settings.anchor_file, text.encode())

    async def _send(self, anchors: Sequence[Anchor]) -> None:
        headers = {"Content-Type": "application/x-ndjson"}
        async with OutboundClient(self._settings.webhook_allowed_networks, connections=1) as client:
            for some in _in_parts(anchors):
                body = "".join(f"{anchor.as_line()}\n" for anchor in some).encode()
                answer = await client.post(self._settings.anchor_url, body, headers)
                if not 200 <= answer.status < 300:
                    raise AnchorNotStored(f"OFFICEPRO_ANCHOR_URL returned status {answer.status}.")


def _append_to(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
    try:
        if os.write(file, content) != len(content):
            raise OSError(f"{path} could not be written completely")
        os.fsync(file)
    finally:
        os.close(file)


def _in_parts(anchors: Sequence[Anchor]) -> Iterator[Sequence[Anchor]]:
    for start in range(0, len(anchors), ANCHORS_PER_REQUEST):
        yield anchors[start : start + ANCHORS_PER_REQUEST]
