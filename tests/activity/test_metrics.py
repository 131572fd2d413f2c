"""What Prometheus is told: of all workers, by route template, and of nobody."""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from litestar import Litestar
from litestar.types import Scope
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from officepro import metrics
from officepro.activity.recorder import Done
from officepro.foundation.database import Database, DatabaseUnavailable
from officepro.foundation.wire import encode
from officepro.metrics import Account, Snapshot, Told
from officepro.settings import Settings
from officepro.webhooks.dispatcher import dispatcher
from officepro.webhooks.figures_queries import DispatchFigures
from tests.world import House, Office


async def scraped(house: House) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = await house.stranger.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parsed(answer.text)


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labels(**given: str) -> frozenset[tuple[str, str]]:
    return frozenset(given.items())


async def test_requests_are_counted_by_route_and_status(house: House, demo_office: Office) -> None:
    name, asked = "officepro_requests_total", labels(method="GET", route="/v1/{PPass}/tags", status="200")
    route = labels(method="GET", route="/v1/{PPass}/tags")
    before = await scraped(house)
    for _ in range(3):
        await demo_office.partner.get("/tags")

    after = await scraped(house)
    assert after[name, asked] - before.get((name, asked), 0) == 3
    count = "officepro_request_duration_seconds_count"
    assert after[count, route] - before.get((count, route), 0) == 3
    assert after["officepro_request_duration_seconds_sum", route] > 0
    everything = labels(method="GET", route="/v1/{PPass}/tags", le="+Inf")
    assert after["officepro_request_duration_seconds_bucket", everything] == after[count, route]


async def test_the_ledger_and_the_connections_are_told(house: House, demo_office: Office) -> None:
    before = await scraped(house)
    await demo_office.partner.get("/prospects")

    after = await scraped(house)
    rows = ("officepro_ledger_rows_total", labels())
    assert after[rows] - before[rows] == 1
    assert (
        after["officepro_ledger_write_seconds_total", labels()]
        > before["officepro_ledger_write_seconds_total", labels()]
    )
    assert after["officepro_ledger_waiting", labels()] == 0
    assert after["officepro_requests_in_flight", labels()] == 1  # the scrape itself
    assert after["officepro_workers", labels()] == 1
    most = after["officepro_database_connections", labels(role="application", state="most")]
    assert most == house.settings.database_pool_size
    for name in ("officepro_requests_shed_total", "officepro_request_log_given_up_total"):
        assert (name, labels()) in after


async def test_events_that_were_not_fanned_out_are_the_lag(
    house: House, inner_app: Litestar, demo_office: Office
) -> None:
    account: Account = inner_app.state.account
    await house.owner.execute("INSERT INTO dispatch_state (practice_id) VALUES ($1)", demo_office.practice_id)
    await account.read_database(inner_app.state.database)
    before = (await scraped(house))["officepro_fan_out_lag_events", labels()]
    await demo_office.partner.post("/prospects", json={"FirstName": "John"})
    await account.read_database(inner_app.state.database)

    after = await scraped(house)
    assert after["officepro_fan_out_lag_events", labels()] == before + 1
    assert after["officepro_fan_out_oldest_event_age_seconds", labels()] > 0


async def test_a_queued_delivery_has_an_age_while_its_endpoint_is_healthy(
    house: House, inner_app: Litestar, demo_office: Office
) -> None:
    account: Account = inner_app.state.account
    signed_up = await demo_office.partner_global.post(
        "/webhooks/signup", json={"hookUrl": "http://127.0.0.1:1234/never", "scopes": ["Claims"]}
    )
    assert signed_up.status_code == 201, signed_up.text
    subscription_id = signed_up.json()["data"]["id"]
    await house.owner.execute(
        """
        INSERT INTO webhook_delivery (practice_id, created_at, subscription_id, kind, event, event_id, log_id,
                                      occurred_at, hook_url, state)
        VALUES ($1, now() - interval '1 hour', $2, 'live', 'patient.created', 'evt_1', 1, now(), 'http://x', 'queued')
        """,
        demo_office.practice_id,
        subscription_id,
    )
    ages = {}
    for status, failing_since in (("active", None), ("paused", None), ("active", "now()")):
        await house.owner.execute(
            f"UPDATE webhook_subscription SET status = '{status}', failing_since = {failing_since or 'NULL'} "
            "WHERE subscription_id = $1",
            subscription_id,
        )
        await account.read_database(inner_app.state.database)
        ages[status, failing_since] = (await scraped(house))["officepro_deliveries_oldest_queued_age_seconds", labels()]

    await house.owner.execute("DELETE FROM webhook_delivery WHERE practice_id = $1", demo_office.practice_id)
    assert ages["active", None] >= 3600
    assert ages["paused", None] < 3600
    assert ages["active", "now()"] < 3600


async def test_a_worker_at_work_is_seen(house: House, inner_app: Litestar, settings: Settings) -> None:
    began = time.time()
    async with dispatcher(settings) as worker:
        await worker.round()
    await inner_app.state.account.read_database(inner_app.state.database)

    told = await scraped(house)
    assert told["officepro_worker_last_seen_timestamp_seconds", labels()] >= began - 1
    assert (
        "officepro_maintenance_runs_total",
        labels(maintenance_job="webhook_dispatch", outcome="succeeded"),
    ) not in told


