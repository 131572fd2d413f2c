"""The portal's pages, as they come from the server: who sees what, and what a form that is sent does."""

import html
import re

import httpx
import pytest

from tests.world import House, Office, client


def portal(house: House) -> httpx.AsyncClient:
    return client(house.app)


async def signed_in(house: House, secret: str) -> httpx.AsyncClient:
    browser = portal(house)
    answer = await log_in(browser, secret)
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal"), answer.text
    return browser


async def log_in(browser: httpx.AsyncClient, secret: str, **fields: str) -> httpx.Response:
    """Opens the login page and sends its form."""
    token = csrf_token(await browser.get("/portal/login"))
    return await browser.post(
        "/portal/login", data={"next": "/portal", **fields, "csrf_token": token, "secret": secret}
    )


def csrf_token(page: httpx.Response) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found is not None
    return found.group(1)


async def test_the_login_has_the_words_of_the_seeds(house: House) -> None:
    page = await portal(house).get("/portal/login")

    assert "Partner Portal Login" in page.text
    assert "Please enter your API Key or Admin Secret to continue." in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_a_wrong_secret_is_refused_in_the_words_of_the_seeds(house: House) -> None:
    page = await log_in(portal(house), "opk_1_nonsense")

    assert page.status_code == 401
    assert "Invalid access key" in page.text


@pytest.mark.parametrize("address", ["", "/activity", "/calendar"])
async def test_nobody_sees_a_page_without_signing_in(house: House, address: str) -> None:
    answer = await portal(house).get(f"/portal{address}")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/portal/login?next=%2Fportal")


async def test_the_next_page_is_always_one_of_our_own(house: House) -> None:
    for elsewhere in ("https://evil.example/portal", "//evil.example/portal", "/\\evil.example"):
        answer = await log_in(portal(house), house.settings.admin_secret, next=elsewhere)
        assert answer.headers["location"] in ("/portal",), elsewhere


async def test_an_admin_sees_the_dashboard_of_the_seeds(house: House, demo_office: Office) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    page = await browser.get("/portal")

    assert page.status_code == 200, page.text
    for words in (
        "Multi-Tenant Enabled",
        "Total Calls",
        "Success Rate",
        "Avg Duration",
        "Error Count",
        "API Usage (Last 7",
    ):
        assert words in page.text
    assert "Signed in as admin" in page.text


async def test_a_partner_sees_its_own_pages_and_not_the_admin_s(house: House, demo_office: Office) -> None:
    browser = await signed_in(house, demo_office.keys["partner"])
    page = await browser.get("/portal")

    assert page.status_code == 200
    assert "API Access Requests" not in page.text
    assert (await browser.get("/portal/partners")).status_code == 404
    assert (await browser.get("/portal/calendar")).status_code == 200


async def test_a_revoked_key_ends_its_session(house: House, demo_office: Office) -> None:
    browser = await signed_in(house, demo_office.keys["newcomer"])
    await house.owner.execute(
        "UPDATE api_key SET revoked_at = now() WHERE practice_id = $1 AND name = 'key' AND scopes = $2",
        demo_office.practice_id,
        ["Prospects", "Tags"],
    )

    assert (await browser.get("/portal")).status_code == 303


async def test_signing_out_needs_the_page_s_own_form(house: House, demo_office: Office) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    assert (await browser.post("/portal/logout", data={"csrf_token": "guessed"})).status_code == 403
    token = csrf_token(await browser.get("/portal"))
    assert (await browser.post("/portal/logout", data={"csrf_token": token})).status_code == 303
    assert (await browser.get("/portal")).status_code == 303


async def test_a_form_that_is_sent_too_late_is_kept(house: House, demo_office: Office) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    typed = {"csrf_token": csrf_token(await browser.get("/portal")), "reason": "Not <b>now</b>"}
    await house.owner.execute("DELETE FROM portal_session")
    asked = await browser.post("/portal/logout", data=typed)
    assert asked.status_code == 401
    assert "Your input is preserved" in asked.text
    kept = re.search(r'name="kept" value="([^"]*)"', asked.text)
    assert kept is not None
    fields = {"next": "/portal/logout", "kept": html.unescape(kept.group(1)), "csrf_token": csrf_token(asked)}
    resumed = await browser.post("/portal/login", data={**fields, "secret": house.settings.admin_secret})
    assert "Not &lt;b&gt;now&lt;/b&gt;" in resumed.text
    assert "Submit form" in resumed.text


