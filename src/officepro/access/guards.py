"""What stands before a handler: who may come in. Every route has one of these; a house test walks them all.

requires("Tags")   a partner's token of this practice whose key has the scope
any_partner        a partner's token, whatever its scopes
requires_admin     the admin secret
is_open("why")     nobody is asked, and why that is right
"""

from functools import partial
from typing import Any, final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from officepro.access.concurrency import ConcurrencyLimiter
from officepro.access.gate import AnotherPractice, Gate, RateLimited, require
from officepro.access.queries import KeyState
from officepro.foundation.input import header_of

AnyConnection = ASGIConnection[Any, Any, Any, Any]


class _ByScope:
    """Who comes in is settled by the request's scope alone, whoever calls the handler. Its own say is `admit`."""

    @final
    async def __call__(self, connection: AnyConnection, handler: BaseRouteHandler) -> None:
        await self.admit(connection.scope)

    async def admit(self, scope: Scope) -> None:
        raise NotImplementedError


class Requires(_ByScope):
    """A partner's token; in a practice's own addresses that practice's; and the scope, where one is named."""

    def __init__(self, scope: str | None) -> None:
        self.scope = scope

    async def admit(self, scope: Scope) -> None:
        gate: Gate = scope["litestar_app"].state.gate
        authorization = header_of(scope, b"authorization")
        concurrency: ConcurrencyLimiter = scope["concurrency"]  # type: ignore[typeddict-item]
        caller, key, standing = await gate.admit(authorization, address_of(scope), partial(concurrency.enter, scope))
        scope["caller"] = caller  # type: ignore[typeddict-unknown-key]
        scope["key"] = key  # type: ignore[typeddict-unknown-key]
        scope["standing"] = standing  # type: ignore[typeddict-unknown-key]
        if standing is not None and not standing.allowed:
            raise RateLimited(retry_after_seconds=standing.retry_after_seconds)
        practicepass = scope["path_params"].get("practicepass")
        if practicepass is not None and practicepass != caller.practicepass:
            raise AnotherPractice
        if self.scope is not None:
            require(caller.scopes, self.scope)


class RequiresAdmin(_ByScope):
    """The admin secret in X-Admin-Secret."""

    async def admit(self, scope: Scope) -> None:
        gate: Gate = scope["litestar_app"].state.gate
        gate.admit_admin(header_of(scope, b"x-admin-secret"), address_of(scope))
        log_practice(scope)


class IsOpen(_ByScope):
    """Nobody is asked."""

    def __init__(self, why: str) -> None:
        self.why = why

    async def admit(self, scope: Scope) -> None:
        return None


class PageGuard:
    """What stands before a page of the portal: a session, which the API does not know. The portal has its own."""


Guard = Requires | RequiresAdmin | IsOpen
requires = Requires
any_partner = Requires(None)
requires_admin = RequiresAdmin()
is_open = IsOpen


def address_of(scope: object) -> str:
    """The caller's address, as the door settled it (behind trusted proxies: the address they vouch for)."""
    address: str = scope["address"]  # type: ignore[index]
    return address


def log_practice(scope: Scope) -> None:
    """Have the request log name the practice of the path, for a request whose caller has no token of a practice."""
    scope["logged_practicepass"] = scope["path_params"].get("practicepass")  # type: ignore[typeddict-unknown-key]


def log_key(scope: Scope, key: KeyState | None) -> None:
    """Have the request log name the key whose secret was sent."""
    scope["logged_key"] = key  # type: ignore[typeddict-unknown-key]
