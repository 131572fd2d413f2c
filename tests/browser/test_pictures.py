"""The pictures of README: the dashboard and the documentation, light and dark. `make pictures` takes them anew."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Seen, new_page, sign_in
from tests.journeys.conftest import RunningHouse

IMAGES = Path(__file__).parents[2] / "docs" / "images"
PAGES = {"overview": "/portal", "documentation": "/portal/docs#bookVisit"}
MAXIMUM_BYTES = 300_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_are_taken(browser: Browser, portal_house: RunningHouse, scheme: str, tmp_path: Path) -> None:
    folder = IMAGES if "PICTURES" in os.environ else tmp_path
    folder.mkdir(exist_ok=True)
    seen = Seen()
    page = new_page(browser, seen, 1280, scheme)
    sign_in(page, portal_house, "admin")
    for name, address in PAGES.items():
        page.goto(f"{portal_house.base}{address}")
        page.screenshot(path=folder / f"{name}-{scheme}.png")
    page.context.close()

    assert seen.faults == []
    assert all(picture.stat().st_size < MAXIMUM_BYTES for picture in folder.iterdir())


def test_readme_shows_pictures_that_are_there() -> None:
    text = (IMAGES.parents[1] / "README.md").read_text()
    for picture in IMAGES.iterdir():
        assert f"docs/images/{picture.name}" in text
        assert picture.stat().st_size < MAXIMUM_BYTES
    assert text.count("<picture>") == len(PAGES)
