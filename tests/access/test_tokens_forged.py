"""Tokens that this service did not sign, or that were changed: 401, whatever they contain."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from officepro.access.caller import Caller
from officepro.access.tokens import AUDIENCE, ISSUER, InvalidToken, Tokens
from officepro.settings import Settings
from tests.access.visitors import visitor_from
from tests.world import Office

OTHER_SECRET = b"another signing key of more than 32 bytes"
Claims = dict[str, Any]


@pytest.fixture
async def claims(demo_office: Office) -> Claims:
    """Return the claims of a genuine token of the new practice."""
    found: Claims = jwt.decode(await demo_office.token("newcomer"), options={"verify_signature": False})
    return found


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sealed(header: object, claims: object, secret: bytes) -> str:
    """Return a token signed by hand, without the checks of a library."""
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def ours(secret: bytes, claims: Claims, **changes: Any) -> str:
    return sealed({"alg": "HS256", "typ": "JWT", "kid": "test"}, {**claims, **changes}, secret)


def without(claims: Claims, name: str) -> Claims:
    return {key: value for key, value in claims.items() if key != name}


FORGED: dict[str, Callable[[bytes, Claims], str]] = {
    "alg none": lambda key, claims: f"{part({'alg': 'none', 'kid': 'test'})}.{part(claims)}.",
    "alg None, signed": lambda key, claims: sealed({"alg": "None", "kid": "test"}, claims, key),
    "alg HS512": lambda key, claims: jwt.encode(claims, key * 2, "HS512", headers={"kid": "test"}),
    "alg RS256": lambda key, claims: sealed({"alg": "RS256", "kid": "test"}, claims, key),
    "alg is a list": lambda key, claims: sealed({"alg": ["HS256"], "kid": "test"}, claims, key),
    "another secret": lambda key, claims: sealed({"alg": "HS256", "kid": "test"}, claims, OTHER_SECRET),
    "another kid": lambda key, claims: sealed({"alg": "HS256", "kid": "other"}, claims, key),
    "no kid, empty secret": lambda key, claims: sealed({"alg": "HS256"}, claims, b""),
    "no kid, our secret": lambda key, claims: sealed({"alg": "HS256"}, claims, key),
    "kid is a number": lambda key, claims: sealed({"alg": "HS256", "kid": 1}, claims, b""),
    "kid is a list": lambda key, claims: sealed({"alg": "HS256", "kid": ["test"]}, claims, b""),
    "kid is a path": lambda key, claims: sealed({"alg": "HS256", "kid": "../../dev/null"}, claims, b""),
    "detached payload": lambda key, claims: sealed({"alg": "HS256", "kid": "test", "b64": False}, claims, key),
    "unknown critical header": lambda key, claims: sealed({"alg": "HS256", "kid": "test", "crit": ["x"]}, claims, key),
    "another audience": lambda key, claims: ours(key, claims, aud="somebody/else"),
    "another issuer": lambda key, claims: ours(key, claims, iss="somebody"),
    "no audience": lambda key, claims: ours(key, without(claims, "aud")),
    "no issuer": lambda key, claims: ours(key, without(claims, "iss")),
    "no expiry": lambda key, claims: ours(key, without(claims, "exp")),
    "no practice": lambda key, claims: ours(key, without(claims, "practice")),
    "expired": lambda key, claims: ours(key, claims, exp=int(time.time()) - 1),
    "expiry is text": lambda key, claims: ours(key, claims, exp="tomorrow"),
    "expiry is infinite": lambda key, claims: ours(key, claims, exp=float("inf")),
    "not valid yet": lambda key, claims: ours(key, claims, nbf=int(time.time()) + 3600),
    "claims are a list": lambda key, claims: sealed({"alg": "HS256", "kid": "test"}, [1], key),
    "claims are no JSON": lambda key, claims: sealed({"alg": "HS256", "kid": "test"}, b"\xff{", key),
    "no such key": lambda key, claims: ours(key, claims, sub="987654321"),
    "key id beyond 2^63": lambda key, claims: ours(key, claims, sub=str(2**63)),
    "practice beyond 2^63": lambda key, claims: ours(key, claims, practice=2**63),
    "practice is negative": lambda key, claims: ours(key, claims, practice=-1),
    "empty": lambda key, claims: "",
    "a dot": lambda key, claims: ".",
    "dots": lambda key, claims: "....",
    "no base64": lambda key, claims: "a.b.c",
    "huge": lambda key, claims: "a" * 100_000,
    "huge and genuine": lambda key, claims: ours(key, claims, padding="x" * 10_000),
    "a deep header": lambda key, claims: f"{part(b'[' * 2900)}.e30.e30",
    "binary": lambda key, claims: bytes(range(128, 256)).decode("latin-1"),
    "the API key itself": lambda key, claims: "opk_1_" + "a" * 32 + "_aaaaaa",
}


@pytest.mark.parametrize("forgery", FORGED)
async def test_a_forged_token_is_refused(demo_office: Office, settings: Settings, claims: Claims, forgery: str) -> None:
    token = FORGED[forgery](settings.token_keys[0].secret, claims)
    async with visitor_from(demo_office.house) as visitor:
        answer = await visitor.get(
            f"{demo_office.path}/tags", headers={b"Authorization": f"Bearer {token}".encode("latin-1")}
        )

    assert answer.status_code == 401, answer.text
    assert answer.json()["code"] in ("invalid_token", "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_the_forger_s_tool_makes_tokens_that_pass_when_they_are_genuine(
    demo_office: Office, settings: Settings, claims: Claims
) -> None:
    """The control: without it the refusals above would prove nothing."""
    token = ours(settings.token_keys[0].secret, claims)
    async with visitor_from(demo_office.house) as visitor:
        answer = await visitor.get(f"{demo_office.path}/tags", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer", "Token abc", "\x80\xff"])
async def test_without_a_bearer_token_the_caller_is_unknown(demo_office: Office, header: str) -> None:
    answer = await demo_office.house.stranger.get(
        f"{demo_office.path}/tags", headers={b"Authorization": header.encode("latin-1")}
    )

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_changing_one_claim_of_a_genuine_token_breaks_it(demo_office: Office, claims: Claims) -> None:
    header, _, signature = (await demo_office.token("newcomer")).split(".")
    grander = {**claims, "scopes": [*claims["scopes"], "Scheduling", "Providers"]}
    async with visitor_from(demo_office.house) as visitor:
        answer = await visitor.get(
            f"{demo_office.path}/tags", headers={"Authorization": f"Bearer {header}.{part(grander)}.{signature}"}
        )

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


async def test_even_a_rightly_signed_token_has_no_scope_that_its_key_lacks(
    demo_office: Office, settings: Settings, claims: Claims
) -> None:
    await demo_office.house.owner.execute(
        "UPDATE api_key SET scopes = '{Tags}' WHERE api_key_id = $1", int(claims["sub"])
    )
    token = ours(settings.token_keys[0].secret, claims, scopes=["Tags", "Prospects"])
    async with visitor_from(demo_office.house) as visitor:
        bearer = {"Authorization": f"Bearer {token}"}
        # The fixture may have used this key a moment ago; its cached state expires within seconds.
        answer = await visitor.get(f"{demo_office.path}/tags", headers=bearer)
        prospects = await visitor.get(f"{demo_office.path}/prospects", headers=bearer)

    assert answer.status_code == 200
    assert (prospects.status_code, prospects.json()["scope"]) == (403, "Prospects")


def newcomer(expires_at: int) -> Caller:
    return Caller(1, 1, 1, "DemoOffice", frozenset({"Tags"}), expires_at)


def test_after_a_rotation_the_old_key_verifies_and_the_new_one_signs() -> None:
    old, new = ("2025", b"o" * 32), ("2026", b"n" * 32)
    now = datetime(2026, 3, 9, tzinfo=UTC)
    caller = newcomer(int(now.timestamp()) + 60)
    before = Tokens([old]).issue(caller, now)
    rotated = Tokens([new, old])

    assert rotated.verify(before, now.timestamp()) == caller
    assert jwt.get_unverified_header(rotated.issue(caller, now))["kid"] == "2026"
    with pytest.raises(InvalidToken):
        Tokens([new]).verify(before, now.timestamp())


def test_a_token_that_was_verified_before_still_expires() -> None:
    tokens = Tokens([("one", b"k" * 32)])
    now = datetime(2026, 3, 9, tzinfo=UTC)
    token = tokens.issue(newcomer(int(now.timestamp()) + 60), now)

    tokens.verify(token, now.timestamp() + 59)
    with pytest.raises(InvalidToken):
        tokens.verify(token, now.timestamp() + 60)


def test_a_token_names_issuer_audience_and_key_but_no_secret() -> None:
    tokens = Tokens([("one", b"k" * 32)])
    now = datetime(2026, 3, 9, tzinfo=UTC)
    claims = jwt.decode(tokens.issue(newcomer(7), now), options={"verify_signature": False})

    assert claims == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "1",
        "partner": 1,
        "practice": 1,
        "ppass": "DemoOffice",
        "scopes": ["Tags"],
        "iat": int(now.timestamp()),
        "exp": 7,
    }
