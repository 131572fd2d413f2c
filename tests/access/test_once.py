"""Idempotency-Key: a repeated POST runs once. (API.md: Conventions)"""

import asyncio
from collections import Counter

import httpx
import pytest

from officepro.access.once import Once
from officepro.access.scopes import EVERY_SCOPE
from officepro.foundation.database import Connection
from tests.access.visitors import visitor_from
from tests.world import BASE_URL, Office, client, make_key

GRACE = {"FirstName": "Grace", "LastName": "Hopper", "EMail": "grace@example.com"}


def key(text: str = "8e03978e-40d5-43e8-bc93-6894a57f9324") -> dict[str, str]:
    return {"Idempotency-Key": text}


async def graces(office: Office) -> int:
    found: int = await office.house.owner.fetchval(
        "SELECT count(*) FROM patient WHERE practice_id = $1 AND first_name = 'Grace'", office.practice_id
    )
    return found


async def kept(office: Office) -> int:
    found: int = await office.house.owner.fetchval(
        "SELECT count(*) FROM idempotency WHERE practice_id = $1", office.practice_id
    )
    return found


async def test_a_repeat_gets_the_same_answer_and_makes_nothing_new(demo_office: Office) -> None:
    first = await demo_office.partner.post("/prospects", json=GRACE, headers=key())
    again = await demo_office.partner.post("/prospects", json=GRACE, headers=key())

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "Idempotent-Replay" not in first.headers
    assert again.headers["Idempotent-Replay"] == "true"
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert again.headers["Cache-Control"] == "no-store"
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert await graces(demo_office) == 1
    assert len(await demo_office.log()) == 1


async def test_the_repeat_has_the_etag_of_the_first_answer(demo_office: Office) -> None:
    first = await demo_office.partner.post("/prospects", json=GRACE, headers=key())
    await demo_office.partner.put(f"/prospects/{first.json()['data']['PatientID']}", json={"LastName": "Murray"})
    again = await demo_office.partner.post("/prospects", json=GRACE, headers=key())

    assert (first.headers["ETag"], again.headers["ETag"]) == ('"1"', '"1"')
    comment = [await demo_office.partner.post("/tags/prospects/1001", json={"tagId": 1}, headers=key()) for _ in "ab"]
    assert [answer.headers.get("ETag") for answer in comment] == [None, None]


async def test_the_repeat_tells_what_was_answered_then_not_what_holds_now(demo_office: Office) -> None:
    first = await demo_office.partner.post("/prospects", json=GRACE, headers=key())
    patient_id = first.json()["data"]["PatientID"]
    await demo_office.partner.put(f"/prospects/{patient_id}", json={"LastName": "Murray"})

    assert (await demo_office.partner.post("/prospects", json=GRACE, headers=key())).content == first.content


async def test_the_same_key_with_another_body_is_refused(demo_office: Office) -> None:
    await demo_office.partner.post("/prospects", json=GRACE, headers=key())
    other = await demo_office.partner.post("/prospects", json={**GRACE, "MI": "B"}, headers=key())

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await graces(demo_office) == 1


async def test_without_a_key_every_post_is_a_new_one(demo_office: Office) -> None:
    for _ in range(2):
        assert (await demo_office.partner.post("/prospects", json=GRACE)).status_code == 201

    assert await graces(demo_office) == 2
    assert await kept(demo_office) == 0


