"""Bookings retried with the same Idempotency-Key are made once. (PROOF.md: A retry never doubles)"""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from officepro.access.once import Once
from tests.scheduling.test_book import consult, visits
from tests.world import Office

KEY = {"Idempotency-Key": "a booking site's own number 4711"}


async def post(office: Office) -> httpx.Response:
    return await office.partner.post("/visits/book", json=consult(), headers=KEY)


async def test_sixty_four_at_once_book_one_visit(demo_office: Office) -> None:
    answers = await asyncio.gather(*(post(demo_office) for _ in range(64)))

    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] >= 1, statuses
    # 503: no free connection; 429: over the key's limit of requests in flight
    assert set(statuses) <= {201, 409, 429, 503}, statuses
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_still_running"}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert len(await visits(demo_office)) == 1
    assert len(await demo_office.log()) == 1


async def test_the_control_without_a_key_sixty_four_at_once_are_refused_but_one(demo_office: Office) -> None:
    answers = await asyncio.gather(*(demo_office.partner.post("/visits/book", json=consult()) for _ in range(64)))

    assert Counter(answer.json().get("code") for answer in answers if answer.status_code == 409)["slot_unavailable"] > 0
    assert sum(answer.status_code == 201 for answer in answers) == 1


async def test_who_was_cut_off_between_commit_and_answer_gets_it_by_asking_again(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Once.transaction

    class CutOff(Exception):
        """Simulates a killed process."""

    def cut_off_after_commit(self: Once) -> Any:
        inside = original(self)

        class Work:
            async def __aenter__(self) -> Any:
                return await inside.__aenter__()

            async def __aexit__(self, *failure: Any) -> None:
                await inside.__aexit__(*failure)
                raise CutOff

        return Work()

    with monkeypatch.context() as patch:
        patch.setattr(Once, "transaction", cut_off_after_commit)
        assert (await post(demo_office)).status_code == 500
    assert len(await visits(demo_office)) == 1

    again = await post(demo_office)
    assert (again.status_code, again.headers["Idempotent-Replay"]) == (201, "true")
    assert len(await visits(demo_office)) == 1
    assert len(await demo_office.log()) == 1


async def test_who_was_cut_off_before_the_commit_books_by_asking_again(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut_off(*_: Any, **__: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(Once, "settled", cut_off)
        assert (await post(demo_office)).status_code == 500
    assert await visits(demo_office) == []

    again = await post(demo_office)
    assert again.status_code == 201
    assert "Idempotent-Replay" not in again.headers
