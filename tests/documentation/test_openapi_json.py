"""GET /openapi.json"""

from tests.world import House


async def test_the_document_is_open_to_all_and_says_which_version_of_the_format_it_is(house: House) -> None:
    answer = await house.stranger.get("/openapi.json")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["openapi"] == "3.1.0"
    assert answer.json()["info"]["title"] == "EMR API"


async def test_the_seeds_examples_stand_in_it(house: House) -> None:
    paths = (await house.stranger.get("/openapi.json")).json()["paths"]

    exchange = paths["/v1/{PPass}/auth/token"]["post"]
    assert exchange["requestBody"]["content"]["application/json"]["example"] == {"apiKey": "your_api_key_here"}
    assert exchange["responses"]["200"]["content"]["application/json"]["example"]["expiresIn"] == "24h"
    assign = paths["/v1/{PPass}/tags/prospects/{id}"]["post"]
    assert assign["requestBody"]["content"]["application/json"]["example"] == {"tagId": 123}
    assert (assign["x-required-scope"], assign["security"]) == ("Tags", [{"bearerAuth": ["Tags"]}])


async def test_patterns_are_for_readers_of_any_language(house: House) -> None:
    document = (await house.stranger.get("/openapi.json")).text

    assert "\\\\Z" not in document  # Python's; $ is ECMA-262's, which OpenAPI goes by
    assert '"pattern":"^[A-Za-z][A-Za-z0-9_-]{1,63}$"' in document


async def test_who_has_this_version_is_not_sent_it_again(house: House) -> None:
    etag = (await house.stranger.get("/openapi.json")).headers["etag"]

    again = await house.stranger.get("/openapi.json", headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    other = await house.stranger.get("/openapi.json", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200
