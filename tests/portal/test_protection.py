"""What protects the portal's answers: headers, cookies, TLS behind a proxy; and that no GET changes anything."""

import csv
import io
import re
from typing import Any

import httpx
import pytest
from litestar import Litestar

from officepro.app import create_inner_app, enclose
from officepro.documentation.document import handlers
from officepro.door import Door
from tests.conftest import alive
from tests.portal.test_pages import csrf_token, log_in, portal, signed_in
from tests.world import BASE_URL, House, Office, client, make_key

YEAR_SECONDS = 31_536_000
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# Written at every request, whatever it is: who was seen, and the log of requests.
COUNTED = re.compile("portal_session|request_.*|api_key")


def pages_of(app: Litestar) -> list[str]:
    """The address of every page of the portal, of records that there are not."""
    found = [route.path_format for route, method, _ in handlers(app) if method == "GET"]
    return [re.sub(r"\{[^}]+\}", "987654321", path) for path in found if path.startswith("/portal")]


async def test_every_answer_of_the_portal_has_its_headers(house: House, inner_app: Litestar) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    answers = [await browser.get(address) for address in [*pages_of(inner_app), "/portal/nothing/here"]]
    answers += [await house.stranger.get(address) for address in pages_of(inner_app)]
    answers.append(await browser.post("/portal/keys", data={}))
    assert len(answers) > 25
    for answer in answers:
        shown = {name: answer.headers.get(name) for name in HEADERS}
        assert shown == HEADERS, (answer.request.method, answer.url, answer.status_code)
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "form-action 'self'" in answer.headers["content-security-policy"]


async def test_static_files_are_cached_and_nothing_else(house: House) -> None:
    shown = await house.stranger.get("/portal/static/portal.css?v=1")
    assert shown.headers["cache-control"] == "public, max-age=31536000, immutable"


async def state_of(house: House) -> dict[str, Any]:
    """What every table holds, as a number."""
    tables = await house.owner.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition"
    )
    return {
        name: await house.owner.fetchval(f'SELECT sum(hashtext(row::text)::bigint) FROM "{name}" AS row')
        for (name,) in tables
        if not COUNTED.fullmatch(name)
    }


async def test_no_get_of_the_portal_changes_anything(house: House, demo_office: Office, inner_app: Litestar) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    before = await state_of(house)
    for address in pages_of(inner_app):
        for query in ("", f"?practice={demo_office.practicepass}&csrf_token=x&grace=0&scopes=Tags&reason=x&secret=x"):
            assert (await browser.get(f"{address}{query}")).status_code < 500
    assert (await browser.get("/portal/logout")).status_code == 405
    assert await state_of(house) == before
    assert (await browser.get("/portal")).status_code == 200


async def test_the_control_a_change_is_seen(house: House, demo_office: Office) -> None:
    before = await state_of(house)
    await house.owner.execute("UPDATE practice SET name = name || '.' WHERE practice_id = $1", demo_office.practice_id)
    assert await state_of(house) != before


def behind_proxies(house: House, inner_app: Litestar, trusted: str, **texts: str) -> Door:
    """The application as `trusted` proxies call it; the tests' client is 192.0.2.1."""
    settings = house.settings.but(trusted_proxies=trusted, **texts)
    return Door(
        inner_app,
        trusted_proxies=settings.trusted_proxies,
        is_always_https=settings.public_url.startswith("https://"),
    )


@pytest.mark.parametrize(
    ("trusted", "public_url", "protocol", "is_secure"),
    [
        ("192.0.2.0/24", "", "https", True),
        ("192.0.2.0/24", "", "HTTPS", True),
        ("192.0.2.0/24", "", "http, https", True),
        ("192.0.2.0/24", "", "https, http", False),  # the first was sent to the proxy by its caller
        ("192.0.2.0/24", "", "http", False),
        ("192.0.2.0/24", "", None, False),
        ("198.51.100.0/24", "", "https", False),  # not a trusted proxy
        ("", "", "https", False),
        ("", "https://portal.example", None, True),
        ("", "http://portal.example", None, False),
    ],
)
async def test_cookies_are_secure_and_hsts_is_sent_where_the_browser_came_by_tls(
    house: House, inner_app: Litestar, trusted: str, public_url: str, protocol: str | None, is_secure: bool
) -> None:
    app = behind_proxies(house, inner_app, trusted, public_url=public_url)
    headers = {} if protocol is None else {"X-Forwarded-Proto": protocol}
    async with client(app, BASE_URL.replace("http:", "https:") if is_secure else BASE_URL, headers) as browser:
        browser._transport.app = insecure(app)  # type: ignore[attr-defined]
        shown = await browser.get("/portal/login")
        answer = await log_in(browser, house.settings.admin_secret)
        page = await browser.get("/portal")
    prefix, attributes = ("__Host-", "; Secure") if is_secure else ("", "")
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 303
    assert cookie.startswith("__Host-officepro=" if is_secure else "officepro-session=")
    assert cookie.endswith(f"; Path=/; HttpOnly; SameSite=Strict{attributes}")
    assert shown.headers["set-cookie"].startswith(f"{prefix}officepro-form=")
    assert shown.headers["set-cookie"].endswith(f"; Path=/; HttpOnly; SameSite=Lax{attributes}")
    assert page.status_code == 200
    for one in (shown, answer, page):
        assert one.headers.get("strict-transport-security") == (f"max-age={YEAR_SECONDS}" if is_secure else None)


