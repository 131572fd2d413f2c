"""axe-core finds nothing that WCAG 2.2, levels A and AA, forbids: on every page, for everybody, wide and narrow, light
and dark, with every part folded out.

The documentation shows a hundred calls in one form, which takes axe-core many seconds: all of them are looked at once,
colours apart, and everywhere else the first of each section.
"""

from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import ADMIN_PAGES, LOOKS, OPEN_PAGES, PARTNER_PAGES, Seen, new_page, sign_in
from tests.journeys.conftest import RunningHouse

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
PAGES = {"nobody": OPEN_PAGES, "partner": PARTNER_PAGES, "admin": ADMIN_PAGES}


def violations(page: Page, rules: dict[str, Any] | None = None) -> list[str]:
    """One line for each element that breaks a rule."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: Any = page.evaluate(
        """([tags, rules]) => axe.run(document, {runOnly: {type: "tag", values: tags}, rules: rules,
                                               resultTypes: ["violations"]})""",
        [LEVELS, rules or {}],
    )
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'].splitlines()[1:2]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")


def keep_the_first_call_of_each_section(page: Page) -> None:
    page.evaluate("document.querySelectorAll('article ~ article').forEach((one) => one.remove())")


@pytest.mark.parametrize("who", PAGES)
def test_no_page_breaks_a_rule_of_wcag(browser: Browser, portal_house: RunningHouse, who: str) -> None:
    page = new_page(browser, Seen())
    if who != "nobody":
        sign_in(page, portal_house, who)
    found = []
    for address in PAGES[who]:
        page.goto(f"{portal_house.base}{address}")
        keep_the_first_call_of_each_section(page)
        unfold(page)
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found += [f"{address} {width} {scheme} {line}" for line in violations(page)]
    page.context.close()

    assert found == []


def test_no_call_of_the_documentation_breaks_a_rule_of_wcag(browser: Browser, portal_house: RunningHouse) -> None:
    page = new_page(browser, Seen())
    page.goto(f"{portal_house.base}/docs/console")
    unfold(page)
    found = violations(page, {"color-contrast": {"enabled": False}})
    page.context.close()

    assert found == []


def test_axe_finds_what_is_wrong_with_a_page(browser: Browser, portal_house: RunningHouse) -> None:
    """The control: a page made worse does not pass."""
    page = new_page(browser, Seen())
    page.goto(f"{portal_house.base}/portal/login")
    page.evaluate("document.querySelector('label[for=secret]').remove()")
    page.evaluate("document.querySelector('h1').style.color = document.body.style.color = '#ddd'")

    rules = {line.partition(":")[0] for line in violations(page)}
    page.context.close()

    assert rules == {"label", "color-contrast"}
