"""HEAD returns what GET would, without the body, on every GET route. (RFC 9110, 9.3.2)"""

import pytest

from tests.world import House, Office


async def test_a_record_and_a_list_are_answered_without_their_body(demo_office: Office) -> None:
    for address in ("/prospects", f"/prospects/{demo_office.ada}"):
        read, head = await demo_office.partner.get(address), await demo_office.partner.head(address)

        assert head.status_code == 200
        assert head.content == b""
        for name in ("content-type", "content-length", "etag"):
            assert head.headers.get(name) == read.headers.get(name), name


@pytest.mark.parametrize("address", ["/portal/login", "/docs/console", "/docs/errors", "/openapi.json", "/healthz"])
async def test_pages_are_answered_without_their_body(house: House, address: str) -> None:
    head = await house.stranger.head(address)

    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0


async def test_a_failure_is_the_same_as_that_of_get(demo_office: Office) -> None:
    assert (await demo_office.partner.head("/prospects/999999")).status_code == 404
    assert (await demo_office.house.stranger.head(f"{demo_office.path}/prospects")).status_code == 401


async def test_what_cannot_be_got_has_no_head_either(demo_office: Office) -> None:
    answer = await demo_office.partner.head("/visits/book")

    assert answer.status_code == 405
    assert "HEAD" not in answer.headers["allow"]


async def test_options_tell_of_it(demo_office: Office) -> None:
    answer = await demo_office.partner.options("/prospects")

    assert "HEAD" in answer.headers["allow"].split(", ")


async def test_whose_record_is_asked_for_by_head_is_on_record(demo_office: Office) -> None:
    await demo_office.partner.head(f"/prospects/{demo_office.ada}")
    rows = await demo_office.house.owner.fetchval(
        "SELECT count(*) FROM disclosure WHERE practice_id = $1 AND $2 = ANY (patient_ids)",
        demo_office.practice_id,
        demo_office.ada,
    )

    assert rows == 1
