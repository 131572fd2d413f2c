"""Attacks on the portal's forms from pages of other sites, replayed: none of them does or shows anything."""

import re

import httpx
import pytest
from litestar import Litestar

from officepro.documentation.document import handlers
from tests.portal.test_pages import csrf_token, log_in, portal, signed_in
from tests.world import BASE_URL, House, Office

MARK = "attackers-field"
OTHER_SITES = (
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": f"{BASE_URL}:8443"},
    {"Origin": f"{BASE_URL}.evil.example"},
    {"Origin": "http://blog.officepro.test"},
)
OWN_PAGES: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "same-origin", "Origin": BASE_URL},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://public.example"},  # behind a proxy that rewrites Host
    {"Sec-Fetch-Site": "none"},
    {"Origin": BASE_URL},
    {"Origin": BASE_URL.replace("http:", "https:").upper()},
    {},
)


def posts_of(app: Litestar) -> list[str]:
    """The address of every form of the portal, of records that there are not."""
    found = [route.path_format for route, method, _ in handlers(app) if method == "POST"]
    return [re.sub(r"\{[^}]+\}", "987654321", path) for path in found if path.startswith("/portal")]


async def test_a_form_of_another_site_is_refused_at_every_address_even_with_a_good_token(
    house: House, inner_app: Litestar
) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    token = csrf_token(await browser.get("/portal"))
    addresses = posts_of(inner_app)
    assert len(addresses) >= 13, addresses
    for address in addresses:
        for headers in OTHER_SITES:
            answer = await browser.post(address, data={"csrf_token": token, "name": MARK}, headers=headers)
            assert answer.status_code == 403, (address, headers, answer.text)
            assert "sent by a page of another site" in answer.text
            assert MARK not in answer.text
    assert (await browser.get("/portal")).status_code == 200  # nor was it signed out


@pytest.mark.parametrize("headers", OWN_PAGES)
async def test_a_form_of_an_own_page_is_taken(house: House, headers: dict[str, str]) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    token = csrf_token(await browser.get("/portal"))

    assert (await browser.post("/portal/logout", data={"csrf_token": token}, headers=headers)).status_code == 303


@pytest.mark.parametrize("headers", [OTHER_SITES[0], OTHER_SITES[5], {}])
async def test_what_another_site_filled_in_is_not_kept_for_after_the_sign_in(
    house: House, demo_office: Office, headers: dict[str, str]
) -> None:
    """Without a cookie, as browsers send it: the page that asked to sign in used to keep the attacker's fields, and
    one click after the sign-in carried them out. The last case is a browser that sends neither header."""
    victim = portal(house)
    key = await house.owner.fetchval("SELECT max(api_key_id) FROM api_key WHERE revoked_at IS NULL")
    address = f"/portal/keys/{key}/rotate"
    asked = await victim.post(address, data={"grace": "0", "csrf_token": "x", "note": MARK}, headers=headers)
    assert asked.status_code in (401, 403)
    assert MARK not in asked.text
    assert 'name="kept"' not in asked.text

    answer = await log_in(victim, house.settings.admin_secret)
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal")
    assert await house.owner.fetchval("SELECT replaced_by FROM api_key WHERE api_key_id = $1", key) is None


async def test_nor_with_the_token_of_another_session(house: House) -> None:
    attacker = await signed_in(house, house.settings.admin_secret)
    token = csrf_token(await attacker.get("/portal"))
    victim = await signed_in(house, house.settings.admin_secret)
    await house.owner.execute("DELETE FROM portal_session")
    asked = await victim.post("/portal/keys", data={"csrf_token": token, "name": MARK})

    assert asked.status_code == 401
    assert MARK not in asked.text


async def test_a_login_form_of_another_site_signs_nobody_in(house: House, demo_office: Office) -> None:
    """Login CSRF: the victim would go on under the attacker's key."""
    attacker, victim = portal(house), portal(house)
    own_token = csrf_token(await attacker.get("/portal/login"))
    await victim.get("/portal/login")
    for token in ({}, {"csrf_token": ""}, {"csrf_token": "guessed"}, {"csrf_token": own_token}):
        for browser in (victim, portal(house)):  # with and without a cookie
            answer = await browser.post("/portal/login", data={"secret": demo_office.keys["partner"], **token})
            assert answer.status_code == 403
            assert "session" not in answer.headers.get("set-cookie", "")
            assert (await browser.get("/portal")).status_code == 303


async def test_a_login_with_kept_fields_of_another_site_shows_none_of_them(house: House) -> None:
    data = {"secret": house.settings.admin_secret, "next": "/portal/keys", "kept": f"name={MARK}"}
    answer = await portal(house).post("/portal/login", data=data)

    assert answer.status_code == 403
    assert MARK not in answer.text


async def test_a_request_for_access_needs_its_page(house: House) -> None:
    before = await house.owner.fetchval("SELECT count(*) FROM access_request")
    data = {"company": MARK, "practice": "x", "contact": "x", "email": "x@example.com", "scopes": "Tags"}
    answer = await portal(house).post("/portal/request-access", data=data)

    assert answer.status_code == 403
    assert MARK not in answer.text
    assert await house.owner.fetchval("SELECT count(*) FROM access_request") == before


async def test_a_form_that_is_open_in_another_tab_stays_good_when_the_login_is_opened_again(house: House) -> None:
    browser = portal(house)
    first = csrf_token(await browser.get("/portal/login"))
    await browser.get("/portal/login")
    await browser.get("/portal/request-access")
    data = {"secret": house.settings.admin_secret, "csrf_token": first}

    assert (await browser.post("/portal/login", data=data)).status_code == 303


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/portal",
        "//evil.example/portal",
        "/\\evil.example/portal",
        "\\\\evil.example",
        "/portal\\@evil.example",
        "/portal/../../v1/admin/keys",
        "/portal/..",
        "/portal.evil.example",
        "/portal@evil.example",
        "javascript:alert(1)//portal",
        "/portal\r\nSet-Cookie: a=b",
        "/portal/\u00e9",
        "/portal/\U0001f600?x=\U0001f600",
        " /portal",
        "",
    ],
)
async def test_signing_in_leads_to_no_other_site(house: House, address: str) -> None:
    answer = await log_in(portal(house), house.settings.admin_secret, next=address)
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal")

    shown = await portal(house).get("/portal/login", params={"next": address})
    assert shown.status_code == 200
    assert 'name="next" value="/portal"' in shown.text


@pytest.mark.parametrize("address", ["/portal/keys?page=2&sort=-name", "/portal/disclosures.csv?practice=DemoOffice"])
async def test_signing_in_leads_to_the_page_that_was_asked_for(house: House, address: str) -> None:
    browser = portal(house)
    asked: httpx.Response = await browser.get(address)
    assert asked.status_code == 303
    shown = await browser.get(asked.headers["location"])
    answer = await log_in(browser, house.settings.admin_secret, next=address)

    assert f'name="next" value="{address.replace("&", "&amp;")}"' in shown.text
    assert answer.headers["location"] == address
