"""Guards of routes: authentication and authorization before a handler runs. Every route has one; a convention test
checks them all.

requires("Tags")   a partner's access token of this practice whose key has the scope
any_partner        a partner's access token with any scopes
requires_admin     the admin secret
is_open("why")     no authentication, and the reason
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
    """A guard that decides by the ASGI scope alone; a subclass implements `admit`."""

    @final
    async def __call__(self, connection: AnyConnection, handler: BaseRouteHandler) -> None:
        await self.admit(connection.scope)

    async def admit(self, scope: Scope) -> None:
        raise NotImplementedError


class Requires(_ByScope):
    """Requires a partner's access token; on routes of a practice a token of that practice; and the scope, if one is
    named."""

    def __init__(self, scope: str | None) -> None:
        self.scope = scope

    async def admit(self, scope: Scope) -> None:
        """Authorize the request and add caller, key and rate limit to its ASGI scope. Raises Unauthorized,
        InvalidToken, RateLimited, AnotherPractice, MissingScope."""
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
    """Requires the admin secret in X-Admin-Secret."""

    async def admit(self, scope: Scope) -> None:
        """Authorize the request. Raises InvalidAdminSecret, TooManyFailures."""
        gate: Gate = scope["litestar_app"].state.gate
        gate.admit_admin(header_of(scope, b"x-admin-secret"), address_of(scope))
        log_practice(scope)


class IsOpen(_ByScope):
    """Allows every request without authentication. `why` states the reason."""

    def __init__(self, why: str) -> None:
        self.why = why

    async def admit(self, scope: Scope) -> None:
        return None


class PageGuard:
    """Base class of the portal's own guards, which check a session instead of a token."""


Guard = Requires | RequiresAdmin | IsOpen
requires = Requires
any_partner = Requires(None)
requires_admin = RequiresAdmin()
is_open = IsOpen


def address_of(scope: object) -> str:
    """Return the client's address, as determined by the edge middleware (behind trusted proxies, the address that they
    forward)."""
    address: str = scope["address"]  # type: ignore[index]
    return address


def log_practice(scope: Scope) -> None:
    """Make the request log name the practice of the path, for a request whose caller has no access token of a
    practice."""
    scope["logged_practicepass"] = scope["path_params"].get("practicepass")  # type: ignore[typeddict-unknown-key]


def log_key(scope: Scope, key: KeyState | None) -> None:
    """Make the request log name the key whose secret was sent."""
    scope["logged_key"] = key  # type: ignore[typeddict-unknown-key]
