"""What everybody did together is kept beside what each did, and is the sum of it."""

from typing import Any

from officepro.activity import queries
from officepro.activity.recorder import Call
from officepro.foundation.clock import now
from officepro.foundation.database import Database
from tests.activity.conftest import sum_up
from tests.world import House

SUMS = """
    SELECT method, endpoint, sum(calls), sum(caller_errors), sum(own_errors), sum(duration_microseconds)
    FROM request_day WHERE practice_id {} 0 AND endpoint = '/v1/counted-together' GROUP BY 1, 2
"""


async def test_everybody_s_figures_are_the_sum_of_each_one_s(house: House, database: Database) -> None:
    calls: list[Call] = []
    for number in range(30):
        status = (200, 404, 500)[number % 3]
        whose: tuple[Any, ...] = (
            (None, None, None)
            if number % 5 == 0
            else (900_001 + number % 2, 900_001 + number % 3, 900_001 + number % 4)
        )
        what: tuple[Any, ...] = (now(), "GET", "/v1/counted-together", status, 1000 * number)
        calls.append(Call(*(*what, *whose, "192.0.2.1", f"request{number}")))
    for part in (calls[:10], calls[10:]):
        async with database.system() as db:
            await queries.write(db, part)
        await sum_up(database, house.owner)

    each = [tuple(row) for row in await house.owner.fetch(SUMS.format(">="))]
    together = [tuple(row) for row in await house.owner.fetch(SUMS.format("<"))]
    assert together == each == [("GET", "/v1/counted-together", 30, 10, 10, 435_000)]
