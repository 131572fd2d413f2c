"""The portal in a real Chromium: each page opened by both kinds of people, wide and narrow, light and dark.

A browser that is missing fails these tests: the machine needs Debian's `chromium`.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.journeys.conftest import RunningHouse, start

ADMIN_PAGES = (
    "",
    "/activity",
    "/partners",
    "/keys",
    "/requests",
    "/webhooks",
    "/calendar",
    "/disclosures",
    "/docs",
    "/request-access",
)
PARTNER_PAGES = ("", "/activity", "/keys", "/webhooks", "/calendar", "/docs")
LOOKS = [(width, scheme) for width in (360, 1440) for scheme in ("light", "dark")]
HOSTILE = (
    "<script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    '"><svg onload="document.title=\'taken\'">',
    "{{ 7 * 7 }}",
    "javascript:document.title='taken'",
    "</title><script>document.title='taken'</script>",
)


@pytest.fixture(scope="module")
def portal_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    house = start(tmp_path_factory.mktemp("portal") / "data", OFFICEPRO_WORKERS="1")
    yield house
    assert house.stop() == 0, house.output.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "these tests need a browser: apt-get install chromium"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        chromium.close()


@dataclass
class Seen:
    """What went wrong in a page, as the browser tells it."""

    faults: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)


def sign_in(page: Page, house: RunningHouse, secret: str) -> None:
    page.goto(f"{house.base}/portal/login")
    page.fill("#secret", secret)
    page.click("button.primary")
    page.wait_for_url(f"{house.base}/portal")


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("who", ["admin", "partner"])
def test_every_page_opens_without_a_fault_and_fits_its_width(
    browser: Browser, portal_house: RunningHouse, who: str, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page, seen = context.new_page(), Seen()
    seen.watch(page)
    sign_in(page, portal_house, portal_house.demo["adminSecret" if who == "admin" else "apiKey"])
    for address in ADMIN_PAGES if who == "admin" else PARTNER_PAGES:
        answer = page.goto(f"{portal_house.base}/portal{address}")
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
    context.close()

    assert seen.faults == []


def test_the_first_call_is_made_from_the_documentation_alone(browser: Browser, portal_house: RunningHouse) -> None:
    page, seen = browser.new_page(), Seen()
    seen.watch(page)
    page.goto(f"{portal_house.base}/docs/console")
    page.fill("input[name=key]", portal_house.demo["apiKey"])
    page.click("text=Get a token")
    page.get_by_text("The token is set").wait_for()
    page.click("#listTags details.try > summary")
    page.click("#listTags details.try button.primary")
    page.locator("#listTags details.try pre", has_text="200 OK").wait_for()
    shown = page.inner_text("#listTags details.try pre")
    page.close()

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
    context = browser.new_context()
    page, seen = context.new_page(), Seen()
    seen.watch(page)
    sign_in(page, portal_house, portal_house.demo["adminSecret"])
    for address in ADMIN_PAGES:
        page.goto(f"{portal_house.base}/portal{address}")
        assert "taken" not in page.title(), address
    page.goto(f"{portal_house.base}/portal/requests")
    assert page.get_by_text(HOSTILE[0]).count() > 0
    assert "{{ 7 * 7 }}" in page.content()
    context.close()

    assert seen.faults == []
