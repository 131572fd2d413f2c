"""Form values that no browser sends, at every address of the portal that takes a form: a page that says so, never an
internal error."""

import re
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

import httpx
import pytest
from litestar import Litestar

from tests.access.callers import from_everywhere
from tests.portal.test_forgery import posts_of
from tests.portal.test_pages import csrf_token, signed_in
from tests.webhooks.acts import sign_up
from tests.webhooks.receivers import Receiver
from tests.world import House, Office, client, make_key

FORM = "application/x-www-form-urlencoded"
VALUES = (
    "",
    " ",
    "\0",
    "a\0b",
    "[" * 5_000,
    '[["a",{"b":' * 500,
    "a=b&c=d;e",
    "\u00b2",  # a digit to str.isdigit, and none to int
    "-1",
    "9" * 19,
    "0" * 19 + "1" + "9" * 30,
    "9" * 4_400,
    "0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59",
    "0001-01-01T00:00",
    "2026-01-01T00:00+14:00",
    "2026-13-45",
    "<script>alert(1)</script>",
    "\u202e\ufeff\u200b",
    "\U0001f600" * 1_000,
    "\r\nSet-Cookie: a=b",
    "{{7*7}}%s%n${x}",
    "opk_1_" + "A" * 32 + "_AAAAAA",
    "opk_999999999999999999_" + "A" * 32 + "_AAAAAA",
    "x" * 60_000,
)
# (body, content type): the body is not even a form.
BROKEN = (
    (b"", None),
    (b"", FORM),
    (b"", "application/json"),
    (b'{"secret": "x"}', "application/json"),
    (b"[" * 20_000, "application/json"),
    (b"secret=x", "text/plain"),
    (b"secret=x", "application/x-www-form-urlencoded; charset=utf-16"),
    (b"secret=x", "not a content type"),
    (b"secret=x", ";;;=\xff\xfe"),
    (b"secret=%ED%A0%80", FORM),  # a lone surrogate
    (b"secret=\xed\xa0\x80", FORM),
    (b"secret=%FF%FE&next=%80", FORM),
    (b"secret=%", FORM),
    (b"secret=%00", FORM),
    (b"%00=1", FORM),
    (b"secret=a&secret=b", FORM),
    (b"csrf_token=a&csrf_token=b", FORM),
    (b"next=a&next=b&kept=&kept=", FORM),
    (b"&" * 60_000, FORM),
    (b"a=1&" * 10_000, FORM),
    (b"x" * 70_000, FORM),
    (b"secret=" + b"x" * 2_000_000, FORM),
    (b'--b\r\nContent-Disposition: form-data; name="secret"\r\n\r\nx\r\n--b--\r\n', "multipart/form-data; boundary=b"),
    (b'--b\r\nContent-Disposition: form-data; name="secr', "multipart/form-data; boundary=b"),
    (b"no boundary", "multipart/form-data"),
    (b"--\r\n", "multipart/form-data; boundary="),
    (b"--b\r\n" * 5_000, "multipart/form-data; boundary=b"),
    (
        b'--b\r\nContent-Disposition: form-data; name="secret"; filename="\xff"\r\n\r\n\x00\r\n--b--\r\n',
        "multipart/form-data; boundary=b",
    ),
)
INSIDE = re.compile(r"Traceback|\.py\b|asyncpg|litestar|msgspec|ValueError|Unicode\w+Error|SELECT |internal_error")


def fault_of(answer: httpx.Response) -> str | None:
    """What is wrong with an answer to a hostile form, or None."""
    if answer.status_code >= 500:
        return "fails"
    if answer.status_code == 303:
        return None
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return "is no page"
    if "frame-ancestors 'none'" not in answer.headers.get("content-security-policy", ""):
        return "is without its headers"
    found = INSIDE.search(answer.text)
    return f"shows {found.group()}" if found else None


@dataclass
class Walk:
    """Forms that are sent, and what was wrong with the answers."""

    browser: httpx.AsyncClient
    faults: list[str] = field(default_factory=list)
    sent: int = 0

    async def send(self, address: str, body: bytes, content_type: str | None = FORM) -> None:
        headers = {} if content_type is None else {"Content-Type": content_type.encode("latin-1")}
        self.sent += 1
        try:
            answer = await self.browser.post(address, content=body, headers=headers)  # type: ignore[arg-type]
            fault = fault_of(answer)
        except Exception as error:  # whatever it is, it is a fault of the application
            fault = f"raises {error!r}"
        if fault is not None:
            self.faults.append(f"{address} {content_type} {body[-80:]!r}: {fault}")

    async def send_what_is_broken(self, address: str, token: str) -> None:
        for body, content_type in BROKEN:
            await self.send(address, body, content_type)
            if content_type == FORM:
                await self.send(address, f"csrf_token={token}&".encode() + body)

    async def send_each_value(self, address: str, token: str, valid: dict[str, str], name: str) -> None:
        """In this field, the others being right."""
        for value in VALUES:
            await self.send(address, urlencode({"csrf_token": token, **valid, name: value}).encode())


