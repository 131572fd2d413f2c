"""Baseline C: the rate of a bare aiohttp client. `python -m benchmarks.bare_client URL SECONDS` prints the rate.

100 requests in flight, a body of 1 KB, signed by HMAC-SHA256 like a delivery; no event log, queue,
database or address check.
"""

import argparse
import asyncio
import base64
import hmac
import json
import time

import aiohttp
import uvloop

CONCURRENCY = 100
BODY_BYTES = 1024
KEY = b"k" * 32
WARM_UP_SECONDS = 0.5


def body() -> bytes:
    """Return a body of the same length as the worker's in the benchmark."""
    event = {
        "event": "claim.paid",
        "scope": "Claims",
        "eventId": "evt_1_1",
        "logId": 1,
        "practicepass": "Hooks1",
        "occurredAt": "2026-03-09T14:15:00.000Z",
        "data": {"ClaimID": 7, "Pad": ""},
    }
    event["data"] = {"ClaimID": 7, "Pad": "x" * (BODY_BYTES - len(json.dumps(event, separators=(",", ":"))))}
    return json.dumps(event, separators=(",", ":")).encode()


async def rate(url: str, seconds: float) -> float:
    """Return the requests a second."""
    sent, starts = 0, time.perf_counter() + WARM_UP_SECONDS
    ends = starts + seconds
    content = body()

    async def go(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal sent
        while (now := time.perf_counter()) < ends:
            event, moment = f"evt_{number}_{sent}", str(int(time.time()))
            digest = hmac.digest(KEY, f"{event}.{moment}.".encode() + content, "sha256")
            headers = {
                "Content-Type": "application/json",
                "webhook-id": event,
                "webhook-timestamp": moment,
                "webhook-signature": "v1," + base64.b64encode(digest).decode(),
            }
            async with session.post(url, data=content, headers=headers) as response:
                await response.read()
            if now >= starts:
                sent += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENCY)) as session:
        await asyncio.gather(*(go(session, number) for number in range(CONCURRENCY)))
    return sent / seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare_client", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("seconds", type=float)
    asked = parser.parse_args()
    print(uvloop.run(rate(asked.url, asked.seconds)))
