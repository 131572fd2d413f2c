"""GET /v1/kb and GET /v1/kb/{id}"""

import pytest

from tests.knowledge.library import WORKFLOW, article, own_word
from tests.world import House, Office


async def found(office: Office, **parameters: str) -> list[int]:
    answer = await office.partner_global.get("/kb", params=parameters)
    assert answer.status_code == 200, answer.text
    return [one["KBID"] for one in answer.json()["data"]]


async def test_an_article_has_the_shape_of_the_seeds(demo_office: Office, house: House) -> None:
    article_id = await article(house)
    answer = await demo_office.partner_global.get(f"/kb/{article_id}")

    data = answer.json()["data"]
    assert list(data) == ["KBID", "Title", "Article", "Category", "Type", "Tags", "Active", "UpdatedAt"]
    assert {name: data[name] for name in WORKFLOW} == WORKFLOW
    assert (data["KBID"], data["Active"]) == (article_id, True)
    assert answer.headers["ETag"] == '"1"'


async def test_what_fits_best_comes_first(demo_office: Office, house: House) -> None:
    word = own_word()
    in_text = await article(house, Title="Other", Article=f"Something about {word}.")
    in_title = await article(house, Title=f"About {word}", Article="Nothing.")
    in_tags = await article(house, Title="Tagged", Article="Nothing.", Tags=f"insurance, {word}")

    assert await found(demo_office, search=word) == [in_title, in_tags, in_text]


async def test_other_forms_and_beginnings_of_words_are_found(demo_office: Office, house: House) -> None:
    word = own_word()
    article_id = await article(house, Title=f"Verifications {word}", Article="We verified the insurances.")

    for search in (f"verifying {word}", f"insurance {word}", f"insur verif {word}", word[:-1], f'"{word}"'):
        assert article_id in await found(demo_office, search=search), search
    assert await found(demo_office, search=f"{word} -insurance") == []
    assert await found(demo_office, search=f"{word} unrelated") == []


async def test_category_and_type_narrow_the_list(demo_office: Office, house: House) -> None:
    word = own_word()
    how_to = await article(house, Title=word, Category="Billing", Type="HowTo")
    policy = await article(house, Title=word, Category="Billing", Type="Policy")
    await article(house, Title=word, Category="Front Desk", Type="HowTo")

    assert await found(demo_office, search=word, category="billing") == [how_to, policy]
    assert await found(demo_office, search=word, category="Billing", type="HowTo") == [how_to]


async def test_highlights_show_where_it_was_found(demo_office: Office, house: House) -> None:
    word = own_word()
    await article(house, Article=f"First this. Then {word} follows. Then that.")

    answer = await demo_office.partner_global.get("/kb", params={"search": word, "highlights": "true"})
    (one,) = answer.json()["data"]
    assert f"**{word}**" in one["Highlights"]
    plain = await demo_office.partner_global.get("/kb", params={"search": word})
    assert "Highlights" not in plain.json()["data"][0]


async def test_only_active_ones_are_listed_unless_others_are_asked_for(demo_office: Office, house: House) -> None:
    word = own_word()
    article_id = await article(house, Title=word, Active=False)

    assert await found(demo_office, search=word) == []
    assert await found(demo_office, search=word, includeInactive="true") == [article_id]
    assert (await demo_office.partner_global.get(f"/kb/{article_id}")).json()["data"]["Active"] is False


@pytest.mark.parametrize("search", ["'", "!!", "a & | b", "***", "-", '"', "<->", "\\", ":*", "or", "the", "(" * 100])
async def test_no_search_breaks(demo_office: Office, search: str) -> None:
    await found(demo_office, search=search)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/kb/999999999", 404),
        ("/kb/0", 400),
        ("/kb/9223372036854775808", 400),
        ("/kb/twelve", 400),
        ("/kb?highlights=true", 400),
        ("/kb?kind=HowTo", 400),
        ("/kb/999999999/revisions", 404),
    ],
)
async def test_a_bad_question_is_refused(demo_office: Office, path: str, status: int) -> None:
    assert (await demo_office.partner_global.get(path)).status_code == status


async def test_the_scope_is_named_when_it_is_missing(demo_office: Office) -> None:
    headers = {"Authorization": f"Bearer {await demo_office.token('newcomer')}"}
    for path in ("/v1/kb", "/v1/kb/12", "/v1/kb/12/revisions"):
        answer = await demo_office.house.stranger.get(path, headers=headers)
        assert (answer.status_code, answer.json()["scope"]) == (403, "KB")