def insecure(app: Door) -> Any:
    """As the proxy calls it: by plain HTTP, whatever its own caller came by."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        scope["scheme"] = "http"
        await app(scope, receive, send)

    return call


async def test_the_api_sends_hsts_too(house: House, inner_app: Litestar) -> None:
    app = behind_proxies(house, inner_app, "192.0.2.0/24")
    async with client(app, headers={"X-Forwarded-Proto": "https"}) as caller:
        for address in ("/healthz", "/v1/me", "/docs/errors", "/nothing"):
            assert (await caller.get(address)).headers["strict-transport-security"] == f"max-age={YEAR_SECONDS}"


async def test_over_tls_only_the_cookie_with_the_prefix_counts(house: House, inner_app: Litestar) -> None:
    """Another host of the domain can set cookies for all of it, but none that begins with __Host-."""
    browser = await signed_in(house, house.settings.admin_secret)
    name = browser.cookies["officepro-session"]
    app = behind_proxies(house, inner_app, "192.0.2.0/24")
    for cookie, status in ((f"officepro-session={name}", 303), (f"__Host-officepro={name}", 200)):
        async with client(app, headers={"X-Forwarded-Proto": "https", "Cookie": cookie}) as caller:
            assert (await caller.get("/portal")).status_code == status


async def test_an_own_page_by_tls_is_distinguished_from_the_same_host_by_plain_http(
    house: House, inner_app: Litestar
) -> None:
    app = behind_proxies(house, inner_app, "192.0.2.0/24", public_url="")
    async with client(app, headers={"X-Forwarded-Proto": "https"}) as caller:
        for origin, status in ((BASE_URL, 403), (BASE_URL.replace("http:", "https:"), 401)):
            answer = await caller.post("/portal/logout", headers={"Origin": origin})
            assert answer.status_code == status, origin


async def test_the_public_url_is_an_own_page(house: House) -> None:
    settings = house.settings.but(public_url="https://portal.example")
    app = create_inner_app(settings)
    async with alive(app), client(enclose(app)) as caller:
        for origin, status in (("https://portal.example", 401), ("https://portal.example.evil", 403)):
            assert (await caller.post("/portal/logout", headers={"Origin": origin})).status_code == status


FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1+1",
    "\u3000=1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff20A",
)


async def test_no_cell_of_a_csv_is_a_formula(house: House, demo_office: Office) -> None:
    for number, text in enumerate(FORMULAS):
        key = await make_key(house, text, frozenset({"Prospects"}), demo_office.practice_id)
        await house.owner.execute("UPDATE api_key SET name = $2 WHERE api_key_id = $1", int(key.split("_")[1]), text)
        demo_office.keys["spreadsheet"] = key
        bearer = {"Authorization": f"Bearer {await demo_office.token('spreadsheet')}"}
        async with client(house.app, BASE_URL + demo_office.path, bearer) as partner:
            headers = {"X-Request-Id": f"-1.-1.-{number}-A1"}
            assert (await partner.get(f"/prospects/{demo_office.ada}", headers=headers)).status_code == 200
    browser = await signed_in(house, house.settings.admin_secret)
    query = {"practice": demo_office.practicepass}
    by_page = await browser.get("/portal/disclosures.csv", params=query)
    by_api = await house.admin.get(f"/v1/admin/{demo_office.practicepass}/disclosures?format=csv")

    for answer in (by_page, by_api):
        rows = list(csv.reader(io.StringIO(answer.text)))
        assert len(rows) == 1 + len(FORMULAS)
        for cell in (cell for row in rows for cell in row):
            assert not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell), repr(cell)
            assert not cell.startswith(("\t", "\r", "\n")), repr(cell)
        assert re.fullmatch(r'attachment; filename="disclosures-\w+\.csv"', answer.headers["content-disposition"])


async def test_a_key_s_own_page_s_form_is_no_admin_s(house: House, demo_office: Office) -> None:
    """A partner's session cannot send the forms of the admin, also with a good token."""
    partner = await signed_in(house, demo_office.keys["partner"])
    token = csrf_token(await partner.get("/portal"))
    for address in ("/portal/keys", "/portal/keys/1/revoke", "/portal/keys/1/rotate", "/portal/requests/1/approve"):
        answer: httpx.Response = await partner.post(address, data={"csrf_token": token})
        assert answer.status_code == 404, address
    assert (await portal(house).get("/portal/keys")).status_code == 303
