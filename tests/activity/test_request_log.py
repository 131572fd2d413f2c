"""Every call has its row: when, who, which route, how it ended, from where; and nothing of what was asked."""

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest
from litestar import Litestar

from officepro import app as application
from officepro import door
from officepro.activity import recorder
from officepro.activity.recorder import Recorder
from officepro.foundation.clock import now
from officepro.foundation.database import Database, DatabaseUnavailable
from officepro.foundation.secrets import key_id_of, make_api_key
from tests.access.visitors import visitor_from
from tests.activity.conftest import Written, calls_of
from tests.world import House, Office, client


async def test_a_call_has_its_row(demo_office: Office, written: Written) -> None:
    answer = await demo_office.partner.get(
        f"/prospects/{demo_office.ada}", headers={"X-Request-Id": "a-request-of-mine"}
    )

    await written()
    [call] = await calls_of(demo_office.house.owner, demo_office)
    assert answer.headers["x-request-id"] == call["request_id"] != "a-request-of-mine"
    assert (call["method"], call["endpoint"], call["status"]) == ("GET", "/v1/{PPass}/prospects/{id}", 200)
    assert call["address"] == "192.0.2.1"
    assert call["api_key_id"] == int(demo_office.keys["partner"].split("_")[1])
    assert call["partner_id"]
    assert 0 < call["duration_microseconds"] < 10_000_000


async def test_a_refused_call_has_its_row_too(demo_office: Office, written: Written) -> None:
    await demo_office.newcomer.get("/visits")
    await demo_office.partner.get("/prospects?search=ada&nonsense=1")
    await demo_office.partner.get("/prospects/77")

    await written()
    calls = await calls_of(demo_office.house.owner, demo_office)
    assert [(call["endpoint"], call["status"]) for call in calls] == [
        ("/v1/{PPass}/visits", 403),
        ("/v1/{PPass}/prospects", 400),
        ("/v1/{PPass}/prospects/{id}", 404),
    ]


async def test_a_call_by_nobody_we_know_belongs_to_nobody(house: House, demo_office: Office, written: Written) -> None:
    answer = await house.stranger.get(f"{demo_office.path}/prospects")

    await written()
    call = await house.owner.fetchrow("SELECT * FROM request_log WHERE request_id = $1", answer.headers["x-request-id"])
    assert call is not None
    assert (call["status"], call["practice_id"], call["partner_id"], call["api_key_id"]) == (401, None, None, None)


async def test_an_address_that_is_none_of_ours_is_not_kept(house: House, written: Written) -> None:
    answer = await house.stranger.get("/v1/Ada-Lovelace-555-0100/nothing")

    await written()
    call = await house.owner.fetchrow(
        "SELECT endpoint, status FROM request_log WHERE request_id = $1", answer.headers["x-request-id"]
    )
    assert tuple(call or ()) == ("(unknown)", 404)


async def test_made_up_methods_are_all_the_same(house: House, written: Written) -> None:
    answer = await house.stranger.request("ADALOVELACE", "/v1/me")

    await written()
    method = await house.owner.fetchval(
        "SELECT method FROM request_log WHERE request_id = $1", answer.headers["x-request-id"]
    )
    assert method == "OTHER"


async def test_pages_are_not_calls(house: House, written: Written) -> None:
    answers = [await house.stranger.get(page) for page in ("/healthz", "/portal/login", "/docs/errors")]

    await written()
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert await house.owner.fetchval("SELECT count(*) FROM request_log WHERE request_id = ANY ($1)", ids) == 0