async def test_an_admin_makes_a_key_that_works_and_revokes_it(house: House, demo_office: Office) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    shown = await browser.get("/portal/keys")
    partner = await house.owner.fetchval("SELECT max(partner_id) FROM partner")
    fields = {
        "csrf_token": csrf_token(shown),
        "partner": str(partner),
        "practice": demo_office.practicepass,
        "name": "Made in <the> portal",
        "scopes": ["Tags", "Prospects"],
    }
    made = await browser.post("/portal/keys", data=fields)
    assert made.status_code == 200, made.text
    secret = re.search(r"opk_(\d+)_\w{32}_\w{6}", made.text)
    assert secret is not None
    assert "Made in &lt;the&gt; portal" in made.text
    demo_office.keys["made"] = secret.group(0)
    await demo_office.token("made")

    revoked = await browser.post(f"/portal/keys/{secret.group(1)}/revoke", data={"csrf_token": fields["csrf_token"]})
    assert revoked.status_code == 303
    answer = await house.stranger.post(f"{demo_office.path}/auth/token", json={"apiKey": secret.group(0)})
    assert answer.status_code == 401


async def test_what_is_wrong_with_a_form_is_said_and_what_was_typed_stays(house: House, demo_office: Office) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    token = csrf_token(await browser.get("/portal/keys"))
    typed = {"csrf_token": token, "partner": "1", "name": "Kept name", "expires": "2026-02-29", "scopes": "Tags"}
    page = await browser.post("/portal/keys", data=typed)

    assert page.status_code == 400
    assert "2026-02-29 is not a calendar date" in page.text
    assert "Kept name" in page.text


@pytest.mark.parametrize(
    "path", ["?partner", "/activity?partner", "/calendar?provider", "/disclosures?patient", "/disclosures?before"]
)
async def test_a_newline_is_no_number(house: House, demo_office: Office, path: str) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    answer = await browser.get(f"/portal{path}=%0A&practice={demo_office.practicepass}")

    assert answer.status_code == 400


async def test_a_request_for_access_is_approved_once(house: House, demo_office: Office) -> None:
    stranger = portal(house)
    asked = await stranger.post(
        "/portal/request-access",
        data={
            "csrf_token": csrf_token(await stranger.get("/portal/request-access")),
            "company": "CallPilot AI",
            "practice": demo_office.practicepass,
            "contact": "Pat",
            "email": f"pat@{demo_office.practicepass}.example".lower(),
            "scopes": ["Scheduling", "Providers"],
        },
    )
    assert "Thank you" in asked.text, asked.text
    number = await house.owner.fetchval("SELECT max(access_request_id) FROM access_request")
    browser = await signed_in(house, house.settings.admin_secret)
    token = csrf_token(await browser.get("/portal/requests"))
    terms = {"csrf_token": token, "scopes": "Providers", "practice": demo_office.practicepass, "expires": "2099-12-31"}

    approved = await browser.post(f"/portal/requests/{number}/approve", data=terms)
    assert approved.status_code == 200, approved.text
    assert "will not be shown again" in approved.text
    again = await browser.post(f"/portal/requests/{number}/approve", data=terms)
    assert again.status_code == 409
    assert "already been approved" in again.text


@pytest.mark.parametrize(
    "address", ["/keys", "/partners", "/requests", "/webhooks", "/disclosures", "/docs", "/request-access", "/activity"]
)
async def test_every_page_of_the_admin_opens(house: House, demo_office: Office, address: str) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    page = await browser.get(f"/portal{address}")

    assert page.status_code == 200, page.text
    assert "Loading" not in page.text


async def test_who_read_a_record_stands_in_the_disclosures_and_in_their_csv(house: House, demo_office: Office) -> None:
    assert (await demo_office.partner.get(f"/prospects/{demo_office.ada}")).status_code == 200
    browser = await signed_in(house, house.settings.admin_secret)
    query = {"practice": demo_office.practicepass, "patient": str(demo_office.ada)}

    page = await browser.get("/portal/disclosures", params=query)
    assert "/v1/{PPass}/prospects/{id}" in page.text
    text = (await browser.get("/portal/disclosures.csv", params=query)).text
    assert text.splitlines()[1].endswith(
        f",{demo_office.ada},192.0.2.1,other,identity contact demographics notes tags photo"
    )
    nobody = await browser.get("/portal/disclosures", params={**query, "patient": "4711"})
    assert "No disclosures of patient 4711" in nobody.text


async def test_all_practices_are_given_only_when_they_are_chosen(house: House, demo_office: Office) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    token = csrf_token(await browser.get("/portal/keys"))
    partner = await house.owner.fetchval("SELECT max(partner_id) FROM partner")
    typed = {"csrf_token": token, "partner": str(partner), "practice": "", "name": "No practice", "scopes": "Tags"}
    page = await browser.post("/portal/keys", data=typed)

    assert page.status_code == 400
    assert "must be chosen" in page.text
