"""The primary is found among several servers, in any position, although others do not respond."""

import asyncio
import time
from collections.abc import Callable

import pytest

from officepro.foundation.servers import HEAD_START_SECONDS, Reign, Servers, one_by_one

NAMED = "postgresql://officepro@one:1,two:2,three/officepro?target_session_attrs=primary&sslmode=require"


class Line:
    def __init__(self, url: str, reign: Reign | None) -> None:
        self.url = url
        self.reign = reign
        self.is_terminated = False

    def terminate(self) -> None:
        self.is_terminated = True


class Network:
    """Servers by name: `primary`, `standby`, `silent`, `slow` or `refusing`."""

    def __init__(self, **states: str) -> None:
        self.states = states
        self.asked: list[str] = []
        self.lines: list[Line] = []
        self.reigns: dict[str, Reign] = {}
        self.changes: list[Reign] = []
        named = "postgresql://officepro@" + ",".join(states) + "/officepro"
        self.servers: Servers[Line] = Servers(named, self.changes.append)

    async def connect(self, url: str) -> Line:
        name = url.split("@")[1].split("/")[0]
        self.asked.append(name)
        match self.states[name]:
            case "silent":
                await asyncio.sleep(3600)
            case "slow":
                await asyncio.sleep(HEAD_START_SECONDS * 1.2)
            case "standby":
                raise ConnectionRefusedError
            case "refusing":
                raise PermissionError if self.states.get("kind") else LookupError
        self.lines.append(Line(url, self.reigns.get(name)))
        return self.lines[-1]

    async def reached(self) -> str:
        async with asyncio.timeout(5):
            line = await self.servers.connected(self.connect)
        return line.url.split("@")[1].split("/")[0]


def test_a_url_of_several_servers_is_one_url_for_each() -> None:
    assert one_by_one(NAMED) == [
        "postgresql://officepro@one:1/officepro?target_session_attrs=primary&sslmode=require",
        "postgresql://officepro@two:2/officepro?target_session_attrs=primary&sslmode=require",
        "postgresql://officepro@three/officepro?target_session_attrs=primary&sslmode=require",
    ]


def test_among_several_the_one_that_takes_writes_is_meant() -> None:
    assert one_by_one("postgresql:///db?host=/run/one,/run/two&port=5432") == [
        "postgresql:///db?target_session_attrs=read-write&host=/run/one&port=5432",
        "postgresql:///db?target_session_attrs=read-write&host=/run/two&port=5432",
    ]


@pytest.mark.parametrize("url", ["postgresql://officepro:a%40b@db/officepro", "postgresql://u@/db?host=/run/pg&port=1"])
def test_a_url_of_one_server_stays_as_it_is(url: str) -> None:
    assert one_by_one(url) == [url]


async def test_a_primary_that_moved_is_found_and_asked_alone_from_then_on() -> None:
    network = Network(one="standby", two="silent", three="primary")

    assert await network.reached() == "three"
    network.asked.clear()
    assert await network.reached() == "three"
    assert network.asked == ["three"]

    network.states |= {"three": "standby", "one": "primary"}
    assert await network.reached() == "one"


async def test_a_silent_machine_costs_the_others_a_moment_only() -> None:
    network = Network(one="silent", two="primary")
    started = time.monotonic()

    assert await network.reached() == "two"
    assert HEAD_START_SECONDS <= time.monotonic() - started < HEAD_START_SECONDS + 1


async def test_one_that_comes_too_late_is_closed() -> None:
    network = Network(one="slow", two="primary")

    assert await network.reached() == "two"
    await asyncio.sleep(HEAD_START_SECONDS)
    assert [line.is_terminated for line in network.lines if "one" in line.url] in ([], [True])


@pytest.mark.parametrize("order", [reversed, list])
async def test_a_refusal_tells_more_than_silence(order: Callable[[list[str]], list[str]]) -> None:
    network = Network(**dict(zip(("one", "two"), order(["standby", "refusing"]), strict=True)))

    with pytest.raises(LookupError):
        await network.reached()


async def test_without_a_primary_there_is_no_connection() -> None:
    with pytest.raises(ConnectionRefusedError):
        await Network(one="standby", two="standby").reached()


OLD, NEW, OTHER = Reign(7, 1), Reign(7, 2), Reign(8, 1)


@pytest.mark.parametrize(
    ("one", "newest", "is_over"),
    [(OLD, NEW, True), (NEW, OLD, False), (OLD, OLD, False), (OTHER, NEW, False), (OLD, None, False)],
)
def test_a_reign_is_over_when_a_later_one_of_its_cluster_was_seen(
    one: Reign, newest: Reign | None, is_over: bool
) -> None:
    assert one.is_over(newest) == is_over


async def test_a_former_primary_is_not_believed_and_a_new_one_is_told() -> None:
    network = Network(one="primary", two="standby")
    network.reigns |= {"one": OLD, "two": NEW}
    assert await network.reached() == "one"
    assert network.changes == []

    network.states["two"] = "primary"  # both claim to be the primary
    found = await network.servers.look_elsewhere(network.connect)
    assert (found.reign, network.changes) == (NEW, [NEW])
    assert await network.reached() == "two"

    network.states["two"] = "standby"
    with pytest.raises(ConnectionRefusedError):
        await network.reached()
    assert network.lines[-1].is_terminated


async def test_one_server_alone_is_looked_at_again() -> None:
    """It may be a load balancer, behind which the primary moves."""
    network = Network(one="primary")
    network.reigns["one"] = OLD
    await network.reached()
    network.reigns["one"] = NEW

    await network.servers.look_elsewhere(network.connect)
    assert network.changes == [NEW]
