"""Documents for every reader are made once: each with its version, compressed where that is accepted, in no time."""

import gzip
import time

import httpx
import pytest

from officepro import door
from tests.world import BASE_URL, House, client

DOCUMENTS = ["/docs/console", "/docs/errors", "/openapi.json"]


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_a_document_is_compressed_and_known_by_its_version(house: House, path: str) -> None:
    plain = await house.stranger.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})
    async with house.stranger.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as compressed:
        raw = b"".join([piece async for piece in compressed.aiter_raw()])

    assert "Content-Encoding" not in plain.headers
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 4
    assert plain.headers["ETag"] != compressed.headers["ETag"]
    for answer in (plain, compressed):
        assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == ("no-cache", "Accept-Encoding")
        again = await house.stranger.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("path", "most_seconds"), [*((path, 0.004) for path in DOCUMENTS), ("/docs/console?practice=Other", 0.012)]
)
async def test_the_second_answer_costs_next_to_nothing(house: House, path: str, most_seconds: float) -> None:
    async def once() -> float:
        began = time.thread_time()
        answer = await house.stranger.send(request, stream=True)
        took = time.thread_time() - began
        await answer.aclose()
        return took

    request = httpx.Request("GET", BASE_URL + path, headers={"Accept-Encoding": "gzip"})
    await once()

    assert min([await once() for _ in range(10)]) < most_seconds


async def test_the_console_is_filled_in_with_the_reader_s_practice(house: House) -> None:
    other = (await house.stranger.get("/docs/console", params={"practice": "OtherOffice"})).text
    demo = (await house.stranger.get("/docs/console")).text
    hostile = (await house.stranger.get("/docs/console", params={"practice": '"><script>alert(1)</script>'})).text

    assert "/v1/OtherOffice/visits/book" in other
    assert "/v1/DemoOffice/visits/book" in demo
    assert hostile == demo
    assert "PPass-of-the-reader" not in other + demo


async def test_one_scrape_a_second_is_answered_in_any_case(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAXIMUM_IN_FLIGHT", 0)
    async with client(door.Door(house.app)) as visitor:
        answers = [(await visitor.get("/metrics")).status_code for _ in range(3)]
        monkeypatch.setattr(door, "METRICS_SECONDS", 0.0)
        answers.append((await visitor.get("/metrics")).status_code)

    assert answers[1:3] == [503, 503]