async def test_who_was_turned_away_at_the_door_is_on_record(
    inner_app: Litestar, house: House, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAXIMUM_IN_FLIGHT", 0)
    account = inner_app.state.account
    async with client(door.Door(inner_app, when_done=account.note)) as visitor:
        answer = await visitor.get("/v1/me")

    await written()
    row = await house.owner.fetchrow(
        "SELECT endpoint, status FROM request_log WHERE request_id = $1", answer.headers["X-Request-Id"]
    )
    assert answer.status_code == 503
    assert tuple(row or ()) == ("(turned away)", 503)


async def test_what_is_waiting_is_written_without_being_asked(demo_office: Office) -> None:
    await demo_office.partner.get("/tags")

    async with asyncio.timeout(5):
        while not await calls_of(demo_office.house.owner, demo_office):  # noqa: ASYNC110 -- it tells nobody
            await asyncio.sleep(recorder.FLUSH_SECONDS)

    assert len(await calls_of(demo_office.house.owner, demo_office)) == 1


async def test_a_piece_that_is_worth_it_does_not_wait_for_its_time(
    demo_office: Office, database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "FLUSH_SECONDS", 3600.0)
    monkeypatch.setattr(recorder, "WORTH_WRITING", 3)
    own = Recorder()
    async with client(door.Door(demo_office.house.app, when_done=own.note)) as visitor, own.writing(database):
        answers = [await visitor.get(f"{demo_office.path}/tags") for _ in range(3)]
        ids = [answer.headers["X-Request-Id"].partition(",")[0] for answer in answers]  # of the inner of two doors
        async with asyncio.timeout(5):
            while own.waiting:  # noqa: ASYNC110 -- it tells nobody
                await asyncio.sleep(0.01)
            logged = "SELECT count(*) FROM request_log WHERE request_id = ANY ($1)"
            while await owner.fetchval(logged, ids) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_while_the_database_is_away_calls_wait_and_are_written_later(
    demo_office: Office, inner_app: Litestar, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise DatabaseUnavailable

    own = Recorder()
    async with client(door.Door(inner_app, when_done=own.note)) as visitor:
        token = await demo_office.token()
        await visitor.get(f"{demo_office.path}/tags", headers={"Authorization": f"Bearer {token}"})
    with monkeypatch.context() as patch:
        patch.setattr(Database, "system", away)
        await own.flush(database)
        assert own.waiting == 1
    await own.flush(database)

    assert own.waiting == own.given_up == 0
    assert len(await calls_of(demo_office.house.owner, demo_office)) == 1


async def test_what_waits_has_a_bound_and_what_is_given_up_is_counted(
    house: House, inner_app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "MAXIMUM_WAITING", 3)
    own = Recorder()
    async with client(door.Door(inner_app, when_done=own.note)) as visitor:
        for _ in range(5):
            await visitor.get("/v1/me")

    assert (own.waiting, own.given_up) == (3, 2)


async def test_what_waits_is_written_when_the_server_stops(
    demo_office: Office, database: Database, owner: asyncpg.Connection
) -> None:
    own = application.create_inner_app(demo_office.house.settings).state.account.recorder
    async with own.writing(database):
        for call in [_call(demo_office)] * 7:
            own._waiting.append(call)

    assert len(await calls_of(owner, demo_office)) == 7


def _call(office: Office) -> recorder.Call:
    return recorder.Call(now(), "GET", "/v1/me", 200, 100, 1, 1, office.practice_id, "::1", "a-request")


async def _logged(house: House, answer: httpx.Response) -> tuple[Any, ...]:
    """Endpoint, status, practice, partner and key of an answered request."""
    row = await house.owner.fetchrow(
        "SELECT endpoint, status, practice_id, partner_id, api_key_id FROM request_log WHERE request_id = $1",
        answer.headers["x-request-id"],
    )
    return tuple(row or ())


async def test_an_exchange_names_practice_partner_and_key_where_they_are_known(
    house: House, demo_office: Office, berlin_office: Office, written: Written
) -> None:
    """The practice is that of the path; partner and key are named if the right secret was sent."""
    async with visitor_from(house) as visitor:

        async def exchange(practicepass: str, api_key: str) -> httpx.Response:
            return await visitor.post(f"/v1/{practicepass}/auth/token", json={"apiKey": api_key})

        right, revoked = demo_office.keys["partner"], demo_office.keys["revoked"]
        answers = {
            "right": await exchange(demo_office.practicepass, right),
            "revoked": await exchange(demo_office.practicepass, revoked),
            "at another practice": await exchange(berlin_office.practicepass, right),
            "at no practice": await exchange("Nowhere", right),
            "wrong secret": await exchange(demo_office.practicepass, make_api_key(key_id_of(right) or 0)),
            "malformed": await exchange(demo_office.practicepass, "your_api_key_here"),
            "NUL": await exchange(demo_office.practicepass + "%00", "your_api_key_here"),
            "a lone surrogate": await exchange("%ED%A0%80", right),
        }

    await written()
    endpoint, demo, berlin = "/v1/{PPass}/auth/token", demo_office.practice_id, berlin_office.practice_id
    partner, ended = await _partner_and_key(house, right), await _partner_and_key(house, revoked)
    assert {name: await _logged(house, answer) for name, answer in answers.items()} == {
        "right": (endpoint, 200, demo, *partner),
        "revoked": (endpoint, 401, demo, *ended),
        "at another practice": (endpoint, 401, berlin, *partner),
        "at no practice": (endpoint, 401, None, *partner),
        "wrong secret": (endpoint, 401, demo, None, None),
        "malformed": (endpoint, 401, demo, None, None),
        "NUL": (endpoint, 401, None, None, None),
        "a lone surrogate": (endpoint, 401, None, *partner),
    }


async def test_an_admin_s_call_names_the_practice_of_its_path(
    house: House, demo_office: Office, written: Written
) -> None:
    path = f"/v1/admin/practices/{demo_office.practicepass}"
    answers = [
        await house.admin.get(path),
        await house.admin.get(f"/v1/admin/{demo_office.practicepass}/disclosures"),
        await house.admin.get("/v1/admin/practices/Nowhere"),
        await house.stranger.get(path),
    ]

    await written()
    assert [(await _logged(house, answer))[1:] for answer in answers] == [
        (200, demo_office.practice_id, None, None),
        (200, demo_office.practice_id, None, None),
        (404, None, None, None),
        (401, None, None, None),
    ]


async def _partner_and_key(house: House, api_key: str) -> tuple[int, int]:
    row = await house.owner.fetchrow(
        "SELECT partner_id, api_key_id FROM api_key WHERE api_key_id = $1", key_id_of(api_key)
    )
    assert row is not None
    return tuple(row.values())
