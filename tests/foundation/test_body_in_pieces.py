"""A body that arrives in any number of messages is read as one, bounded, and has one fingerprint."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.world import Office

ADA = json.dumps({"FirstName": "Ada", "LastName": "Byron", "Notes": "x" * 1000}).encode()


async def pieces(raw: bytes) -> AsyncIterator[bytes]:
    for begins in range(0, len(raw), 300):
        yield raw[begins : begins + 300]


@pytest.mark.parametrize("length", [{}, {"Content-Length": str(len(ADA))}])
async def test_in_one_piece_or_in_several(demo_office: Office, length: dict[str, str]) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "ada", **length}

    first = await demo_office.partner.post("/prospects", content=pieces(ADA), headers=headers)
    again = await demo_office.partner.post("/prospects", content=ADA, headers=headers)
    other = await demo_office.partner.post("/prospects", content=pieces(ADA.replace(b"Ada", b"Eve")), headers=headers)

    assert (first.status_code, first.json()["data"]["Notes"]) == (201, "x" * 1000)
    assert again.json() == first.json()
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("length", [{}, {"Content-Length": str(3 * 1024 * 1024)}, {"Content-Length": "9" * 13}])
async def test_too_much_is_refused_whatever_is_said_of_its_length(demo_office: Office, length: dict[str, str]) -> None:
    raw = ADA.replace(b"x", b"x" * 3000)
    assert len(raw) > 2 * 1024 * 1024
    answer = await demo_office.partner.post(
        "/prospects", content=pieces(raw), headers={"Content-Type": "application/json", **length}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
