"""Made-up access tokens, cursors, If-Match and Idempotency-Key values: no 500, and no data without authorization."""

import base64
import json

import httpx
import jwt
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.access.callers import from_everywhere
from tests.world import Office, client

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Characters allowed in a header; HTTP servers reject others.
header_bytes = st.binary(max_size=300).map(
    lambda raw: bytes(byte for byte in raw if byte >= 32 and byte != 127).strip()
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


async def ask(office: Office, authorization: bytes) -> httpx.Response:
    async with client(from_everywhere(office.house.app)) as stranger:
        return await stranger.get(f"{office.path}/tags", headers=[(b"authorization", authorization)])


@many
@given(authorization=header_bytes)
async def test_any_bytes_for_a_token_are_refused(demo_office: Office, authorization: bytes) -> None:
    answer = await ask(demo_office, authorization)

    assert (answer.status_code, answer.json()["code"] in ("unauthorized", "invalid_token")) == (401, True)


@many
@given(data=st.data())
async def test_a_genuine_token_changed_anywhere_is_refused(demo_office: Office, data: st.DataObject) -> None:
    token = demo_office.partner.headers["Authorization"].removeprefix("Bearer ").encode()
    place = data.draw(st.integers(0, len(token) - 1))
    changed = token[:place] + data.draw(header_bytes) + token[place + data.draw(st.integers(0, 3)) :]
    # The last letter of each part has unused bits; changing only them leaves the token the same.
    assume([_decoded(part) for part in changed.split(b".")] != [_decoded(part) for part in token.split(b".")])

    assert (await ask(demo_office, b"Bearer " + changed)).status_code == 401


@pytest.mark.parametrize("blank", [b"\x85", b"\xa0", b"\t"])
async def test_only_spaces_stand_between_scheme_and_token(demo_office: Office, blank: bytes) -> None:
    """RFC 9110, 11.4; Python's own definition of a blank is wider."""
    token = demo_office.partner.headers["Authorization"].removeprefix("Bearer ").encode()

    assert (await ask(demo_office, b"Bearer   " + token)).status_code == 200
    assert (await ask(demo_office, b"Bearer " + blank + token)).status_code == 401
    assert (await ask(demo_office, b"Bearer " + token + blank + b"x")).status_code == 401


def _decoded(part: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except ValueError:
        return b"?" + part


@many
@given(
    claims=st.dictionaries(
        st.sampled_from(["sub", "partner", "practice", "ppass", "scopes", "exp", "iat", "aud"]), json_values
    )
)
async def test_even_signed_by_us_a_token_that_makes_no_sense_is_refused(
    demo_office: Office, claims: dict[str, object]
) -> None:
    key = demo_office.house.settings.token_keys[0]
    genuine = jwt.decode(await demo_office.token(), options={"verify_signature": False})
    assume(claims and any(genuine[name] != value for name, value in claims.items()))
    token = jwt.api_jws.encode(json.dumps({**genuine, **claims}).encode(), key.secret, "HS256", {"kid": key.kid})

    answer = await ask(demo_office, f"Bearer {token}".encode())
    if answer.status_code == 200:  # some changes do not matter: time of issue, a later expiry, one partner fewer
        assert claims.keys() <= {"iat", "exp", "partner", "scopes"}, claims
    else:
        assert answer.status_code in (401, 403), answer.text


@many
@given(
    cursor=st.text(min_size=1, max_size=110)
    | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
async def test_any_text_for_a_cursor_is_answered_or_refused(demo_office: Office, cursor: str) -> None:
    for address, more in (("/prospects", {}), ("/prospects", {"updatedSince": "2026-01-01T00:00:00Z"})):
        answer = await demo_office.partner.get(address, params={"cursor": cursor, **more})
        assert answer.status_code in (200, 400), answer.text
    activity = await demo_office.house.admin.get("/v1/admin/activity", params={"cursor": cursor})
    assert activity.status_code in (200, 400), activity.text
    products = await demo_office.partner_global.get("/products", params={"cursor": cursor})
    assert products.status_code in (200, 400), products.text


@many
@given(if_match=header_bytes)
async def test_any_bytes_for_if_match_change_nothing_but_a_record_of_that_version(
    demo_office: Office, if_match: bytes
) -> None:
    assume(if_match.strip() not in (b"*", b'"1"', b'W/"1"'))
    answer = await demo_office.partner.put(
        f"/prospects/{demo_office.ada}", json={"City": "Paris"}, headers=[(b"if-match", if_match)]
    )

    assert answer.status_code in (400, 412), (if_match, answer.text)
    if answer.status_code == 412:
        assert answer.headers["ETag"] == '"1"'


@many
@given(key=header_bytes)
async def test_any_bytes_for_an_idempotency_key_hold_or_are_refused(demo_office: Office, key: bytes) -> None:
    async def create() -> httpx.Response:
        return await demo_office.partner.post(
            "/prospects", json={"FirstName": "Grace"}, headers=[(b"idempotency-key", key)]
        )

    first, again = await create(), await create()
    if first.status_code == 201:
        assert (again.status_code, again.content, again.headers["Idempotent-Replay"]) == (201, first.content, "true")
    else:
        assert (first.status_code, again.status_code) == (400, 400)
        assert not (0 < len(key) <= 255 and all(32 <= byte < 127 for byte in key)), key
