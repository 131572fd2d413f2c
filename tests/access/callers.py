"""Every kind of caller, with its credentials.

What a caller may do is not stated here: the matrix checks the responses against the guards of the route table."""

import base64
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import jwt
from litestar.types import ASGIApp, Receive, Scope, Send

from officepro.access.caller import Caller
from officepro.access.scopes import EVERY_SCOPE
from officepro.access.tokens import ALGORITHM, AUDIENCE, ISSUER, Tokens
from officepro.foundation.clock import now
from officepro.foundation.secrets import fingerprint, key_id_of
from officepro.portal.sessions import admin_secret_hmac
from officepro.settings import Settings
from tests.world import Office, make_key

COOKIE = "officepro-session"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Kind:
    """One kind of caller: the headers of each of its requests."""

    name: str
    headers: dict[str, str] = field(default_factory=dict)
    scopes: frozenset[str] | None = None  # of a genuine token; None without one
    of_this_practice: bool = True


def from_everywhere(app: ASGIApp) -> ASGIApp:
    """Send each request from an address of its own, so that the limit on failures does not end the run after ten."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        number = next(_numbers)
        scope["client"] = (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 1)
        await app(scope, receive, send)

    return answer


async def every_kind(office: Office, other: Office) -> list[Kind]:
    settings, owner = office.house.settings, office.house.owner
    genuine = await office.token()
    return [
        Kind("nobody"),
        *_strangers(genuine, settings),
        *await _fallen(office, other, settings),
        Kind("the API key itself", _bearer(office.keys["partner"])),
        Kind("the API key as admin secret", {"X-Admin-Secret": office.keys["partner"]}),
        Kind("a wrong admin secret", {"X-Admin-Secret": settings.admin_secret + "x"}),
        Kind("an empty admin secret", {"X-Admin-Secret": ""}),
        Kind("the admin secret as a token", _bearer(settings.admin_secret)),
        Kind("a made-up session", {"Cookie": f"{COOKIE}=made-up"}),
        Kind("a session of an earlier admin secret", {"Cookie": f"{COOKIE}={await _session(owner)}"}),
        Kind("an ended session", {"Cookie": f"{COOKIE}={await _session(owner, hours_ago=9)}"}),
        Kind("a partner's session", {"Cookie": f"{COOKIE}={await _session(owner, key_id_of(office.keys['partner']))}"}),
        Kind(
            "the admin's session", {"Cookie": f"{COOKIE}={await _session(owner, admin_secret=settings.admin_secret)}"}
        ),
        Kind("the admin", {"X-Admin-Secret": settings.admin_secret}),
        Kind("a partner with every scope", _bearer(genuine), EVERY_SCOPE),
        Kind("another practice's partner", _bearer(await other.token()), EVERY_SCOPE, of_this_practice=False),
        Kind("a key of all practices, at another", _bearer(await _of_all(office, other)), EVERY_SCOPE, False),
        *[await _without(office, scope) for scope in sorted(EVERY_SCOPE)],
        await _narrowed(office),
    ]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _strangers(genuine: str, settings: Settings) -> list[Kind]:
    """Return tokens that resemble those of this service."""
    key = settings.token_keys[0]
    claims = jwt.decode(genuine, options={"verify_signature": False})
    kid = {"kid": key.kid}

    def signed(secret: bytes = key.secret, **changes: object) -> dict[str, str]:
        return _bearer(jwt.encode({**claims, **changes}, secret, ALGORITHM, headers=kid))

    assert (claims["aud"], claims["iss"]) == (AUDIENCE, ISSUER)
    return [
        Kind("an empty token", {"Authorization": "Bearer "}),
        Kind("another scheme", {"Authorization": f"Basic {genuine}"}),
        Kind("garbage", _bearer("garbage")),
        Kind("garbage in three parts", _bearer("e30.e30.e30")),
        Kind("alg none", _bearer(_unsigned(claims, kid))),
        Kind("another's signature", signed(b"another signing key of more than 32 bytes")),
        Kind("a foreign audience", signed(aud="somebody/else")),
        Kind("a foreign issuer", signed(iss="somebody else")),
        Kind("an expired token", signed(exp=1)),
        Kind("a token cut short", _bearer(genuine[:-1])),
    ]


def _unsigned(claims: dict[str, Any], kid: dict[str, str]) -> str:
    header, payload = ({"alg": "none", "typ": "JWT", **kid}, claims)
    parts = (base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in (header, payload))
    return f"{'.'.join(parts)}."


async def _fallen(office: Office, other: Office, settings: Settings) -> list[Kind]:
    """Return genuine tokens whose key, partner or practice is no longer valid."""
    deeds = {
        "a revoked key's token": "UPDATE api_key SET revoked_at = now() WHERE api_key_id = $1",
        "an expired key's token": "UPDATE api_key SET expires_at = now() WHERE api_key_id = $1",
        "a closed partner's token": """
            UPDATE partner SET active = false WHERE partner_id = (SELECT partner_id FROM api_key WHERE api_key_id = $1)
        """,
        "a key's that was given to another practice": f"""
            UPDATE api_key SET practice_id = {other.practice_id} WHERE api_key_id = $1
        """,
    }
    tokens = {name: await _token_of_new_key(office, settings, EVERY_SCOPE, deed) for name, deed in deeds.items()}
    return [Kind(name, _bearer(token)) for name, token in tokens.items()]


async def _without(office: Office, scope: str) -> Kind:
    scopes = EVERY_SCOPE - {scope}
    return Kind(
        f"a key without {scope}", _bearer(await _token_of_new_key(office, office.house.settings, scopes)), scopes
    )


async def _narrowed(office: Office) -> Kind:
    """Return a token that was issued when its key still had every scope."""
    deed = "UPDATE api_key SET scopes = ARRAY['Documents'] WHERE api_key_id = $1"
    token = await _token_of_new_key(office, office.house.settings, EVERY_SCOPE, deed)
    return Kind("a key whose scopes were taken away", _bearer(token), frozenset({"Documents"}))


async def _token_of_new_key(office: Office, settings: Settings, scopes: frozenset[str], then: str | None = None) -> str:
    """Return a token signed as by the authenticator; `then` is what happens to the key before its first use."""
    owner = office.house.owner
    await make_key(office.house, f"partner {next(_numbers)}", scopes, office.practice_id)
    key = await owner.fetchrow("SELECT api_key_id, partner_id FROM api_key ORDER BY api_key_id DESC LIMIT 1")
    assert key is not None
    if then is not None:
        await owner.execute(then, key["api_key_id"])
    caller = Caller(
        key_id=key["api_key_id"],
        partner_id=key["partner_id"],
        practice_id=office.practice_id,
        practicepass=office.practicepass,
        scopes=scopes,
        expires_at=int(now().timestamp()) + 3600,
    )
    return Tokens([(one.kid, one.secret) for one in settings.token_keys]).issue(caller, now())


async def _of_all(office: Office, other: Office) -> str:
    other.keys["of all"] = await make_key(office.house, "of all practices", EVERY_SCOPE, None)
    return await other.token("of all")


async def _session(
    owner: asyncpg.Connection, key_id: int | None = None, hours_ago: int = 0, admin_secret: str = ""
) -> str:
    """Return a session's cookie value as stored by the browser. Without a key it is the session of the admin secret."""
    name = f"session {next(_numbers)}"
    await owner.execute(
        """
        INSERT INTO portal_session (session_sha256, api_key_id, csrf_token, created_at, admin_secret_hmac)
        VALUES ($1, $2, 'token', now() - make_interval(hours => $3), $4)
        """,
        fingerprint(name),
        key_id,
        hours_ago,
        admin_secret_hmac(admin_secret, name),
    )
    return name
