"""Benchmark of growth (`python -m benchmarks.growth`): the same calls on 10, 100 and 1,000 practices, alternating, so
that other load on the machine affects all sizes equally; and the search among a million people of one practice.

Creating the data takes minutes. `--folder` keeps them for the next run; otherwise they are deleted at the end.
"""

import argparse
import asyncio
import base64
import http.client
import itertools
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import quote, urlsplit

import aiohttp
import psycopg
from aiohttp import web

from benchmarks.growth_data import Grown, Size, grown, sizes
from benchmarks.growth_plot import Line, draw
from benchmarks.servers import granian
from benchmarks.wrk import Call, measure
from officepro.demo import big_queries
from officepro.demo.big_queries import FIRST_ID
from officepro.foundation import embedded
from officepro.settings import Settings

CALLS_OF_READS = 4_000
DAYS_ASKED = 80  # of six providers: more than the calls to a practice, and before the booked times
MOST_BOOKED = 2_500  # a second: the number of prepared times
TURNS = 3  # counted; one more comes first as a warm-up
WARM_UP_SECONDS = 1.0
SETTLING_SECONDS = 4.0  # until every process has cached every practice's configuration; the same for all sizes
SHARED_BUFFERS = "2GB"  # the recommendation of docs/operating.md for a server of this size; the same for all sizes
LAG_EVENTS = 60
AIM_OF_RATE = 0.8
PLOT = Path(__file__).parents[1] / "docs" / "growth.svg"
NAMES = ("slots", "check", "search", "book", "schedule", "overview")
SECRET = base64.urlsafe_b64encode(b"a benchmark has nothing to hide.").decode()
# One to three words, whole and as prefixes; the end of a telephone number; an e-mail address; a name without a match.
SURNAMES, GIVEN = big_queries.SURNAMES, big_queries.FIRST_NAMES
SEARCHES = (
    SURNAMES[0],
    f"{GIVEN[0]} {SURNAMES[0]}",
    f"{GIVEN[3][:3]} {SURNAMES[5][:3]}",
    "s",
    "m s",
    "0142",
    f"{SURNAMES[0]}77@example.com",
    "zzz",
)
SEARCHES_EACH = 20


@dataclass
class Found:
    """Results of one size; rates in responses a second, by turn."""

    size: Size
    rates: dict[str, list[float]] = field(default_factory=dict)
    lag_ms: list[float] = field(default_factory=list)

    def rate(self, name: str) -> float:
        """Return the median rate of a kind of call."""
        return statistics.median(self.rates[name])

    def shares(self, name: str, first: "Found") -> list[float]:
        """Return this size's rate as a share of the first size's rate, by turn."""
        return [mine / its for mine, its in zip(self.rates[name], first.rates[name], strict=True)]

    def share(self, name: str, first: "Found") -> float:
        """Return the median share of a kind of call."""
        return statistics.median(self.shares(name, first))


class Calls:
    """Requests to one size, alternating over all its practices."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._tokens = tokens
        self._practices = list(tokens)
        today = datetime.now(UTC).date()
        self._monday = today + timedelta(days=7 - today.weekday())

    def of(self, name: str, count: int, skip: int = 0) -> Iterator[Call]:
        """Yield `count` calls of one kind, skipping `skip` free times for bookings."""
        if name == "book":
            yield from islice(self._free_times(), skip, skip + count)
            return
        each = math.ceil(count / len(self._practices))
        paths = {practice: self._paths(name, practice, each) for practice in self._practices}
        for number in range(count):
            practice = self._practices[number % len(self._practices)]
            yield Call("GET", next(paths[practice]), self._headers(name, practice))

    def _paths(self, name: str, practice: str, count: int) -> Iterator[str]:
        """Yield `count` paths. From ten practices on every size gets equally many availability requests, without
        duplicates, so that the cache favours no size."""
        chance = random.Random(f"{name} {practice}")
        places = [(provider, day) for provider in range(1, 7) for day in range(2, DAYS_ASKED)]
        chance.shuffle(places)
        for provider, number in islice(itertools.cycle(places), count):
            day = self._workday(number)
            of_provider = f"/v1/{practice}/availability/providers/{provider}"
            match name:
                case "slots":
                    yield f"{of_provider}/slots?date={day}&duration=30"
                case "check":
                    yield f"{of_provider}/check?date={day}&time={chance.randint(9, 16):02}:00&duration=30"
                case "search":
                    yield f"/v1/{practice}/prospects?search={chance.choice(SURNAMES).lower()}&limit=25"
                case "schedule":
                    yield f"{of_provider}/schedule?startDate={day}&endDate={day + timedelta(days=4)}"
                case _:
                    yield f"/v1/admin/overview?practicepass={practice}&days=30"

    def _free_times(self) -> Iterator[Call]:
        """Yield bookings of free times, each once, later than the visits of the generated data."""
        for day in range(120, 260):
            for minute in range(9 * 60, 17 * 60, 30):
                for provider in range(1, 7):
                    for practice in self._practices:
                        body = {
                            "PatientID": FIRST_ID,
                            "ProviderID": provider,
                            "VisitType": "FOLLOWUP",
                            "VisitDate": self._workday(day).isoformat(),
                            "VisitTime": f"{minute // 60:02}:{minute % 60:02}:00",
                            "VisitDuration": 30,
                        }
                        path = f"/v1/{practice}/visits/book"
                        yield Call("POST", path, self._headers("book", practice), json.dumps(body))

    def _headers(self, name: str, practice: str) -> dict[str, str]:
        if name == "overview":
            return {"X-Admin-Secret": SECRET}
        return {"Authorization": f"Bearer {self._tokens[practice]}", "Content-Type": "application/json"}

    def _workday(self, number: int) -> date:
        return self._monday + timedelta(days=number // 5 * 7 + number % 5)


def main(arguments: list[str]) -> None:
    """Create the databases, measure, print the results and draw the plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--folder", type=Path, help="folder that keeps the data for the next run")
    parser.add_argument("--scale", choices=["small", "usual", "full"], default=os.environ.get("SCALE", "usual"))
    parser.add_argument("--load-only", action="store_true")
    parser.add_argument("--seconds", type=float, default=3.0, help="duration of each of some forty measurements")
    asked = parser.parse_args(arguments)
    with _folder(asked.folder) as folder:
        server = _server(folder / "data")

        def settings_for(url: str) -> Settings:
            return Settings.from_environment(environment_of(url, folder))

        try:
            everything = [grown(server, size, settings_for) for size in sizes(asked.scale)]
            if not asked.load_only:
                searched = _searched(everything[-1], folder)
                found = _measured(everything[:-1], asked.seconds, folder)
                _tell(found, searched, everything[-1].size.patients, plot=asked.scale != "small")
        finally:
            server.stop()


