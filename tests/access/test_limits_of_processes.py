"""The rate limit of a key holds over all workers of a running server, under as many concurrent requests as allowed."""

import asyncio
import time
from collections import Counter
from pathlib import Path

from tests.chaos.instances import Connection, Instance, instances
from tests.world import Office

LIMIT = 120
WORKERS = 3
CALLERS = 24
SECONDS = 3.0


async def call_until(
    end: float, instance: Instance, path: str, token: str
) -> tuple[Counter[int], list[dict[str, str]]]:
    answers: Counter[int] = Counter()
    told = []
    while time.time() < end:
        async with Connection.opened(instance.port) as connection:  # each time another worker may accept it
            status, _ = await connection.get(path, token)
            answers[status] += 1
            told.append(connection.headers)
    return answers, told


async def test_what_all_workers_let_through_is_the_limit_and_what_has_come_back_of_it(
    demo_office: Office, tmp_path: Path
) -> None:
    settings = demo_office.house.settings.but(workers=str(WORKERS), rate_limit_per_minute=str(LIMIT))
    token = await demo_office.token()
    async with instances(settings, tmp_path, 1) as [instance]:
        assert len(instance.workers()) == WORKERS
        began = time.time()
        load = (call_until(began + SECONDS, instance, f"{demo_office.path}/tags", token) for _ in range(CALLERS))
        counted = await asyncio.gather(*load)
        lasted = time.time() - began

    answers: Counter[int] = sum((one for one, _ in counted), Counter())
    assert answers.keys() == {200, 429}
    # All of it at once, and one more for each interval: `LIMIT` in 60 seconds.
    assert LIMIT <= answers[200] <= LIMIT + lasted * LIMIT / 60 + 1, answers
    assert answers[429] > LIMIT
    for told in (headers for _, all_of_one in counted for headers in all_of_one):
        assert told["ratelimit-limit"] == str(LIMIT)
        assert 0 <= int(told["ratelimit-remaining"]) < LIMIT
        assert 1 <= int(told["ratelimit-reset"]) <= 61
        assert ("retry-after" in told) == (told["content-type"] == "application/problem+json")