async def test_no_body_that_is_no_form_makes_a_page_fail(house: House, inner_app: Litestar) -> None:
    ends = {"/portal/logout", "/portal/logout/everywhere"}
    async with client(from_everywhere(house.app)) as stranger:
        walk = Walk(stranger)
        for address in posts_of(inner_app):
            await walk.send_what_is_broken(address, csrf_token(await stranger.get("/portal/login")))
    signed = Walk(await signed_in(house, house.settings.admin_secret))
    token = csrf_token(await signed.browser.get("/portal"))
    for address in posts_of(inner_app):
        if address not in ends and not address.endswith(("/login", "/request-access")):
            await signed.send_what_is_broken(address, token)

    assert walk.faults + signed.faults == []
    assert walk.sent + signed.sent > 700


async def test_no_hostile_value_of_a_field_makes_a_page_fail(
    house: House, demo_office: Office, receiver: Receiver
) -> None:
    owner, practice = house.owner, demo_office.practicepass
    key = await make_key(house, f"hostile to {practice}", frozenset({"Tags"}), demo_office.practice_id)
    key_id = key.split("_")[1]
    partner = str(await owner.fetchval("SELECT partner_id FROM api_key WHERE api_key_id = $1", int(key_id)))
    hook = (await sign_up(demo_office, receiver))["id"]
    asked = [
        await owner.fetchval(
            "INSERT INTO access_request (company, practice, contact, email, scopes, purpose) "
            "VALUES ('Hostile', $1, 'x', $2, '{Tags}', '') RETURNING access_request_id",
            practice,
            f"{number}@example.com",
        )
        for number in range(2)
    ]
    new_key = {"partner": partner, "practice": practice, "name": "x", "expires": "", "scopes": "Tags"}
    forms: dict[str, dict[str, str]] = {
        "/portal/keys": new_key,
        f"/portal/keys/{key_id}/rotate": {"grace": "3600"},
        f"/portal/requests/{asked[0]}/approve": {"scopes": "Tags", "practice": practice, "expires": ""},
        f"/portal/requests/{asked[1]}/deny": {"reason": "x"},
        f"/portal/webhooks/subscriptions/{hook}/replay": {"from": "1", "since": "2026-01-01T00:00", "practice": ""},
    }
    walk = Walk(await signed_in(house, house.settings.admin_secret))
    token = csrf_token(await walk.browser.get("/portal"))
    for address, valid in forms.items():
        for name in valid:
            await owner.execute("UPDATE api_key SET replaced_by = NULL WHERE api_key_id = $1", int(key_id))
            await owner.execute(
                "UPDATE access_request SET status = 'pending', decided_at = NULL, api_key_id = NULL "
                "WHERE access_request_id = ANY($1)",
                asked,
            )
            await walk.send_each_value(address, token, valid, name)
    for number in ("0", "-1", "x", "%00", "1.5", str(2**63), "9" * 400):
        for address in ("keys/{}/revoke", "requests/{}/deny", "webhooks/{}/retry", "webhooks/subscriptions/{}/resume"):
            await walk.send(f"/portal/{address.format(number)}", f"csrf_token={token}&reason=x".encode())
    assert walk.faults == []


async def test_nor_one_of_a_stranger(house: House) -> None:
    asked = dict.fromkeys(("company", "practice", "contact", "purpose"), "x")
    forms: dict[str, dict[str, str]] = {
        "/portal/login": {"secret": "x", "next": "/portal", "kept": ""},
        "/portal/request-access": {**asked, "email": "x@example.com", "scopes": "Tags"},
    }
    async with client(from_everywhere(house.app)) as stranger:
        walk = Walk(stranger)
        token = csrf_token(await stranger.get("/portal/login"))
        for address, valid in forms.items():
            for name in valid:
                await walk.send_each_value(address, token, valid, name)
    assert walk.faults == []


async def test_nor_one_that_is_kept_across_a_sign_in(house: House) -> None:
    """`kept` was read as JSON, and deep JSON was an internal error."""
    async with client(from_everywhere(house.app)) as browser:
        for value in VALUES:
            token = csrf_token(await browser.get("/portal/login"))
            data = {"csrf_token": token, "secret": house.settings.admin_secret, "kept": value, "next": value}
            answer = await browser.post("/portal/login", data=data)
            assert answer.status_code in (200, 303, 400, 413), value[:80]
            assert fault_of(answer) is None, value[:80]


QUERIES = {
    "/portal": ("practice", "days"),
    "/portal/activity": ("partner", "before", "rows"),
    "/portal/keys": ("page", "sort", "said", "proof"),
    "/portal/login": ("next", "other"),
}


@pytest.mark.parametrize("address", QUERIES)
async def test_no_hostile_query_makes_a_page_fail(house: House, address: str) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    for value in (*(quote_plus(value[:3000]) for value in VALUES), "%FF", "%ED%A0%80", "%"):
        for name in QUERIES[address]:
            assert fault_of(await browser.get(f"{address}?{name}={value}")) is None, f"{name}={value[:80]}"
