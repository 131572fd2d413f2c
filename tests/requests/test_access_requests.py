"""POST /v1/access-requests, and what the admin does with them."""

import asyncio
import itertools
from typing import Any, get_args

import httpx
import pytest

from officepro.access.scopes import EVERY_SCOPE
from officepro.foundation.database import Database, DatabaseUnavailable
from officepro.requests import queries
from officepro.requests.shapes import Scope
from tests.portal.test_pages import csrf_token
from tests.world import BASE_URL, House, Office

_addresses = itertools.count(1)


def wish(office: Office, **changes: Any) -> dict[str, Any]:
    return {
        "company": "Example Company",
        "practice": office.practicepass,
        "contact": "Jo Doe",
        "email": f"jo@{office.practicepass.lower()}.example",
        "scopes": ["Prospects", "Scheduling"],
        "purpose": "Online booking.",
    } | changes


def stranger(house: House) -> httpx.AsyncClient:
    """From an address that has not asked before."""
    number = next(_addresses)
    transport = httpx.ASGITransport(app=house.app, client=(f"198.51.100.{number}", 50_000))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url=BASE_URL)


async def ask(office: Office, **changes: Any) -> httpx.Response:
    async with stranger(office.house) as somebody:
        return await somebody.post("/v1/access-requests", json=wish(office, **changes))


async def send(somebody: httpx.AsyncClient, path: str, body: dict[str, Any]) -> httpx.Response:
    """To the API, or by the portal's form."""
    if "/v1/" in path:
        return await somebody.post(path, json=body)
    return await somebody.post(path, data=body | {"csrf_token": csrf_token(await somebody.get(path))})


async def requests(office: Office, **parameters: Any) -> list[dict[str, Any]]:
    """Those for this practice, the newest first."""
    answer = await office.house.admin.get("/v1/admin/access-requests", params={"limit": 100} | parameters)
    assert answer.status_code == 200, answer.text
    return [one for one in answer.json()["data"] if one["email"] == wish(office)["email"]]


async def decide(office: Office, request_id: int, verdict: str, **body: Any) -> httpx.Response:
    return await office.house.admin.post(f"/v1/admin/access-requests/{request_id}/{verdict}", json=body)


def test_every_scope_can_be_asked_for() -> None:
    assert set(get_args(Scope)) == EVERY_SCOPE


async def test_anybody_may_ask_and_always_gets_the_same_answer(demo_office: Office) -> None:
    answers = [
        await ask(demo_office),
        await ask(demo_office),
        await ask(demo_office, practice="Nowhere"),
        await ask(demo_office, email="somebody@else.example"),
    ]

    assert {answer.status_code for answer in answers} == {202}
    assert {answer.content for answer in answers} == {
        b'{"message":"Access requested successfully","data":{"status":"received"}}'
    }


async def test_who_asks_again_joins_the_open_request_and_changes_nothing_in_it(demo_office: Office) -> None:
    await ask(demo_office)
    await ask(
        demo_office, email=wish(demo_office)["email"].upper(), scopes=["KB"], purpose="Everything", company="Evil"
    )

    (one,) = await requests(demo_office)
    assert one["timesAsked"] == 2
    assert (one["scopes"], one["purpose"], one["company"]) == (
        ["Prospects", "Scheduling"],
        "Online booking.",
        "Example Company",
    )
    await decide(demo_office, one["id"], "deny", reason="No.")
    await ask(demo_office)
    assert [again["status"] for again in await requests(demo_office)] == ["pending", "denied"]


async def test_an_address_may_ask_ten_times_an_hour(demo_office: Office) -> None:
    async with stranger(demo_office.house) as somebody:
        answers = [
            await somebody.post("/v1/access-requests", json=wish(demo_office, practice=f"P{number}"))
            for number in range(11)
        ]

    assert [answer.status_code for answer in answers] == [202] * 10 + [429]
    assert answers[-1].json()["code"] == "too_many_access_requests"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert (await ask(demo_office)).status_code == 202


@pytest.mark.parametrize("path", ["/v1/access-requests", "/portal/request-access"])
async def test_the_addresses_of_an_ipv6_network_are_one_for_api_and_portal(demo_office: Office, path: str) -> None:
    network, statuses = next(_addresses), []
    for number in range(11):
        address = f"2001:db8:{network:x}::{number:x}"
        transport = httpx.ASGITransport(app=demo_office.house.app, client=(address, 50_000))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as somebody:
            body = wish(demo_office, practice=f"P{number}")
            statuses.append((await send(somebody, path, body)).status_code)

    assert statuses == [200 if "portal" in path else 202] * 10 + [429]


