"""No delivery reaches the inside: a corpus of addresses, each by every way on which a partner could lead us there.

Under test is a real client. Whatever address it dials, the event loop connects it to a sink on this machine, which
counts the connections that it accepts: so no packet leaves, and a hit is a hit even for an address nobody has here.
The control takes the walls down and sees every address hit.
"""

import asyncio
import asyncio.selector_events
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from officepro.foundation.outbound import addresses
from officepro.foundation.outbound.addresses import is_forbidden
from officepro.foundation.outbound.client import OutboundClient
from officepro.foundation.outbound.failures import DnsLookupFailed, ForbiddenAddress, InvalidUrl, OutboundError
from officepro.foundation.outbound.names import MAXIMUM_DIALLED_ADDRESSES, CheckedResolver, LookUp, check_destination
from officepro.foundation.outbound.urls import check_url

PUBLIC = ["8.8.8.8", "93.184.215.14", "192.0.1.1", "172.32.0.1", "100.128.0.1", "198.20.0.1", "223.255.255.254"]
PUBLIC += ["2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2400:cb00::1", "2001:4860:4860::8888"]

FORBIDDEN_IPV4 = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *("127.0.0.1", "127.0.0.53", "127.1.2.3", "127.255.255.255", "168.63.129.16", "169.254.0.1", "169.254.169.254"),
    *("169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1"),
    *("192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.254", "255.255.255.255"),
]
FORBIDDEN_IPV6 = [
    *("::", "::1", "::2", "::7f00:1", "::a00:1", "::808:808", "::ffff:7f00:1", "::ffff:a00:1", "::ffff:a9fe:a9fe"),
    *("::ffff:808:808", "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808"),
    *("64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::1", "2001:2::1", "2001:10::1", "2001:20::1"),
    *("2001:db8::1", "2002:7f00:1::1", "2002:a00:1::1", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1"),
    *("8000::1", "fc00::1", "fd00:ec2::254", "fd12:3456:789a::1", "fe80::1", "febf::1", "fec0::1", "feff::1"),
    *("ff02::1", "ff0e::1"),
]
FORBIDDEN = FORBIDDEN_IPV4 + FORBIDDEN_IPV6


@dataclass
class Sink:
    """Counts the connections that reach it, and closes them."""

    port: int = 0
    hits: int = 0
    dialled: list[str] = field(default_factory=list)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        writer.close()


@pytest_asyncio.fixture
async def sink(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sink]:
    sink = Sink()
    server = await asyncio.start_server(sink.accept, "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    loop = asyncio.selector_events.BaseSelectorEventLoop
    connect = loop.sock_connect

    async def connect_to_the_sink(
        self: asyncio.selector_events.BaseSelectorEventLoop, sock: socket.socket, address: tuple[str, int]
    ) -> None:
        sink.dialled.append(address[0])
        mapped = "::ffff:127.0.0.1" if sock.family is socket.AF_INET6 else "127.0.0.1"
        await connect(self, sock, (mapped, sink.port))

    monkeypatch.setattr(loop, "sock_connect", connect_to_the_sink)
    yield sink
    server.close()
    await server.wait_closed()


def answering(*answers: Sequence[str]) -> LookUp:
    """A name server that gives the answers in turn, and the last of them for ever."""
    left = list(answers)

    async def look_up(host: str) -> list[str]:
        return list(left.pop(0) if len(left) > 1 else left[0])

    return look_up


async def post(url: str, look_up: LookUp) -> None:
    async with OutboundClient(look_up=look_up, deadline_seconds=2) as client:
        await client.post(url, b"{}", {})


def literal_url(address: str) -> str:
    return f"https://[{address}]/hook" if ":" in address else f"https://{address}/hook"


async def as_a_literal(address: str) -> None:
    await post(literal_url(address), answering([]))


async def as_the_answer(address: str) -> None:
    await post("https://partner.example/hook", answering([address]))


async def as_one_answer_of_three(address: str) -> None:
    await post("https://partner.example/hook", answering(["8.8.8.8", "2606:4700:4700::1111", address]))


async def as_the_first_of_three(address: str) -> None:
    await post("https://partner.example/hook", answering([address, "8.8.8.8", "2606:4700:4700::1111"]))


async def after_sign_up(address: str) -> None:
    """Rebinding: public while the partner signs up, inside when the first delivery is due."""
    look_up = answering(["8.8.8.8"], [address])
    assert await check_destination("https://partner.example/hook", look_up=look_up)
    await post("https://partner.example/hook", look_up)


async def at_the_dial_alone(address: str) -> None:
    """As if a wrong answer had got past the resolver: the last wall must hold by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckedResolver, "resolve", _unchecked(address))
        await post("https://partner.example/hook", answering([address]))


def _unchecked(address: str) -> Callable[..., Awaitable[list[dict[str, object]]]]:
    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [{"hostname": host, "host": address, "port": port, "family": 0, "proto": 0, "flags": 0}]

    return resolve


WAYS = [as_a_literal, as_the_answer, as_one_answer_of_three, as_the_first_of_three, after_sign_up, at_the_dial_alone]
Way = Callable[[str], Awaitable[None]]


def test_the_corpus_has_some_sixty_addresses() -> None:
    assert len(FORBIDDEN) == len(set(FORBIDDEN)) >= 60


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("address", FORBIDDEN)
async def test_no_forbidden_address_is_dialled(sink: Sink, address: str, way: Way) -> None:
    with pytest.raises(ForbiddenAddress) as refusal:
        await way(address)
    assert refusal.value.code == "forbidden_address"
    assert address in str(refusal.value)
    assert (sink.dialled, sink.hits) == ([], 0)


@pytest.mark.parametrize("way", WAYS)
async def test_the_control_hits_the_sink_when_the_walls_are_down(
    sink: Sink, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "refuse_forbidden", lambda *_: None)
    for address in FORBIDDEN:
        sink.dialled.clear()
        hits = sink.hits
        with contextlib.suppress(OutboundError):  # the sink closes without an answer
            await way(address)
        assert (address in sink.dialled) or way is as_one_answer_of_three
        assert sink.hits > hits


@pytest.mark.parametrize("address", PUBLIC)
async def test_a_public_address_is_dialled(sink: Sink, address: str) -> None:
    for way in (as_a_literal, as_the_answer):
        with pytest.raises(OutboundError) as failure:
            await way(address)
        assert failure.value.code == "connection_reset"  # the sink was reached, and hung up
    assert sink.dialled == [address, address]


async def test_the_checked_address_is_the_one_that_is_dialled(sink: Sink) -> None:
    """Rebinding between check and connect: there is one lookup, so there is nothing to rebind."""
    asked: list[str] = []

    async def look_up(host: str) -> list[str]:
        asked.append(host)
        return ["8.8.8.8"] if len(asked) == 1 else ["127.0.0.1"]

    with pytest.raises(OutboundError):
        await post("https://partner.example/hook", look_up)
    assert asked == ["partner.example"]
    assert sink.dialled == ["8.8.8.8"]


async def test_a_name_with_hundreds_of_addresses_has_few_of_them_dialled(sink: Sink) -> None:
    with pytest.raises(OutboundError):
        await post("https://partner.example/hook", answering([f"8.8.{i}.8" for i in range(200)]))
    assert len(sink.dialled) <= MAXIMUM_DIALLED_ADDRESSES


@pytest.mark.parametrize("answer", [[], None])
async def test_a_name_without_an_address_has_its_own_failure(sink: Sink, answer: list[str] | None) -> None:
    async def look_up(host: str) -> list[str]:
        if answer is None:
            raise DnsLookupFailed("The host name was not found.")
        return answer

    with pytest.raises(DnsLookupFailed):
        await post("https://partner.example/hook", look_up)
    assert not await check_destination("https://partner.example/hook", look_up=look_up)
    assert sink.hits == 0


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_sign_up_refuses_what_resolves_to_a_forbidden_address(address: str) -> None:
    for answers in ([address], ["8.8.8.8", address]):
        with pytest.raises(ForbiddenAddress, match="not a public address"):
            await check_destination("https://partner.example/hook", look_up=answering(answers))
    with pytest.raises(ForbiddenAddress, match="not a public address"):
        check_url(literal_url(address))


@pytest.mark.parametrize(
    ("network", "address", "reachable"),
    [
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.0/8", "::ffff:127.0.0.1", True),
        ("127.0.0.0/8", "64:ff9b::127.0.0.1", True),
        ("127.0.0.0/8", "2002:7f00:1::1", True),
        ("127.0.0.0/8", "::1", False),
        ("127.0.0.0/8", "10.0.0.1", False),
        ("127.0.0.0/8", "::ffff:10.0.0.1", False),
        ("127.0.0.0/8", "::ffff:8.8.8.8", False),
        ("0.0.0.0/8", "::1", False),
        ("::1/128", "::1", True),
        ("::1/128", "127.0.0.1", False),
        ("fd00::/8", "fd12::1", True),
        ("fd00::/8", "fc00::1", False),
    ],
)
def test_settings_open_exactly_the_networks_they_name(network: str, address: str, reachable: bool) -> None:
    assert (is_forbidden(address, [ip_network(network)]) is None) is reachable


def test_an_address_with_a_zone_is_refused_even_in_an_allowed_network() -> None:
    assert is_forbidden("fe80::1%eth0", [ip_network("fe80::/10")]) == "an address with a zone"


@given(st.ip_addresses(v=6))
def test_beyond_global_unicast_there_is_no_public_ipv6_address(address: object) -> None:
    assert is_forbidden(str(address)) is not None or str(address)[0] in "23"


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_what_the_registry_calls_special_is_never_public(address: object) -> None:
    from_registry = ip_address(str(address))
    assert from_registry.is_global or is_forbidden(from_registry) is not None


PLAIN = [ip_network("127.0.0.0/8")]


async def test_plain_http_reaches_only_the_networks_of_the_settings(sink: Sink) -> None:
    with pytest.raises(InvalidUrl, match="https"):
        check_url("http://partner.example/hook")
    with pytest.raises(ForbiddenAddress, match="plain http"):
        check_url("http://8.8.8.8/hook", PLAIN)
    with pytest.raises(ForbiddenAddress, match="plain http"):
        await check_destination("http://partner.example/hook", PLAIN, answering(["8.8.8.8"]))
    async with OutboundClient(PLAIN, look_up=answering(["8.8.8.8"])) as client:
        with pytest.raises(ForbiddenAddress, match="plain http"):
            await client.post("http://partner.example/hook", b"{}", {})
    assert sink.dialled == []


ODD_SPELLINGS = [
    *("2130706433", "0x7f000001", "0x7f.1", "0x7F.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1"),
    *("127.0.0.01", "127.0.0.1.", "1", "0", "0x", "0x0", "127.0.0.256", "127.0.0.1.2", "1.2.3", "00.0.0.0"),
    *("partner.example.1", "partner.0x1", "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1"),
]


@pytest.mark.parametrize("host", ODD_SPELLINGS)
async def test_an_ipv4_address_in_an_odd_spelling_is_refused(sink: Sink, host: str) -> None:
    for url in (f"https://{host}/hook", f"http://{host}/hook", f"https://{host}:8443/"):
        with pytest.raises(InvalidUrl) as refusal:
            check_url(url, PLAIN)
        assert refusal.value.code == "invalid_url"
        async with OutboundClient(PLAIN) as client:
            with pytest.raises(InvalidUrl):
                await client.post(url, b"{}", {})
    assert sink.dialled == []
