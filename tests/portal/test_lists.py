"""Tables of the portal: in the order that is asked for, past their end, and asked for what makes no sense."""

import re

import pytest

from officepro.portal import queries
from tests.portal.test_pages import signed_in
from tests.world import House, Office, make_key

NOTHING_HERE = {
    "/portal/partners?page=1000": "No more partners.",
    "/portal/keys?page=1000": "No more keys.",
}


def first_cells(page: str, beginning: str) -> list[str]:
    """What the rows begin with, of those that begin so."""
    cells = re.findall(r"<tr[^>]*>\s*<td[^>]*>\s*(?:<[^>]+>\s*)*([^<]+?)\s*<", page)
    return [cell for cell in cells if cell.startswith(beginning)]


@pytest.fixture
async def partners(house: House, demo_office: Office) -> str:
    """Three of them, with one, two and three keys; answers what their names begin with."""
    beginning = f"Sorted in {demo_office.practicepass}"
    for letter, keys in (("b", 3), ("A", 1), ("c", 2)):
        company = f"{beginning} {letter}"
        await make_key(house, company, frozenset({"Tags"}), demo_office.practice_id)
        for number in range(1, keys):
            await house.owner.execute(
                """
                INSERT INTO api_key (partner_id, practice_id, name, scopes, secret_sha256)
                SELECT partner_id, $2, 'key', ARRAY['Tags'], sha256($3) FROM partner WHERE company = $1
                """,
                company,
                demo_office.practice_id,
                f"{company} {number}".encode(),
            )
    return beginning


@pytest.mark.parametrize(
    ("sort", "letters", "direction"),
    [
        ("company", "Abc", "ascending"),
        ("-company", "cbA", "descending"),
        ("keys", "Acb", "ascending"),
        ("-keys", "bcA", "descending"),
        ("nonsense", "Abc", "ascending"),
    ],
)
async def test_partners_come_in_the_order_that_is_asked_for(
    house: House, partners: str, sort: str, letters: str, direction: str
) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    found, number = [], 1
    while (
        "No more partners."
        not in (page := await browser.get("/portal/partners", params={"sort": sort, "page": number})).text
    ):
        assert f'aria-sort="{direction}"' in page.text
        found += first_cells(page.text, partners)
        number += 1

    assert [name[-1] for name in found] == list(letters)


@pytest.mark.parametrize("address", NOTHING_HERE)
async def test_past_the_end_a_page_says_so_and_leads_back(house: House, address: str) -> None:
    page = await (await signed_in(house, house.settings.admin_secret)).get(address)

    assert page.status_code == 200
    assert NOTHING_HERE[address] in page.text
    assert f'href="{address.partition("?")[0]}' in page.text


@pytest.mark.parametrize(
    "address",
    [
        "/portal?days=0",
        "/portal?days=ninety",
        "/portal?practice=Nowhere",
        "/portal?partner=999999999999",
        "/portal?partner=x",
        "/portal/activity?practice=Nowhere",
        "/portal/activity?method=STEAL",
        "/portal/activity?status=9xx",
        "/portal/activity?partner=99999999999999999999999",
        "/portal/activity?before=rubbish",
        "/portal/activity?practice=%00",
        "/portal/keys?page=0",
        "/portal/keys?page=99999999999",
        "/portal/keys?sort=%27%3B",
        "/portal/calendar?practice=Nowhere",
        "/portal/calendar?week=2026-02-30",
        "/portal/disclosures?practice=Nowhere&patient=x",
        "/portal/nothing-of-the-kind?x=1",
    ],
)
async def test_what_makes_no_sense_is_answered_with_a_page_that_says_so(house: House, address: str) -> None:
    page = await (await signed_in(house, house.settings.admin_secret)).get(address)

    assert page.status_code in (200, 400, 404), page.text
    assert "text/html" in page.headers["content-type"]
    assert "<h1" in page.text
    for word in ("Traceback", "asyncpg", "ValueError", "SELECT "):
        assert word not in page.text


@pytest.mark.parametrize("address", ["", "/activity", "/calendar", "/disclosures", "/webhooks"])
async def test_a_practice_beyond_the_choices_of_a_list_can_be_chosen(
    house: House, demo_office: Office, berlin_office: Office, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """With more practices than a list has, a page showed another practice's figures instead, or none."""
    monkeypatch.setattr(queries, "MOST_CHOICES", 1)
    admin = await signed_in(house, house.settings.admin_secret)

    for office in (demo_office, berlin_office):
        page = await admin.get(f"/portal{address}", params={"practice": office.practicepass})
        assert page.status_code == 200
        assert re.search(rf'<option value="{office.practicepass}" selected>{office.practicepass}</option>', page.text)