def _server(data_dir: Path) -> embedded.EmbeddedServer:
    server = embedded.start(data_dir)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        if connection.execute("SHOW shared_buffers").fetchone() == (SHARED_BUFFERS,):
            return server
        connection.execute(f"ALTER SYSTEM SET shared_buffers = '{SHARED_BUFFERS}'")
    server.stop()
    return embedded.start(data_dir)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="officepro-growth-", dir=os.environ.get("BENCH_DIR")) as name:
        yield Path(name)


def environment_of(url: str, folder: Path) -> dict[str, str]:
    """Return the environment of a server on the database at `url`."""
    return {
        "OFFICEPRO_DATABASE_URL": url,
        "OFFICEPRO_DATA_DIR": str(folder / "application"),
        "OFFICEPRO_ADMIN_SECRET": SECRET,
        "OFFICEPRO_TOKEN_KEYS": f"bench:{SECRET}",
        "OFFICEPRO_ENCRYPTION_KEYS": f"bench:{SECRET}",
        "OFFICEPRO_RATE_LIMIT_PER_MINUTE": "10000000",  # counted, but never reached
        "OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }


def _measured(everything: list[Grown], seconds: float, folder: Path) -> list[Found]:
    """Measure each call on every size in turn, one server per size, so that other load affects all sizes equally."""
    found = [Found(one.size, {name: [] for name in NAMES}) for one in everything]
    free = [0] * len(everything)
    with ExitStack() as running:
        urls, calls = [], []
        for one in everything:
            _tidy(one)
            own = folder / one.size.database
            own.mkdir(exist_ok=True)
            environment = environment_of(one.settings.database_url, own)
            urls.append(running.enter_context(granian("officepro.app:create_app", own, environment)))
            calls.append(Calls(tokens_of(urls[-1], one)))
            measure(urls[-1], list(calls[-1].of("slots", CALLS_OF_READS)), SETTLING_SECONDS)
        for turn, name in itertools.product(range(1 + TURNS), NAMES):
            for number, url in enumerate(urls):
                count = math.ceil(seconds * MOST_BOOKED) if name == "book" else CALLS_OF_READS
                prepared = list(calls[number].of(name, count, free[number]))
                if name == "book":
                    free[number] += count
                else:
                    measure(url, prepared, WARM_UP_SECONDS)
                measured = measure(url, prepared, seconds)
                assert measured.errors == 0, f"{name}: {measured.errors} errors"
                if turn:  # the first turn loads the database's pages into memory
                    found[number].rates[name].append(measured.rate)
        for number, one in enumerate(everything):
            found[number].lag_ms = asyncio.run(_lag(urls[number], one, calls[number], folder, free[number]))
    return found


def tokens_of(url: str, one: Grown) -> dict[str, str]:
    """Return an access token for every practice, by PPass; one key is valid for all."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    tokens = {}
    body = json.dumps({"apiKey": one.api_key})
    for number in range(1, one.size.practices + 1):
        practice = f"Demo{number:04}"
        connection.request("POST", f"/v1/{practice}/auth/token", body, {"Content-Type": "application/json"})
        tokens[practice] = str(json.load(connection.getresponse())["accessToken"])
    connection.close()
    return tokens


def _tidy(one: Grown) -> None:
    """Delete the bookings and subscriptions of an earlier run."""
    with psycopg.connect(one.owner_url, autocommit=True) as connection:
        connection.execute("TRUNCATE visit_history")  # the generated data have none
        connection.execute(f"DELETE FROM visit WHERE visit_id < {FIRST_ID}")
        connection.execute("DELETE FROM webhook_subscription")
        connection.execute("VACUUM (ANALYZE) visit")


async def _lag(url: str, one: Grown, calls: Calls, folder: Path, skip: int) -> list[float]:
    """Return the milliseconds from a booking's response to the arrival of its webhook, one booking after the other,
    with a worker that serves all practices of this size."""
    arrived: dict[int, float] = {}

    async def hear(request: web.Request) -> web.Response:
        told = await request.json()
        arrived[int(told["data"].get("VisitID", 0))] = time.perf_counter()
        return web.Response()

    sink = web.Application()
    sink.router.add_post("/", hear)
    runner = web.AppRunner(sink)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    environment = {**os.environ, **environment_of(one.settings.database_url, folder)}
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "officepro.cli", "worker", env=environment)
    try:
        await asyncio.to_thread(_wait_until_fanned_out, one)
        async with aiohttp.ClientSession(url) as session:
            bookings = list(calls.of("book", LAG_EVENTS, skip))
            wanted = {"hookUrl": f"http://127.0.0.1:{runner.addresses[0][1]}/", "scopes": ["Encounters"]}
            async with session.post("/v1/webhooks/signup", json=wanted, headers=bookings[0].headers) as answer:
                assert answer.status in (200, 201), await answer.text()
            answered = {}
            for call in bookings:
                async with session.post(call.path, data=call.body, headers=call.headers) as answer:
                    assert answer.status == 201, await answer.text()
                    answered[(await answer.json())["data"]["VisitID"]] = time.perf_counter()
                await asyncio.sleep(0.05)
            deadline = time.perf_counter() + 30
            while answered.keys() - arrived.keys():
                assert time.perf_counter() < deadline, "webhooks are missing"
                await asyncio.sleep(0.05)
    finally:
        worker.terminate()
        await worker.wait()
        await runner.cleanup()
    return sorted((arrived[visit] - at) * 1000 for visit, at in answered.items())


def _wait_until_fanned_out(one: Grown) -> None:
    deadline = time.monotonic() + 120
    behind = """
        SELECT count(*) FROM log_head h LEFT JOIN dispatch_state d USING (practice_id)
        WHERE h.last > coalesce(d.last_log_id, 0)
        """
    with psycopg.connect(one.owner_url, autocommit=True) as connection:
        while (connection.execute(behind).fetchone() or (0,))[0]:
            assert time.monotonic() < deadline, "the worker does not finish its fan-out"
            time.sleep(0.2)


def _searched(one: Grown, folder: Path) -> dict[str, list[float]]:
    """Return the milliseconds of each search, one after the other over one connection, with middleware and JSON."""
    found: dict[str, list[float]] = {}
    with granian("officepro.app:create_app", folder, environment_of(one.settings.database_url, folder)) as url:
        token = tokens_of(url, one)["Demo0001"]
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        for what in SEARCHES:
            took = found[what] = []
            for _ in range(SEARCHES_EACH):
                began = time.perf_counter()
                path = f"/v1/Demo0001/prospects?search={quote(what)}&limit=25"
                connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
                answer = connection.getresponse()
                body = answer.read()
                took.append((time.perf_counter() - began) * 1000)
                assert answer.status == 200, body
        connection.close()
    return found


def _tell(found: list[Found], searched: dict[str, list[float]], people: int, plot: bool) -> None:
    print(f"{'':12}" + "".join(f"{one.size.practices:>8,} practices" for one in found) + "    of the first, by turn")
    for name in NAMES:
        rates = "".join(f"{one.rate(name):>16,.0f}/s" for one in found)
        turns = " ".join(f"{share:.2f}" for share in found[-1].shares(name, found[0]))
        print(f"{name:12}{rates}{found[-1].share(name, found[0]):>14.2f}    {turns}")
    for share, title in ((0.5, "lag p50"), (0.95, "lag p95")):
        print(f"{title:12}" + "".join(f"{_at(one.lag_ms, share):>15,.0f} ms" for one in found))
    print(f"\nsearch among {people:,} people of one practice, ms including middleware and JSON")
    for what, took in searched.items():
        print(f"{what:24} p50 {_at(took, 0.5):>7.1f}   p95 {_at(took, 0.95):>7.1f}")
    if plot:
        sizes_told = [f"{one.size.practices:,}" for one in found]
        lines = [Line(name, [one.share(name, found[0]) for one in found]) for name in NAMES]
        most = found[-1].size
        subtitle = f"up to {most.patients:,} people, {most.visits:,} visits, {most.calls:,} logged calls"
        PLOT.write_text(
            draw("Rate by number of practices, as a share of that at 10", subtitle, sizes_told, lines, AIM_OF_RATE)
        )


def _at(sorted_or_not: list[float], share: float) -> float:
    return sorted(sorted_or_not)[min(len(sorted_or_not) - 1, int(share * len(sorted_or_not)))]


if __name__ == "__main__":
    main(sys.argv[1:])
