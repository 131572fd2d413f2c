"""Clients that share one network address with clients whose credentials are invalid, at a server with its own
processes.

Used by tests/access (small) and tests/chaos (large)."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from officepro.access.scopes import EVERY_SCOPE
from officepro.foundation.secrets import key_id_of, make_api_key
from tests.chaos.instances import Connection, Instance
from tests.world import Office, issue_token, make_key

POLL_SECONDS = 0.2

Ask = Callable[[Connection], Awaitable[int]]  # one request; its status


@dataclass
class Recovery:
    """Clients whose tokens have expired in the same second, and when each succeeded again."""

    expired_at: float
    seconds: list[float] = field(default_factory=list)
    exchanges: list[int] = field(default_factory=list)  # of each client
    refused: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        slowest = max(self.seconds, default=0.0)
        return (
            f"{len(self.seconds)} of {len(self.exchanges)} work again, the last {slowest:.2f} s after the expiry; "
            f"{sum(self.exchanges)} exchanges, {sum(self.refused.values())} refused {dict(self.refused)}"
        )


async def recover(office: Office, instance: Instance, clients: int, longest_seconds: float) -> Recovery:
    """Run well-behaved clients: after a 401 each exchanges its key, and waits for Retry-After where required."""
    for number in range(clients):
        key = await make_key(office.house, f"client {number}", EVERY_SCOPE, office.practice_id)
        office.keys[f"client {number}"] = key
    expires_at = int(time.time()) + 2 + clients // 60
    tokens = [await issue_token(office, f"client {number}", expires_at) for number in range(clients)]
    recovery = Recovery(expires_at)

    async def live(number: int) -> None:
        token, exchanges = tokens[number], 0
        recovery.exchanges.append(0)
        async with Connection.opened(instance.port) as connection:
            while True:
                status, _ = await connection.get(f"{office.path}/tags", token)
                if status == 200 and exchanges and time.time() > expires_at:
                    recovery.seconds.append(time.time() - expires_at)
                    return
                if status == 401:
                    status, answer = await exchange(connection, office, office.keys[f"client {number}"])
                    exchanges += status != 503  # shed requests do not count
                    recovery.exchanges[number] = exchanges
                    if status == 200:
                        token = answer["accessToken"]
                        continue
                if status != 200:
                    recovery.refused[f"{status} {connection.headers.get('retry-after', '')}"] += 1
                    await asyncio.sleep(float(connection.headers.get("retry-after", POLL_SECONDS)))
                await asyncio.sleep(POLL_SECONDS)

    tasks = [asyncio.create_task(live(number)) for number in range(clients)]
    await asyncio.wait(tasks, timeout=expires_at - time.time() + longest_seconds)
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert outcome is None or isinstance(outcome, asyncio.CancelledError), outcome
    return recovery


@dataclass
class Beside:
    """Responses to valid callers beside callers with invalid credentials, all at one address."""

    noise: Counter[str] = field(default_factory=Counter)
    good: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> dict[str, int]:
        """Number of refusals by request and status."""
        return {name: number for name, number in self.good.items() if not name.endswith((" 200", " 303"))}

    def __str__(self) -> str:
        return f"good callers: {dict(self.good)}; beside them: {dict(self.noise)}"


async def share_an_address(office: Office, instance: Instance, good_keys: int, seconds: float) -> Beside:
    """Exchange and use valid keys, call the admin API and sign in to the portal, beside requests in a loop with a
    revoked key's token, an expired token, a forged one, a wrong secret for an existing key id, an unknown key, a
    malformed key and a wrong admin secret."""
    house, beside, end = office.house, Beside(), time.monotonic() + seconds
    right = office.keys["partner"]
    revoked = await issue_token(office, "revoked")
    expired = await issue_token(office, "partner", time.time() - 1)
    wrong = {
        "wrong secret": make_api_key(key_id_of(right) or 0),
        "unknown key": make_api_key(10**12),
        "malformed key": "your_api_key_here",
    }
    keys = [await make_key(house, f"good {number}", EVERY_SCOPE, office.practice_id) for number in range(good_keys)]

    tags, admin = f"{office.path}/tags", "/v1/admin/keys?limit=1"
    noise = {
        "revoked token": getting(tags, revoked),
        "expired token": getting(tags, expired),
        "forged token": getting(tags, revoked[:-4] + "AAAA"),
        "wrong admin secret": getting(admin, more="X-Admin-Secret: guess\r\n"),
        **{name: exchanging(office, key) for name, key in wrong.items()},
    }
    good = {
        **{f"key {number}": using(office, key) for number, key in enumerate(keys)},
        "admin": getting(admin, more=f"X-Admin-Secret: {house.settings.admin_secret}\r\n"),
        "sign-in": signing_in(house.settings.admin_secret),
    }
    await asyncio.gather(
        *(repeat(instance, name, ask, beside.noise, end, 0.005) for name, ask in noise.items()),
        *(repeat(instance, name.split()[0], ask, beside.good, end, 0.1) for name, ask in good.items()),
    )
    return beside


async def repeat(
    instance: Instance, name: str, ask: Ask, counted: Counter[str], end: float, pause_seconds: float
) -> None:
    async with Connection.opened(instance.port) as connection:
        while time.monotonic() < end:
            counted[f"{name} {await ask(connection)}"] += 1
            await asyncio.sleep(pause_seconds)


def getting(path: str, token: str = "", more: str = "") -> Ask:
    async def ask(connection: Connection) -> int:
        return (await connection.ask("GET", path, token, more=more))[0]

    return ask


def exchanging(office: Office, key: str) -> Ask:
    async def ask(connection: Connection) -> int:
        return (await exchange(connection, office, key))[0]

    return ask


def using(office: Office, key: str) -> Ask:
    """Exchange the key and use the token."""

    async def ask(connection: Connection) -> int:
        status, answer = await exchange(connection, office, key)
        if status != 200:
            return status
        return (await connection.get(f"{office.path}/tags", answer["accessToken"]))[0]

    return ask


def signing_in(secret: str) -> Ask:
    """Open the login page and send its form."""

    async def ask(connection: Connection) -> int:
        _, page = await connection.ask("GET", "/portal/login")
        found = re.search(rb'name="csrf_token" value="([0-9a-f]+)"', page)
        if found is None:
            return 0
        form = urlencode({"secret": secret, "next": "/portal", "csrf_token": found[1].decode()}).encode()
        cookie = f"Cookie: {connection.headers['set-cookie'].partition(';')[0]}\r\n"
        content_type = "application/x-www-form-urlencoded"
        return (await connection.ask("POST", "/portal/login", body=form, more=cookie, content_type=content_type))[0]

    return ask


async def exchange(connection: Connection, office: Office, api_key: str) -> tuple[int, Any]:
    body = json.dumps({"apiKey": api_key}).encode()
    status, answer = await connection.ask("POST", f"{office.path}/auth/token", body=body)
    return status, json.loads(answer)
