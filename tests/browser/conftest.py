"""A house with something to show, and a real Chromium to look at it with.

A browser that is missing fails these tests: the machine needs Debian's `chromium`.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from officepro.foundation import embedded
from tests.browser.lived_in import live_in
from tests.journeys.conftest import RunningHouse, start

OPEN_PAGES = ("/portal/login", "/portal/request-access", "/docs/console", "/docs/errors")
PARTNER_PAGES = (
    "/portal",
    "/portal/activity",
    "/portal/keys",
    "/portal/webhooks",
    "/portal/calendar",
    "/portal/docs",
)
ADMIN_PAGES = (
    *PARTNER_PAGES,
    "/portal/partners",
    "/portal/requests",
    "/portal/disclosures",
    "/portal/request-access",
)
LOOKS = [(width, scheme) for width in (360, 1440) for scheme in ("light", "dark")]


@pytest.fixture(scope="session")
def portal_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    house = start(
        tmp_path_factory.mktemp("portal") / "data",
        OFFICEPRO_WORKERS="1",
        OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
    )
    try:
        live_in(house)
        yield house
    finally:
        ended = house.stop()
    assert ended == 0, house.output.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Gone before another file's tests begin: as long as it is there, its event loop keeps others from theirs."""
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


def sign_in(page: Page, house: RunningHouse, who: str) -> None:
    """As `admin` or as `partner`, who has the demo's key; or with any other secret."""
    secret = {"admin": house.demo["adminSecret"], "partner": house.demo["apiKey"]}.get(who, who)
    page.goto(f"{house.base}/portal/login")
    page.fill("#secret", secret)
    page.click("button.primary")
    page.wait_for_url(f"{house.base}/portal")


def query(house: RunningHouse, sql: str) -> list[tuple[Any, ...]]:
    """The rows that a statement gives, run past the application."""
    server = embedded.running(house.data_dir)
    assert server is not None
    with psycopg.connect(server.url("officepro"), autocommit=True) as db:
        cursor = db.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def new_page(browser: Browser, seen: Seen, width: int = 1440, scheme: str = "light") -> Page:
    """In a context of its own, which is closed with `page.context.close()`. Colours change at once, not by and by."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = context.new_page()
    seen.watch(page)
    return page
