"""Rate limits shared by all workers of a machine: one small file of counters, mapped into every process.

Each limit is a generic cell rate algorithm: one number per subject, the time at which its bucket is full again. A check
costs a few microseconds and no round trip to the database."""

import fcntl
import hashlib
import logging
import math
import mmap
import os
import struct
import time
from functools import lru_cache
from ipaddress import IPv6Address
from pathlib import Path

import msgspec

SLOTS = 65_536
PROBES = 8
HOST_BITS = 64  # of an IPv6 address: one customer is assigned a whole /64
DAY_SECONDS = 86_400
_UNIT_SECONDS = 2.0**-20  # one unit of a day's count moves a slot's time by this; exact in a double
_SLOT = struct.Struct("<Qd")  # hash of the subject, and when its bucket is full again (seconds since the epoch)
_FILE_BYTES = SLOTS * _SLOT.size

logger = logging.getLogger("officepro")


class Limit(msgspec.Struct, frozen=True):
    """A limit of `amount` units in `window_seconds`, all of which may be used at once."""

    name: str
    amount: int
    window_seconds: float = 60.0

    @property
    def interval(self) -> float:
        """Seconds after which one unit is replenished."""
        return self.window_seconds / self.amount


class Standing(msgspec.Struct, frozen=True):
    """State of a subject under a limit."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int  # until the whole limit is available again
    retry_after_seconds: int  # until the next one is allowed


class Limiter:
    """Counters shared by all processes that open the same file.

    If the file cannot be allocated in full, such as on a full disk, each process counts in its own memory and logs
    `rate_limits_not_shared`."""

    def __init__(self, path: Path) -> None:
        try:
            self._file: int | None = _allocated_file(path)
        except OSError as error:
            self._file = None
            reason = error.strerror or type(error).__name__
            logger.warning("rate_limits_not_shared", extra={"file": str(path), "reason": reason})
        self._memory = mmap.mmap(-1 if self._file is None else self._file, _FILE_BYTES)

    def close(self) -> None:
        """Close the file."""
        self._memory.close()
        if self._file is not None:
            os.close(self._file)

    def spend(self, limit: Limit, subject: str, now: float | None = None) -> Standing:
        """Take one unit, if one is left."""
        return self._visit(limit, subject, time.time() if now is None else now, take=True)

    def look(self, limit: Limit, subject: str, now: float | None = None) -> Standing:
        """Return the subject's state without taking a unit."""
        return self._visit(limit, subject, time.time() if now is None else now, take=False)

    def spend_of_day(
        self, limit: Limit, subject: str, units: int, *, is_forced: bool = False, now: float | None = None
    ) -> Standing:
        """Count `units` of a limit that is reset at 0:00 UTC, as long as something of it is left: the last ones may
        exceed it. Forced ones are always counted; 0 units only return the state.

        The slot stores the end of the day, moved by _UNIT_SECONDS for each unit, so that it is in use until the day
        ends."""
        now = time.time() if now is None else now
        day_ends = (now // DAY_SECONDS + 1) * DAY_SECONDS
        whose = _number_of(limit, subject)
        first = whose % (SLOTS - PROBES)
        self._lock(fcntl.LOCK_EX, first)
        try:
            slot, stored = self._find(whose, first, now)
            used = round((stored - day_ends) / _UNIT_SECONDS) if day_ends <= stored < day_ends + DAY_SECONDS else 0
            allowed = used < limit.amount
            if units and (allowed or is_forced):
                used += units
                _SLOT.pack_into(self._memory, slot * _SLOT.size, whose, day_ends + used * _UNIT_SECONDS)
        finally:
            self._lock(fcntl.LOCK_UN, first)
        left = max(1, math.ceil(day_ends - now))
        return Standing(allowed, limit.amount, max(0, limit.amount - used), left, 0 if allowed else left)

    def _visit(self, limit: Limit, subject: str, now: float, *, take: bool) -> Standing:
        whose, window, interval = _number_of(limit, subject), limit.window_seconds, limit.interval
        first = whose % (SLOTS - PROBES)
        self._lock(fcntl.LOCK_EX, first)
        try:
            slot, full_at = self._find(whose, first, now)
            if full_at > now + window:
                # The clock jumped back: unchanged, the bucket would stay empty until the old time is reached again.
                full_at = now + window
                _SLOT.pack_into(self._memory, slot * _SLOT.size, whose, full_at)
            full_at = max(full_at, now)
            after = full_at + interval
            allowed = after - now <= window + 1e-6
            if allowed and take:
                _SLOT.pack_into(self._memory, slot * _SLOT.size, whose, after)
                full_at = after
        finally:
            self._lock(fcntl.LOCK_UN, first)
        left = window - (full_at - now)
        return Standing(
            allowed=allowed,
            limit=limit.amount,
            remaining=max(0, math.floor(left / interval + 1e-6)),
            reset_seconds=max(0, math.ceil(full_at - now)),
            retry_after_seconds=0 if allowed else max(1, math.ceil(after - now - window)),
        )

    def _find(self, whose: int, first: int, now: float) -> tuple[int, float]:
        """Return the subject's slot; otherwise a free one; otherwise the one that is free soonest."""
        best, best_full_at = first, math.inf
        for slot in range(first, first + PROBES):
            owner, full_at = _SLOT.unpack_from(self._memory, slot * _SLOT.size)
            if owner == whose:
                return slot, full_at
            if full_at < best_full_at:
                best, best_full_at = slot, full_at
        return best, now

    def _lock(self, operation: int, first: int) -> None:
        """Lock the slots that a subject may use, so that other subjects are not blocked."""
        if self._file is not None:
            fcntl.lockf(self._file, operation, PROBES * _SLOT.size, first * _SLOT.size)


def _allocated_file(path: Path) -> int:
    """Open the file with all of its blocks allocated. Accessing a mapped page of a sparse file on a full disk would end
    the process by SIGBUS (mmap(2)). Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(file, 0, _FILE_BYTES)
    except BaseException:
        os.close(file)
        raise
    return file


def network_of(address: str) -> str:
    """Return the subject of a limit by address: an IPv4 address, or the /64 of an IPv6 address, which is what one
    customer is assigned."""
    if ":" not in address:
        return address
    try:
        given = IPv6Address(address)
    except ValueError:
        return address
    if given.ipv4_mapped is not None:
        return str(given.ipv4_mapped)
    return str(IPv6Address(int(given) >> HOST_BITS << HOST_BITS))


@lru_cache(maxsize=4096)
def _number_of(limit: Limit, subject: str) -> int:
    digest = hashlib.blake2b(f"{limit.name}\0{subject}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1
