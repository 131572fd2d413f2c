"""GET /v1/{PPass}/prospects: pages, filters, and a cursor for very deep lists."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.world import Office

SINCE = "2026-01-01T00:00:00Z"


@pytest.fixture
async def crowd(demo_office: Office) -> list[int]:
    """250 prospects beside Ada, many of them changed in the same instant; every fifth is a patient."""
    rows = await demo_office.house.owner.fetch(
        """
        INSERT INTO patient (practice_id, patient_id, first_name, last_name, prospect, updated_at)
        SELECT $1, 2000 + n, 'Person', 'Number' || n, CASE WHEN n % 5 = 0 THEN 0 ELSE 1 END,
               timestamptz '2026-03-09 12:00:00.123456Z' + ((n * 7919) % 40) * interval '1 microsecond'
        FROM generate_series(1, 250) AS n RETURNING patient_id
        """,
        demo_office.practice_id,
    )
    await demo_office.house.owner.execute(
        "INSERT INTO patient_token (practice_id, token, patient_id) SELECT $1, 'person', unnest($2::bigint[])",
        demo_office.practice_id,
        [row["patient_id"] for row in rows],
    )
    return [demo_office.ada, *(row["patient_id"] for row in rows)]


async def listed(office: Office, **params: Any) -> dict[str, Any]:
    answer = await office.partner.get("/prospects", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["count"] == len(found["data"])
    return found


def ids(page: dict[str, Any]) -> list[int]:
    return [person["PatientID"] for person in page["data"]]


async def walk(office: Office, **params: Any) -> list[int]:
    """Everything that the cursor leads to, page by page."""
    page = await listed(office, **params)
    found, total = ids(page), page["total"]
    while page["nextCursor"] is not None:
        page = await listed(office, **params, cursor=page["nextCursor"])
        assert page["total"] == total, "of all pages, not of those to come"
        found += ids(page)
        assert len(found) <= 1000, "the walk does not end"
    return found


async def test_a_list_has_pages_of_25_and_says_how_many_there_are(demo_office: Office, crowd: list[int]) -> None:
    page = await listed(demo_office)

    assert list(page) == ["data", "count", "page", "limit", "total", "nextCursor"]
    assert (page["count"], page["page"], page["limit"], page["total"]) == (25, 1, 25, 251)
    assert ids(page) == crowd[:25]


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_the_pages_hold_everything_once(demo_office: Office, crowd: list[int], limit: int) -> None:
    found = []
    for number in range(1, 251 // limit + 2):
        page = await listed(demo_office, page=number, limit=limit)
        assert (page["page"], page["limit"], page["total"]) == (number, limit, 251)
        found += ids(page)

    assert found == crowd


async def test_a_page_past_the_end_is_empty_and_still_knows_the_total(demo_office: Office, crowd: list[int]) -> None:
    for params in ({}, {"search": "person"}, {"prospect": "true"}):
        page = await listed(demo_office, page=50, **params)
        assert (page["data"], page["count"], page["page"]) == ([], 0, 50)
        assert page["total"] == (await listed(demo_office, **params))["total"] > 0


@pytest.mark.parametrize("limit", [1, 7, 50, 100])
async def test_the_cursor_walks_everything_exactly_once(demo_office: Office, crowd: list[int], limit: int) -> None:
    assert await walk(demo_office, limit=limit) == crowd


@pytest.mark.parametrize("limit", [1, 7, 50, 100])
async def test_also_by_the_time_of_the_change_when_many_changed_at_once(
    demo_office: Office, crowd: list[int], limit: int
) -> None:
    found = await walk(demo_office, limit=limit, updatedSince=SINCE)

    assert sorted(found) == crowd
    assert found[-1] == demo_office.ada  # she was made just now, the others in March


async def test_who_is_added_or_changed_during_the_walk_comes_at_its_end(demo_office: Office, crowd: list[int]) -> None:
    page = await listed(demo_office, limit=100, updatedSince=SINCE)
    first = ids(page)[0]
    await demo_office.partner.put(f"/prospects/{first}", json={"City": "Utica"})
    found = ids(page)
    while page["nextCursor"] is not None:
        page = await listed(demo_office, limit=100, updatedSince=SINCE, cursor=page["nextCursor"])
        found += ids(page)

    assert found[-1] == first
    assert set(found) == set(crowd)


async def test_updated_since_is_inclusive_and_takes_any_offset(demo_office: Office, crowd: list[int]) -> None:
    ada = (await demo_office.partner.get(f"/prospects/{demo_office.ada}")).json()["data"]["UpdatedAt"]

    assert ids(await listed(demo_office, updatedSince=ada)) == [demo_office.ada]
    march = await listed(demo_office, updatedSince="2026-03-09T07:00:00.123456-05:00", limit=1)
    assert march["total"] == 251
    assert (await listed(demo_office, updatedSince="2100-01-01T00:00:00Z"))["total"] == 0


async def test_only_prospects(demo_office: Office, crowd: list[int]) -> None:
    page = await listed(demo_office, prospect="true", limit=100)

    assert page["total"] == 201
    assert {person["Prospect"] for person in page["data"]} == {1}
    assert (await listed(demo_office, prospect="false"))["total"] == 251
    assert (await listed(demo_office, prospect="true", search="person"))["total"] == 200
    assert await walk(demo_office, prospect="true", limit=50) == [
        one for one in crowd if (one - 2000) % 5 or one == 1001
    ]


async def test_only_those_who_wear_a_tag(demo_office: Office, crowd: list[int]) -> None:
    for patient_id in crowd[2:5]:
        await demo_office.partner.post(f"/tags/prospects/{patient_id}", json={"tagId": demo_office.vip})

    assert ids(await listed(demo_office, tagId=demo_office.vip)) == crowd[2:5]
    assert ids(await listed(demo_office, tagId=demo_office.vip, search="person")) == crowd[2:5]
    assert await walk(demo_office, tagId=demo_office.vip, updatedSince=SINCE, limit=2) != []
    assert (await listed(demo_office, tagId=demo_office.newsletter))["total"] == 0
    assert (await listed(demo_office, tagId=4711))["total"] == 0


async def test_a_search_is_paged_and_has_no_cursor(demo_office: Office, crowd: list[int]) -> None:
    found = []
    for number in (1, 2, 3):
        page = await listed(demo_office, search="pers", page=number, limit=100)
        assert page["total"] == 250
        assert "nextCursor" not in page
        found += ids(page)

    assert found == crowd[1:]


@pytest.mark.parametrize(
    ("query", "locations"),
    [
        ("page=0", ["query.page"]),
        ("page=-1", ["query.page"]),
        ("page=x", ["query.page"]),
        ("page=1.5", ["query.page"]),
        ("page=", ["query.page"]),
        ("page=10" + "0" * 400, ["query.page"]),
        ("page=401", ["query.page"]),
        ("page=101&limit=100", ["query.page"]),
        ("limit=0", ["query.limit"]),
        ("limit=101", ["query.limit"]),
        ("limit=9223372036854775808", ["query.limit"]),
        ("page=1&page=2", ["query.page"]),
        ("prospect=maybe", ["query.prospect"]),
        ("prospect=2", ["query.prospect"]),
        ("tagId=0", ["query.tagId"]),
        ("tagId=VIP", ["query.tagId"]),
        ("tagId=9223372036854775808", ["query.tagId"]),
        ("updatedSince=yesterday", ["query.updatedSince"]),
        ("updatedSince=2026-03-09", ["query.updatedSince"]),
        ("updatedSince=2026-03-09T12:00:00", ["query.updatedSince"]),
        ("updatedSince=2026-02-29T12:00:00Z", ["query.updatedSince"]),
        ("updatedSince=infinity", ["query.updatedSince"]),
        ("updatedSince=1899-12-31T23:59:59Z", ["query.updatedSince"]),
        ("updatedSince=2026-03-09T24:00:00Z", ["query.updatedSince"]),
        ("search=" + "x" * 201, ["query.search"]),
        ("search=a%00b", ["query.search"]),
        ("cursor=", ["query.cursor"]),
        ("cursor=" + "x" * 101, ["query.cursor"]),
        ("colour=red", ["query.colour"]),
        ("Search=ada", ["query.Search"]),
        ("only_prospects=true", ["query.only_prospects"]),
        ("updated_since=2026-03-09T12:00:00Z", ["query.updated_since"]),
        ("colour=red&page=0&limit=x&page=1", ["query.colour", "query.page", "query.limit"]),
    ],
)
async def test_what_is_wrong_with_the_parameters_is_named(
    demo_office: Office, query: str, locations: list[str]
) -> None:
    answer = await demo_office.partner.get(f"/prospects?{query}")

    assert answer.status_code == 400, answer.text
    assert sorted(fault["location"] for fault in answer.json()["errors"]) == sorted(locations)


def made(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


NOW = datetime(2026, 3, 9, tzinfo=UTC).isoformat()


@pytest.mark.parametrize(
    "cursor",
    [
        "@@@",
        "é",
        "AAAA",
        made(" "),
        made(" x"),
        made(" 0"),
        made(" -5"),
        made(" " + "9" * 30),
        made("tomorrow 5"),
        made("infinity 5"),
        made(f"{NOW} x"),
        made(f"{NOW} {2**63}"),
        made("9999-12-31T23:59:59+00:00 5"),
    ],
)
async def test_a_cursor_that_is_none_of_ours_is_refused(demo_office: Office, cursor: str) -> None:
    for further in ({}, {"updatedSince": SINCE}):
        answer = await demo_office.partner.get("/prospects", params={"cursor": cursor, **further})
        assert answer.status_code == 400, answer.text
        assert [fault["location"] for fault in answer.json()["errors"]] == ["query.cursor"]


async def test_a_cursor_goes_on_only_with_the_list_it_came_from(demo_office: Office, crowd: list[int]) -> None:
    by_number = (await listed(demo_office))["nextCursor"]
    by_change = (await listed(demo_office, updatedSince=SINCE))["nextCursor"]

    for params in (
        {"cursor": by_number, "updatedSince": SINCE},
        {"cursor": by_change},
        {"cursor": by_number, "search": "person"},
        {"cursor": by_number, "page": 2},
    ):
        answer = await demo_office.partner.get("/prospects", params=params)
        assert answer.status_code == 400, params
        assert [fault["location"] for fault in answer.json()["errors"]] == ["query.cursor"]


async def test_an_empty_practice_has_an_empty_list(demo_office: Office) -> None:
    await demo_office.house.owner.execute("DELETE FROM patient_token WHERE practice_id = $1", demo_office.practice_id)
    await demo_office.house.owner.execute("DELETE FROM patient WHERE practice_id = $1", demo_office.practice_id)

    assert await listed(demo_office) == {
        "data": [],
        "count": 0,
        "page": 1,
        "limit": 25,
        "total": 0,
        "nextCursor": None,
    }
