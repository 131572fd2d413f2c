"""The page that the `type` of every problem document points to."""

import base64
import hashlib
import re

from officepro.documentation.errors import every_error
from officepro.documentation.errors_page import ADVICE
from tests.world import House, Office


async def test_the_type_of_a_problem_leads_to_its_place(house: House, demo_office: Office) -> None:
    problem = (await demo_office.partner.get("/prospects/77")).json()
    address, _, anchor = problem["type"].partition("#")

    page = await house.stranger.get(address)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert anchor == problem["code"] == "unknown_prospect"
    assert f'<section id="{anchor}">' in page.text


async def test_every_code_has_one_place_with_all_that_it_may_mean(house: House) -> None:
    page = (await house.stranger.get("/docs/errors")).text

    places = re.findall(r'<section id="([^"]+)">', page)
    assert places == sorted({error.code for error in every_error()})
    assert page.count('<span class="status">') == len(every_error())


def test_every_status_has_its_advice() -> None:
    assert {error.status for error in every_error()} <= ADVICE.keys()


async def test_nothing_but_the_page_s_own_style_may_run(house: House) -> None:
    page = await house.stranger.get("/docs/errors")

    policy = page.headers["content-security-policy"]
    [style] = re.findall(r"<style>(.*?)</style>", page.text, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in page.text