async def test_a_scrape_does_not_wait_for_a_database_that_is_away(tmp_path: Path, inner_app: Litestar) -> None:
    """Its figures stay, and age."""
    account = Account(tmp_path)
    await account.read_database(inner_app.state.database)
    assert totals(account)["officepro_database_up", labels()] == 1
    known = {name for name, _ in totals(account)}
    blocked = asyncio.Event()

    class Away:
        def system(self) -> Any:
            raise DatabaseUnavailable

    class Frozen:
        @asynccontextmanager
        async def system(self) -> AsyncIterator[None]:
            await blocked.wait()
            yield

    await account.read_database(cast(Database, Away()))
    reading = asyncio.create_task(account.read_database(cast(Database, Frozen())))
    await asyncio.sleep(0)
    began = time.monotonic()
    told = totals(account)
    reading.cancel()

    assert time.monotonic() - began < 0.5
    assert told["officepro_database_up", labels()] == 0
    assert told["officepro_database_figures_age_seconds", labels()] > 0
    assert {name for name, _ in told} == known


async def test_addresses_and_methods_of_strangers_make_no_series(house: House) -> None:
    await house.stranger.get("/v1/Ada-Lovelace/nothing")
    await house.stranger.request("ADALOVELACE", "/nothing")

    text = (await house.stranger.get("/metrics")).text
    assert "lovelace" not in text.lower()
    assert 'route="(unknown)"' in text


def snapshot(calls: int, in_flight: int) -> Snapshot:
    bounds: list[int] = [calls] + [0] * len(metrics.BOUNDS_SECONDS)
    return Snapshot(
        [("GET", "/v1/me", 200, calls)],
        [("GET", "/v1/me", calls * 0.5, bounds)],
        {"shed": 1},
        {"in_flight": in_flight},
        {"application": (4, 3, 10)},
    )


def totals(account: Account) -> dict[Any, float]:
    registry = CollectorRegistry()
    registry.register(Told(account))
    return parsed(generate_latest(registry).decode())


def test_all_workers_are_added_up(tmp_path: Path) -> None:
    account = Account(tmp_path)
    metrics.begin_anew(tmp_path / "metrics")
    for worker in (1, 2):
        left = tmp_path / "metrics" / f"{os.getppid()}-{worker}.json"
        left.write_bytes(encode(snapshot(calls=10 * worker, in_flight=worker)))

    told = totals(account)

    assert told["officepro_requests_total", labels(method="GET", route="/v1/me", status="200")] == 30
    assert told["officepro_request_duration_seconds_sum", labels(method="GET", route="/v1/me")] == 15
    assert told["officepro_requests_in_flight", labels()] == 3
    assert told["officepro_requests_shed_total", labels()] == 2
    assert told["officepro_database_connections", labels(role="application", state="most")] == 20
    assert told["officepro_workers", labels()] == 2


def test_what_a_dead_worker_counted_stays_and_what_it_had_in_hand_goes(tmp_path: Path) -> None:
    account = Account(tmp_path)
    metrics.begin_anew(tmp_path / "metrics")
    left = tmp_path / "metrics" / f"{os.getppid()}-1.json"
    left.write_bytes(encode(snapshot(calls=10, in_flight=7)))
    long_ago = time.time() - 2 * metrics.STALE_SECONDS
    os.utime(left, (long_ago, long_ago))

    told = totals(account)

    assert told["officepro_requests_total", labels(method="GET", route="/v1/me", status="200")] == 10
    assert told["officepro_requests_in_flight", labels()] == 0
    assert told["officepro_workers", labels()] == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_file_that_is_none_is_passed_over(tmp_path: Path, content: bytes) -> None:
    account = Account(tmp_path)
    metrics.begin_anew(tmp_path / "metrics")
    (tmp_path / "metrics" / f"{os.getppid()}-1.json").write_bytes(content)

    assert len(account.of_all_workers()) == 1


def test_a_new_server_begins_anew(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    earlier, fellow = folder / "1-1.json", folder / f"{os.getppid()}-1.json"
    earlier.write_bytes(encode(snapshot(1, 1)))
    fellow.write_bytes(encode(snapshot(1, 1)))

    metrics.begin_anew(folder)

    assert (earlier.exists(), fellow.exists()) == (False, True)


async def test_a_slow_disk_holds_up_no_request(
    tmp_path: Path, inner_app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rename waits for the file system's journal, and that for what PostgreSQL makes safe on the same disk."""
    at_once, written = Path.replace, asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(file: Path, target: Path) -> Path:
        time.sleep(0.4)
        loop.call_soon_threadsafe(written.set)
        return at_once(file, target)

    account, longest = Account(tmp_path), 0.0
    monkeypatch.setattr(Path, "replace", slow)
    async with account.keeping(inner_app.state.database, inner_app.state.ledger):
        while not written.is_set():
            before = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - before)
        scope = cast(Scope, {"method": "GET", "path": "/healthz", "path_template": "/healthz"})
        account.note(Done(scope, 200, 0.001))

    assert longest < 0.3
    (left,) = (tmp_path / "metrics").glob("*.json")
    assert msgspec.json.decode(left.read_bytes(), type=Snapshot).calls == [("GET", "/healthz", 200, 1)]


async def test_the_dashboard_shows_figures_that_there_are(
    house: House, demo_office: Office, inner_app: Litestar
) -> None:
    inner_app.state.account.dispatch = DispatchFigures({"delivered": 9}, 4)
    dashboard = json.loads((Path(__file__).parents[2] / "docs" / "grafana-dashboard.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"officepro_\w+", target["expr"])
    }

    told = {name for name, _ in await scraped(house)}
    assert asked - told == set()
    assert len(asked) >= 15
