"""The client's address behind proxies, in every form that they write."""

import logging
from ipaddress import ip_address

import httpx
import pytest
from litestar.types import Receive, Scope, Send

from officepro.access.client_address import parse
from officepro.door import Door
from officepro.settings import Settings

PROXIES = "10.0.0.0/8, ::ffff:192.0.2.0/120, 2001:db8:1::/48"


async def address(peer: str, *forwarded: str, proxies: str = PROXIES) -> str:
    """Return the address of a request of this peer with these headers."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["address"])  # type: ignore[typeddict-item]
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    settings = Settings.from_environment({"OFFICEPRO_TRUSTED_PROXIES": proxies})
    door = Door(app, trusted_proxies=settings.trusted_proxies)
    transport = httpx.ASGITransport(app=door, client=(peer, 50_000))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://officepro.test") as client:
        await client.get("/", headers=[("X-Forwarded-For", value) for value in forwarded])
    return seen[0]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.5", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", ["198.51.100.7:50123"], "198.51.100.7"),
        ("10.0.0.5", [" 198.51.100.7 : 50123"], "10.0.0.5"),  # not a form of an address
        ("10.0.0.5", ["2001:db8:9::7"], "2001:db8:9::7"),
        ("10.0.0.5", ["[2001:db8:9::7]"], "2001:db8:9::7"),
        ("10.0.0.5", ["[2001:db8:9::7]:50123"], "2001:db8:9::7"),
        ("10.0.0.5", ["2001:DB8:9:0:0::7"], "2001:db8:9::7"),
        ("10.0.0.5", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", ["[::ffff:198.51.100.7]:50123"], "198.51.100.7"),
        ("10.0.0.5", ["\t198.51.100.7 ,  10.1.1.1 "], "198.51.100.7"),
        ("10.0.0.5", ["203.0.113.9, 198.51.100.7:1, 10.1.1.1:2"], "198.51.100.7"),
        ("10.0.0.5", ["203.0.113.9", "198.51.100.7", "10.1.1.1"], "198.51.100.7"),
        ("10.0.0.5", ["198.51.100.7,, ,"], "198.51.100.7"),
        ("10.0.0.5", ["198.51.100.7, unknown"], "10.0.0.5"),
        ("10.0.0.5", ["unknown, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", [""], "10.0.0.5"),
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["1" * 5000], "10.0.0.5"),
        ("10.0.0.5", ["198.51.100.7:999999"], "10.0.0.5"),
        ("::ffff:10.0.0.5", ["198.51.100.7"], "198.51.100.7"),
        ("::ffff:10.0.0.5", [], "10.0.0.5"),
        ("192.0.2.7", ["198.51.100.7"], "198.51.100.7"),  # the network is given as IPv4-mapped
        ("::ffff:192.0.2.7", ["198.51.100.7"], "198.51.100.7"),
        ("2001:db8:1::5", ["198.51.100.7"], "198.51.100.7"),
        ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),
        ("unix:socket", ["198.51.100.7"], "unix:socket"),
        ("fe80::1%eth0", [], "fe80::1%eth0"),
    ],
)
async def test_the_address_is_the_last_that_is_not_a_trusted_proxy(
    peer: str, forwarded: list[str], expected: str
) -> None:
    assert await address(peer, *forwarded) == expected


@pytest.mark.parametrize("text", ["", "a", "1.2.3", "[::1", "::1]", "[]:80", "1.2.3.4:", "[1.2.3.4]x", "x" * 100])
def test_what_is_no_address_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_port_needs_brackets_with_ipv6() -> None:
    assert parse("2001:db8::7:80") == ip_address("2001:db8::7:80")


async def test_a_proxy_that_is_not_named_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    caplog.set_level(logging.WARNING, "officepro")
    door = Door(app)
    for peer, headers in (
        ("10.0.0.4", {}),
        ("10.0.0.5", {"X-Forwarded-For": "198.51.100.7"}),
        ("10.0.0.6", {"X-Forwarded-For": "198.51.100.8"}),
    ):
        transport = httpx.ASGITransport(app=door, client=(peer, 50_000))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://officepro.test") as client:
            await client.get("/", headers=headers)

    [line] = [record for record in caplog.records if "X-Forwarded-For" in record.getMessage()]
    assert "OFFICEPRO_TRUSTED_PROXIES" in line.getMessage()
    assert vars(line)["peer"] == "10.0.0.5"
