"""Name servers that know nothing, and name servers that say nothing."""

import asyncio
import socket
import threading
from ipaddress import ip_network

import pytest

from officepro.foundation.outbound import names
from officepro.foundation.outbound.client import OutboundClient
from officepro.foundation.outbound.failures import DnsLookupFailed, TimedOut
from officepro.foundation.outbound.names import check_destination, system_look_up
from tests.foundation.outbound.receivers import DEADLINE_SECONDS, LOCAL, outcome


async def test_the_system_resolves_names() -> None:
    assert "127.0.0.1" in await system_look_up("localhost")
    assert await check_destination("https://localhost/hook", [*LOCAL, ip_network("::1/128")])


async def test_a_name_that_is_not_found_has_its_own_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_found(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", not_found)
    with pytest.raises(DnsLookupFailed, match="Name or service not known"):
        await system_look_up("missing.example")
    assert not await check_destination("https://missing.example/hook")


async def test_a_silent_name_server_takes_one_thread_and_its_waiters_are_let_go(
    client: OutboundClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, calls = threading.Event(), []

    def silent(host: str, *_: object, **__: object) -> list[object]:
        calls.append(host)
        release.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    monkeypatch.setattr(names, "LOOKUP_SECONDS", 0.1)
    results = await asyncio.gather(*(outcome(client, "https://silent.example/") for _ in range(20)))
    again = await outcome(client, "https://silent.example/")
    release.set()
    assert {type(result) for result in (*results, again)} == {DnsLookupFailed}
    assert calls == ["silent.example"]
    await _no_lookups()


async def test_silent_name_servers_never_take_more_threads_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(10) and [])
    monkeypatch.setattr(names, "LOOKUP_SECONDS", 0.1)
    monkeypatch.setattr(names, "MAXIMUM_LOOKUPS", 5)
    before = threading.active_count()
    results = await asyncio.gather(*(system_look_up(f"{i}.example") for i in range(30)), return_exceptions=True)
    assert threading.active_count() - before == 5
    release.set()
    assert {type(result) for result in results} == {DnsLookupFailed}
    await _no_lookups()


async def _no_lookups() -> None:
    for _ in range(200):
        if not names._lookups:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a lookup is still under way")


async def test_a_silent_name_server_is_bound_by_the_deadline() -> None:
    async def silent(host: str) -> list[str]:
        await asyncio.sleep(60)
        return []

    async with OutboundClient(LOCAL, deadline_seconds=DEADLINE_SECONDS, look_up=silent) as client:
        assert type(await outcome(client, "https://silent.example/")) is TimedOut
