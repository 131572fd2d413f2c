"""Requests with any number of rows, valid or not, do not block other requests."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from officepro.foundation import time_slices
from tests.world import Office

LONGEST_SECONDS = 0.05


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    """Garbage collection skips the application's permanent objects, as in production (`create_app`)."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@dataclass
class Longest:
    """The most processor time that one iteration of the event loop took, independent of other load of the machine."""

    seconds: float = 0.0


@asynccontextmanager
async def watching() -> AsyncIterator[Longest]:
    longest = Longest()

    async def watch() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest.seconds = max(longest.seconds, time.thread_time() - before)

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield longest
    finally:
        await asyncio.sleep(0)  # so that the last iteration is measured
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "VendorCode": "of the loop",
        "ProductCode": f"P{number:05}",
        "Product": f"Example Product {number}",
        "RetailPrice": 99.99,
        "Description": "d" * 40,
        "Category": "Serum",
        "UPC": "0123",
        "Cost": 12.5,
        "Active": True,
        **fields,
    }


def bulk(rows: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode({"products": rows})


async def save(office: Office, raw: bytes) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return await office.partner_global.post("/products", content=raw, headers=headers)


BAD = {
    "one bad row": (bulk([row(number) for number in range(9_999)] + [row(9_999, RetailPrice=-1)]), 1),
    "every second bad": (bulk([row(number, RetailPrice=-1 if number % 2 else 1) for number in range(10_000)]), 5_000),
    "all bad in every field": (bulk([{name: [] for name in row(0)} for _ in range(10_000)]), 90_000),
    "one product ten thousand times": (bulk([row(1) for _ in range(10_000)]), 9_999),
    "eight mebibytes": (bulk([row(number, Description="é" * 310, Cost=-1) for number in range(10_000)]), 10_000),
    "unknown fields": (bulk([{f"field{field}": 1 for field in range(10)} for _ in range(10_000)]), 140_000),
    "too many rows": (b'{"products": [' + b"{}," * 2_700_000 + b"{}]}", 1),
    "commas": (bulk([row(number, Description="," * 400, Cost=-1) for number in range(10_000)]), 10_000),
}


@pytest.mark.parametrize("kind", BAD)
async def test_ten_thousand_rows_with_bad_ones_hold_up_nobody(demo_office: Office, kind: str) -> None:
    raw, count = BAD[kind]
    assert len(raw) <= 8 << 20
    async with watching() as longest:
        answer = await save(demo_office, raw)

    problem = answer.json()
    assert answer.status_code == 400, answer.text[:500]
    errors = "1 validation error; see `errors`." if count == 1 else f"{count:,} validation errors; "
    assert errors in problem["detail"]
    assert len(problem["errors"]) == min(count, 100)
    assert count == 1 or problem["detail"].endswith("the first 100 are listed.")
    assert longest.seconds < LONGEST_SECONDS


@pytest.mark.parametrize("description", ["d" * 40, "," * 600], ids=["2 MiB", "8 MiB"])
async def test_ten_thousand_good_rows_hold_up_nobody(demo_office: Office, description: str) -> None:
    vendor = f"of the loop {demo_office.practicepass} {len(description)}"
    raw = bulk([row(number, VendorCode=vendor, Description=description) for number in range(10_000)])
    async with watching() as longest:
        answer = await save(demo_office, raw)

    assert (answer.status_code, answer.json()["data"]) == (200, {"created": 10_000, "updated": 0, "unchanged": 0})
    assert longest.seconds < LONGEST_SECONDS


async def test_the_control_work_that_never_pauses_is_seen(demo_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_slices, "SLICE_SECONDS", 60.0)
    async with watching() as longest:
        await save(demo_office, BAD["all bad in every field"][0])

    assert longest.seconds > LONGEST_SECONDS
