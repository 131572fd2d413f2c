"""The portal in a real Chromium: each page opened by both kinds of people, wide and narrow, light and dark."""

import json

import httpx
import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import ADMIN_PAGES, LOOKS, PARTNER_PAGES, Seen, new_page, sign_in
from tests.journeys.conftest import RunningHouse

HOSTILE = (
    "<script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    '"><svg onload="document.title=\'taken\'">',
    "{{ 7 * 7 }}",
    "javascript:document.title='taken'",
    "</title><script>document.title='taken'</script>",
)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("who", ["admin", "partner"])
def test_every_page_opens_without_a_fault_and_fits_its_width(
    browser: Browser, portal_house: RunningHouse, who: str, width: int, scheme: str
) -> None:
    seen = Seen()
    page = new_page(browser, seen, width, scheme)
    sign_in(page, portal_house, who)
    for address in ADMIN_PAGES if who == "admin" else PARTNER_PAGES:
        answer = page.goto(f"{portal_house.base}{address}")
        assert answer is not None
        assert answer.status == 200, address
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond <= 0, f"{address} is {beyond} px too wide at {width} px"
        assert page.locator("h1").count() == 1
        unnamed = page.evaluate(
            """[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]
               .filter((field) => !field.labels.length && !field.getAttribute('aria-label')).length"""
        )
        assert unnamed == 0, f"{address} has {unnamed} fields without a label"
    page.context.close()

    assert seen.faults == []


def test_the_actions_of_api_keys_are_visible_without_scrolling(browser: Browser, portal_house: RunningHouse) -> None:
    seen = Seen()
    page = new_page(browser, seen, 1440, "light")
    sign_in(page, portal_house, "admin")
    page.goto(f"{portal_house.base}/portal/keys")
    beyond = page.evaluate("(table => table.scrollWidth - table.clientWidth)(document.querySelector('.scroll'))")
    assert page.get_by_text("Manage").count() > 0
    page.context.close()

    assert beyond <= 0
    assert seen.faults == []


def test_the_first_call_is_made_from_the_documentation_alone(browser: Browser, portal_house: RunningHouse) -> None:
    seen = Seen()
    page = new_page(browser, seen)
    page.goto(f"{portal_house.base}/docs/console")
    page.fill("input[name=key]", portal_house.demo["apiKey"])
    page.click("text=Get access token")
    page.get_by_text("The token is set").wait_for()
    page.click("#listTags details.try > summary")
    page.click("#listTags details.try button.primary")
    page.locator("#listTags details.try pre", has_text="200 OK").wait_for()
    shown = page.inner_text("#listTags details.try pre")
    page.context.close()

    assert json.loads(shown.partition("\n\n")[2].replace("Copy", "").strip())["count"] > 0
    assert seen.faults == []


def test_hostile_text_stays_text_on_every_page(browser: Browser, portal_house: RunningHouse) -> None:
    admin = {"X-Admin-Secret": portal_house.demo["adminSecret"]}
    for number, text in enumerate(HOSTILE):
        asked = {
            "company": text,
            "practice": text,
            "contact": text,
            "email": f"hostile{number}@example.com",
            "scopes": ["Tags"],
            "purpose": text,
        }
        assert httpx.post(f"{portal_house.base}/v1/access-requests", json=asked).status_code == 202
        partner = {"company": text, "contact": text, "email": f"hostile{number}@example.com"}
        made = httpx.post(f"{portal_house.base}/v1/admin/partners", json=partner, headers=admin)
        assert made.status_code == 201, made.text
        key = {"partnerId": made.json()["data"]["partnerId"], "practicepass": "DemoOffice", "name": text, "scopes": []}
        assert httpx.post(f"{portal_house.base}/v1/admin/keys", json=key, headers=admin).status_code in (201, 400)
    seen = Seen()
    page = new_page(browser, seen)
    sign_in(page, portal_house, "admin")
    for address in ADMIN_PAGES:
        page.goto(f"{portal_house.base}{address}")
        assert "taken" not in page.title(), address
    page.goto(f"{portal_house.base}/portal/requests")
    assert page.get_by_text(HOSTILE[0]).count() > 0
    assert "{{ 7 * 7 }}" in page.content()
    page.context.close()

    assert seen.faults == []