async def test_sixty_four_at_once_leave_one_row_and_one_answer(demo_office: Office) -> None:
    async def post() -> httpx.Response:
        return await demo_office.partner.post("/prospects", json=GRACE, headers=key())

    answers = await asyncio.gather(*(post() for _ in range(64)))

    statuses = Counter(answer.status_code for answer in answers)
    # 503: too few connections for all of them; 429: more than the key's share of the process
    assert set(statuses) <= {201, 409, 429, 503}, statuses
    made = {answer.content for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_still_running"}
    assert await graces(demo_office) == 1
    assert len(await demo_office.log()) == 1

    for answer in [answer for answer in answers if answer.status_code != 201]:
        retried = await post()
        assert (retried.status_code, retried.content) == (201, *made), answer.text


async def test_while_the_first_is_still_running_a_repeat_is_told_so(demo_office: Office) -> None:
    async with demo_office.house.owner.transaction():
        # The first one waits for the practice lock, which every writer acquires.
        await demo_office.house.owner.execute(
            "SELECT FROM log_head WHERE practice_id = $1 FOR UPDATE", demo_office.practice_id
        )
        first = asyncio.create_task(demo_office.partner.post("/prospects", json=GRACE, headers=key()))
        await asyncio.sleep(0.2)
        repeat = await demo_office.partner.post("/prospects", json=GRACE, headers=key())
        assert (repeat.status_code, repeat.json()["code"]) == (409, "idempotency_still_running")

    assert (await first).status_code == 201
    assert (await demo_office.partner.post("/prospects", json=GRACE, headers=key())).content == (await first).content


async def test_of_two_that_both_passed_the_look_up_one_does_the_work(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request commits between the second's query and its lock."""

    async def passed(self: Once, db: Connection) -> None: ...

    first = await demo_office.partner.post("/prospects", json=GRACE, headers=key())
    with monkeypatch.context() as racing:
        racing.setattr(Once, "_claim", passed)
        second = await demo_office.partner.post("/prospects", json=GRACE, headers=key())

    assert (second.status_code, second.json()["code"]) == (409, "idempotency_still_running")
    assert await graces(demo_office) == 1
    assert (await demo_office.partner.post("/prospects", json=GRACE, headers=key())).content == first.content


async def test_after_a_day_the_key_is_free_again(demo_office: Office) -> None:
    first = await demo_office.partner.post("/prospects", json=GRACE, headers=key())
    age = "UPDATE idempotency SET created_at = now() - $2::interval WHERE practice_id = $1"

    await demo_office.house.owner.execute(age.replace("$2::interval", "interval '23:59'"), demo_office.practice_id)
    assert (await demo_office.partner.post("/prospects", json=GRACE, headers=key())).content == first.content

    await demo_office.house.owner.execute(age.replace("$2::interval", "interval '24:01'"), demo_office.practice_id)
    anew = await demo_office.partner.post("/prospects", json=GRACE, headers=key())
    assert anew.status_code == 201
    assert anew.json()["data"]["PatientID"] != first.json()["data"]["PatientID"]
    assert await graces(demo_office) == 2

    again = await demo_office.partner.post("/prospects", json=GRACE, headers=key())
    assert again.content == anew.content


@pytest.mark.parametrize("text", ["", "x" * 256, "tab\tin it", "ümlaut"])
async def test_a_key_that_is_none_is_refused_by_name(demo_office: Office, text: str) -> None:
    answer = await demo_office.partner.post(
        "/prospects", json=GRACE, headers={b"Idempotency-Key": text.encode("latin-1")}
    )

    assert answer.status_code == 400
    assert [fault["location"] for fault in answer.json()["errors"]] == ["header.Idempotency-Key"]
    assert await graces(demo_office) == 0


async def test_the_longest_key_is_taken(demo_office: Office) -> None:
    for _ in range(2):
        answer = await demo_office.partner.post("/prospects", json=GRACE, headers=key("x" * 255))
        assert answer.status_code == 201
    assert await graces(demo_office) == 1


async def test_another_caller_s_same_key_is_another_key(demo_office: Office, berlin_office: Office) -> None:
    demo_office.keys["colleague"] = await make_key(demo_office.house, "colleague", EVERY_SCOPE, demo_office.practice_id)
    bearer = {"Authorization": f"Bearer {await demo_office.token('colleague')}"}
    colleague = client(demo_office.house.app, BASE_URL + demo_office.path, bearer)

    answers = [
        await caller.post("/prospects", json=GRACE, headers=key())
        for caller in (demo_office.partner, colleague, berlin_office.partner)
    ]

    assert [answer.status_code for answer in answers] == [201] * 3
    assert not any("Idempotent-Replay" in answer.headers for answer in answers)
    assert (await graces(demo_office), await graces(berlin_office)) == (2, 1)


async def test_the_same_key_at_another_address_is_another_key(demo_office: Office) -> None:
    assert (await demo_office.partner.post("/prospects", json=GRACE, headers=key())).status_code == 201
    tagged = await demo_office.partner.post(
        f"/tags/prospects/{demo_office.ada}", json={"tagId": demo_office.vip}, headers=key()
    )

    assert tagged.status_code == 200
    assert "Idempotent-Replay" not in tagged.headers


async def test_a_refusal_is_not_kept_so_that_the_repeat_is_tried_anew(demo_office: Office) -> None:
    unknown_provider = {**GRACE, "ProviderID": 3}
    refused = await demo_office.partner.post("/prospects", json=unknown_provider, headers=key())
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_provider")
    assert await kept(demo_office) == 0

    await demo_office.house.owner.execute(
        "INSERT INTO provider (practice_id, provider_id, name) VALUES ($1, 3, 'Ann Miller')", demo_office.practice_id
    )
    repeated = await demo_office.partner.post("/prospects", json=unknown_provider, headers=key())
    assert repeated.status_code == 201
    assert "Idempotent-Replay" not in repeated.headers


async def test_a_tag_put_on_once_is_not_put_on_again_by_a_late_repeat(demo_office: Office) -> None:
    path, vip = f"/tags/prospects/{demo_office.ada}", {"tagId": demo_office.vip}
    first = await demo_office.partner.post(path, json=vip, headers=key())
    await demo_office.partner.delete(path)

    repeat = await demo_office.partner.post(path, json=vip, headers=key())
    other = await demo_office.partner.post(path, json={"tagId": demo_office.newsletter}, headers=key())

    assert repeat.content == first.content
    assert (repeat.status_code, repeat.headers["Idempotent-Replay"]) == (200, "true")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await demo_office.tags_of(demo_office.ada) == []


async def test_a_kept_answer_is_nothing_to_a_stranger(demo_office: Office) -> None:
    await demo_office.partner.post("/prospects", json=GRACE, headers=key())
    async with visitor_from(demo_office.house) as stranger:
        answer = await stranger.post(f"{demo_office.path}/prospects", json=GRACE, headers=key())

    assert answer.status_code == 401