@pytest.mark.parametrize("path", ["/v1/access-requests", "/portal/request-access"])
async def test_when_too_many_wait_new_ones_are_refused_and_counted(
    demo_office: Office, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused() -> float:
        text = (await demo_office.house.stranger.get("/metrics")).text
        [line] = [line for line in text.splitlines() if line.startswith("officepro_access_requests_refused_total ")]
        return float(line.split()[1])

    await ask(demo_office)
    monkeypatch.setattr(queries, "MAXIMUM_PENDING", 1)
    before = await refused()
    answers = []
    for email in (wish(demo_office)["email"], "new@else.example"):  # open and new requests get the same answer
        async with stranger(demo_office.house) as somebody:
            body = wish(demo_office, email=email)
            answers.append(await send(somebody, path, body))

    assert [answer.status_code for answer in answers] == [503, 503]
    if "/v1/" in path:
        assert {answer.json()["code"] for answer in answers} == {"access_requests_full"}
        assert answers[0].headers["Retry-After"] == "3600"
    else:
        assert "not saved" in answers[0].text
    assert await refused() == before + 2
    assert [one["timesAsked"] for one in await requests(demo_office)] == [1]


async def test_attempts_that_are_not_saved_use_up_nothing(demo_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while the database is away, nor a repeat by Idempotency-Key."""

    def away(_: Database) -> None:
        raise DatabaseUnavailable

    async with stranger(demo_office.house) as somebody:
        with monkeypatch.context() as patch:
            patch.setattr(Database, "system_transaction", away)
            failed = [await somebody.post("/v1/access-requests", json=wish(demo_office)) for _ in range(12)]
        repeat = {"Idempotency-Key": f"one-{id(somebody)}"}
        repeated = [
            await somebody.post("/v1/access-requests", json=wish(demo_office), headers=repeat) for _ in range(9)
        ]
        others = [
            await somebody.post("/v1/access-requests", json=wish(demo_office, practice=f"P{number}"))
            for number in range(10)
        ]

    assert [answer.status_code for answer in failed] == [503] * 12
    assert [answer.status_code for answer in repeated] == [202] * 9
    assert [answer.status_code for answer in others] == [202] * 9 + [429]


@pytest.mark.parametrize(
    ("changes", "location"),
    [
        ({"email": "nobody"}, "body.email"),
        ({"email": ""}, "body.email"),
        ({"scopes": []}, "body.scopes"),
        ({"scopes": ["Everything"]}, "body.scopes[0]"),
        ({"company": " "}, "body.company"),
        ({"purpose": "x" * 2001}, "body.purpose"),
        ({"contact": "a\0"}, "body.contact"),
        ({"admin": True}, "body.admin"),
    ],
)
async def test_a_bad_request_is_refused(demo_office: Office, changes: dict[str, Any], location: str) -> None:
    answer = await ask(demo_office, **changes)

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == [location]


async def test_more_than_sixteen_kibibytes_are_refused(demo_office: Office) -> None:
    assert (await ask(demo_office, purpose="x" * 17_000)).status_code == 413


async def test_approving_makes_partner_and_key_that_work_at_once(demo_office: Office) -> None:
    await ask(demo_office)
    (one,) = await requests(demo_office)
    answer = await decide(demo_office, one["id"], "approve")

    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    assert (data["practicepass"], data["scopes"], data["status"]) == (
        demo_office.practicepass,
        ["Prospects", "Scheduling"],
        "approved",
    )
    demo_office.keys["approved"] = data["apiKey"]
    bearer = {"Authorization": f"Bearer {await demo_office.token('approved')}"}
    me = (await demo_office.house.stranger.get("/v1/me", headers=bearer)).json()["data"]
    assert (me["company"], me["contact"], me["email"]) == ("Example Company", "Jo Doe", one["email"])
    assert me["partnerId"] == data["partnerId"]
    (after,) = await requests(demo_office)
    assert (after["status"], after["partnerId"], after["keyId"]) == ("approved", data["partnerId"], data["keyId"])
    assert data["apiKey"] not in str(after)


async def test_scopes_may_be_narrowed_and_never_widened(demo_office: Office) -> None:
    await ask(demo_office)
    (one,) = await requests(demo_office)

    wider = await decide(demo_office, one["id"], "approve", scopes=["Scheduling", "KB"])
    assert (wider.status_code, wider.json()["code"]) == (422, "impossible_key")
    assert "KB" in wider.json()["errors"][0]["message"]

    narrower = await decide(
        demo_office, one["id"], "approve", scopes=["Scheduling"], expiresAt="2099-01-01T00:00:00Z", name="Booking"
    )
    data = narrower.json()["data"]
    assert (data["scopes"], data["expiresAt"], data["name"]) == (
        ["Scheduling"],
        "2099-01-01T00:00:00Z",
        "Booking",
    )


async def test_the_practice_must_be_one_of_ours_or_named(demo_office: Office) -> None:
    await ask(demo_office, practice="Dr. Smith's, Main Street")
    (one,) = await requests(demo_office)

    unnamed = await decide(demo_office, one["id"], "approve")
    past = await decide(demo_office, one["id"], "approve", practicepass="Nowhere", expiresAt="2001-01-01T00:00:00Z")
    named = await decide(demo_office, one["id"], "approve", practicepass=demo_office.practicepass)

    assert (unnamed.status_code, unnamed.json()["errors"][0]["location"]) == (422, "body.practicepass")
    assert {fault["location"] for fault in past.json()["errors"]} == {"body.practicepass", "body.expiresAt"}
    assert named.status_code == 201
    partners = await demo_office.house.owner.fetchval(
        "SELECT count(*) FROM partner WHERE email = $1", wish(demo_office)["email"]
    )
    assert partners == 1  # what was refused left none


async def test_a_key_for_every_practice_must_be_asked_for(demo_office: Office) -> None:
    await ask(demo_office)
    (one,) = await requests(demo_office)
    answer = await decide(demo_office, one["id"], "approve", practicepass=None)

    assert answer.json()["data"]["practicepass"] is None


async def test_it_is_decided_but_once(demo_office: Office) -> None:
    await ask(demo_office)
    (one,) = await requests(demo_office)
    answers = await asyncio.gather(*(decide(demo_office, one["id"], "approve") for _ in range(8)))
    late = await decide(demo_office, one["id"], "deny", reason="No.")

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert (late.status_code, late.json()["code"]) == (409, "access_request_decided")
    assert "approved" in late.json()["detail"]
    partners = await demo_office.house.owner.fetchval(
        "SELECT count(*) FROM partner WHERE email = $1", wish(demo_office)["email"]
    )
    assert partners == 1


async def test_a_repeat_does_not_show_the_key_again(demo_office: Office) -> None:
    await ask(demo_office)
    (one,) = await requests(demo_office)
    headers = {"Idempotency-Key": demo_office.practicepass}
    path = f"/v1/admin/access-requests/{one['id']}/approve"
    first = await demo_office.house.admin.post(path, json={}, headers=headers)
    second = await demo_office.house.admin.post(path, json={}, headers=headers)

    assert first.json()["data"]["apiKey"].startswith("opk_")
    assert second.json()["data"] == first.json()["data"] | {"apiKey": None}


async def test_denying_keeps_the_reason(demo_office: Office) -> None:
    await ask(demo_office)
    (one,) = await requests(demo_office)
    assert (await decide(demo_office, one["id"], "deny")).status_code == 400

    answer = await decide(demo_office, one["id"], "deny", reason="Not a partner of the practice.")

    assert answer.status_code == 200, answer.text
    assert [(after["status"], after["reason"]) for after in await requests(demo_office, status="denied")] == [
        ("denied", "Not a partner of the practice.")
    ]
    assert await requests(demo_office, status="pending") == []


async def test_a_request_that_is_not_there_cannot_be_decided(demo_office: Office) -> None:
    for verdict, body in (("approve", {}), ("deny", {"reason": "No."})):
        answer = await decide(demo_office, 2**62, verdict, **body)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_access_request")


async def test_partners_and_strangers_see_none_of_it(demo_office: Office) -> None:
    assert (await demo_office.partner_global.get("/admin/access-requests")).status_code == 401
    assert (await demo_office.partner_global.post("/admin/access-requests/1/approve", json={})).status_code == 401
