"""The client against real receivers on this machine: good, broken and hostile."""

import asyncio
import contextlib
import gzip
import socket
from pathlib import Path

import pytest
from aiohttp.client_proto import ResponseHandler

from officepro.foundation.outbound.client import MAXIMUM_REQUEST_BYTES, Answered, OutboundClient
from officepro.foundation.outbound.failures import (
    ConnectionRefused,
    ConnectionReset,
    InvalidUrl,
    OutboundError,
    ProtocolError,
    RequestTooLarge,
    ResponseTooLarge,
    TimedOut,
)
from tests.foundation.outbound.receivers import (
    ENDLESS,
    HEAD,
    OK,
    Behaviour,
    Receiver,
    hanging,
    outcome,
    receiving,
    repeating,
    resetting,
    saying,
)


async def test_a_request_carries_the_given_body_and_headers_and_little_else(client: OutboundClient) -> None:
    async with receiving(OK) as receiver:
        headers = {"Content-Type": "application/json", "X-OfficePro-Event": "patient.updated", "webhook-id": "evt_1"}
        answer = await client.post(receiver.url + "/a%2Fb?sig=x%2By%3D", b'{"a": 1}', headers)
    assert (answer.status, answer.body_excerpt, answer.headers) == (200, "ok", {})
    assert 0 <= answer.duration_ms <= 1000
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /hook/a%2Fb?sig=x%2By%3D HTTP/1.1"
    ours = {"Host", "User-Agent", "Accept", "Accept-Encoding", "Content-Length"}
    assert {line.partition(": ")[0] for line in lines} == {*headers, *ours}
    assert "Accept-Encoding: identity" in lines
    assert body == b'{"a": 1}'


@pytest.mark.parametrize("status", [204, 301, 302, 400, 404, 410, 429, 500, 503])
async def test_every_status_is_an_answer(client: OutboundClient, status: int) -> None:
    content = b"" if status == 204 else b"Content-Length: 4\r\n\r\nbody"
    async with receiving(saying(b"HTTP/1.1 %d Whatever\r\n" % status, content or b"\r\n")) as receiver:
        answer = await outcome(client, receiver.url)
    assert isinstance(answer, Answered)
    assert answer.status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(client: OutboundClient, status: int) -> None:
    async with receiving(OK) as inside:
        location = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, inside.url.encode())
        async with receiving(saying(location)) as receiver:
            answer = await outcome(client, receiver.url)
        assert isinstance(answer, Answered)
        assert answer.status == status
        assert inside.connections == 0
        assert isinstance(await outcome(client, inside.url), Answered)  # the control: it could have been reached


async def test_of_the_headers_only_those_of_use_are_kept_and_cut(client: OutboundClient) -> None:
    head = b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Type: %s\r\nSet-Cookie: a=b\r\nX-Other: c\r\n" % (
        b"t" * 999
    )
    async with receiving(saying(head, b"Content-Length: 0\r\n\r\n")) as receiver:
        answer = await client.post(receiver.url, b"{}", {})
        await client.post(receiver.url, b"{}", {})
    assert answer.headers == {"retry-after": "120", "content-type": "t" * 256}
    assert b"ookie" not in receiver.requests[1]


async def test_the_excerpt_is_text_that_a_database_takes(client: OutboundClient) -> None:
    content = b"a\0b\xff" + "€".encode() * 2000
    async with receiving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content), content)) as receiver:
        answer = await client.post(receiver.url, b"{}", {})
    assert answer.body_excerpt == "a\ufffdb\ufffd" + "€" * 1020


async def test_proxies_of_the_environment_are_ignored(client: OutboundClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(OK) as proxy, receiving(OK) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert isinstance(await outcome(client, receiver.url), Answered)
    assert (proxy.connections, receiver.connections) == (0, 1)


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (hanging, TimedOut),
        (repeating(b"", b"H", 0.05), ProtocolError),
        (repeating(HEAD, b"X-Drip: 1\r\n", 0.05), TimedOut),
        (repeating(ENDLESS, b"x", 0.05), TimedOut),
        (repeating(CHUNKED, b"1\r\nx\r\n", 0.05), TimedOut),
        (repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05), TimedOut),
        (resetting, ConnectionReset),
        (saying(then_close=True), ConnectionReset),
        (saying(HEAD, then_close=True), ConnectionReset),
        (saying(HEAD + b"Content-Length: 10\r\n\r\nx", then_close=True), ProtocolError),
        (saying(CHUNKED + b"5\r\nx", then_close=True), ProtocolError),
        (saying(CHUNKED + b"zz\r\nx\r\n"), ProtocolError),
        (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), ProtocolError),
        (saying(b"220 mail.example ESMTP\r\n"), ProtocolError),
        (saying(b"\0\x01\x02\x03" * 10), ProtocolError),
        (saying(b"HTTP/1.1 abc OK\r\n\r\n"), ProtocolError),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), ProtocolError),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), ProtocolError),
        (saying(b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n"), ProtocolError),
        (saying(HEAD + b"X: 1\r\n" * 1000 + b"\r\n"), ProtocolError),
        (repeating(HEAD, b"X-Long: " + b"x" * 1000 + b"\r\n"), ResponseTooLarge),
        (repeating(HEAD + b"X-Long: ", b"x" * 1000), ResponseTooLarge),
        (repeating(b"HTTP/1.1 200 ", b"x" * 1000), ResponseTooLarge),
        (repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40), ResponseTooLarge),
        (repeating(b"", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 40), ResponseTooLarge),
    ],
)
async def test_a_broken_or_hostile_receiver_fails_by_name(
    client: OutboundClient, behaviour: Behaviour, expected: type[OutboundError]
) -> None:
    async with receiving(behaviour) as receiver:
        failure = await outcome(client, receiver.url)
    assert type(failure) is expected
    assert str(failure).endswith(".")


BOMB = gzip.compress(b"\0" * 10_000_000)


@pytest.mark.parametrize(
    "behaviour",
    [
        repeating(ENDLESS, b"x" * 65536),
        repeating(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        repeating(CHUNKED, b"1\r\nx\r\n" * 1000),
        repeating(HEAD + b"\r\n", b"x" * 65536),
        repeating(
            HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n" % (len(BOMB), BOMB)
        ),
    ],
    ids=["long", "chunked", "tiny chunks", "until closed", "gzip bomb"],
)
async def test_of_an_endless_answer_the_status_counts_and_little_is_read(
    client: OutboundClient, behaviour: Behaviour
) -> None:
    async with receiving(behaviour) as receiver:
        answer = await outcome(client, receiver.url)
        async with asyncio.timeout(2):
            await receiver.finished.wait()  # the connection was closed
        # What the receiver could get rid of lies in the buffers of two kernels and its own; we took 16 KiB of it.
        assert receiver.bytes_sent < 8_000_000
    assert isinstance(answer, Answered)
    assert answer.status == 200
    assert len(answer.body_excerpt) == 1024 or "gzip" in repr(behaviour) or "\ufffd" in answer.body_excerpt


async def test_at_most_16_kib_are_parsed_of_an_answer(client: OutboundClient, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    parse = ResponseHandler.data_received

    def counting(self: ResponseHandler, data: bytes) -> None:
        parsed.append(len(data))
        parse(self, data)

    monkeypatch.setattr(ResponseHandler, "data_received", counting)
    async with receiving(repeating(ENDLESS, b"x" * 65536)) as receiver:
        await outcome(client, receiver.url)
    assert sum(parsed) == 16 * 1024


async def test_a_gzipped_answer_is_not_unpacked(client: OutboundClient) -> None:
    small = gzip.compress(b"\0" * 1_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(small)
    async with receiving(saying(head, small)) as receiver:
        answer = await client.post(receiver.url, b"{}", {})
    assert answer.body_excerpt.startswith("\x1f\ufffd")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts the open files by /proc")
async def test_a_receiver_that_never_reads_holds_no_socket_of_ours(client: OutboundClient) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with listener:
        open_before = open_files()
        body = b"x" * MAXIMUM_REQUEST_BYTES
        results = [await outcome(client, f"http://127.0.0.1:{listener.getsockname()[1]}/", body) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert [type(result) for result in results] == [TimedOut, TimedOut]
        assert open_files() == open_before


async def test_a_stream_on_an_idle_connection_is_cut_off(client: OutboundClient) -> None:
    more = b"HTTP/1.1 204 No Content\r\n\r\n" * 400
    async with receiving(repeating(HEAD + b"Content-Length: 0\r\n\r\n", more, 0.001)) as receiver:
        assert isinstance(await outcome(client, receiver.url), Answered)
        async with asyncio.timeout(2):
            await receiver.finished.wait()
        assert receiver.bytes_sent < 8_000_000


async def test_nobody_listening_is_refused(client: OutboundClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefused):
            await client.post(f"http://127.0.0.1:{unused.getsockname()[1]}/", b"{}", {})


async def test_a_silent_host_is_timed_out_while_connecting(client: OutboundClient) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), contextlib.ExitStack() as stack:
            for _ in range(2):  # the queue of connections is full: further ones get no answer
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
            assert type(await outcome(client, f"http://127.0.0.1:{port}/")) is TimedOut


async def test_our_own_body_is_bounded(client: OutboundClient) -> None:
    with pytest.raises(RequestTooLarge):
        await client.post("http://127.0.0.1:8/", b"x" * (MAXIMUM_REQUEST_BYTES + 1), {})


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\0b", "caf\u00e9"])
async def test_no_header_can_begin_another(client: OutboundClient, value: str) -> None:
    async with receiving(OK) as receiver:
        with pytest.raises(ValueError):
            await client.post(receiver.url, b"{}", {"X-Event": value})
    assert receiver.requests == []


async def test_a_bad_url_is_refused_before_anything_is_dialled(client: OutboundClient) -> None:
    with pytest.raises(InvalidUrl):
        await client.post("http://user@127.0.0.1/", b"{}", {})


async def test_connections_are_kept(client: OutboundClient) -> None:
    async with receiving(OK) as receiver:
        for _ in range(5):
            assert isinstance(await outcome(client, receiver.url), Answered)
    assert (receiver.connections, len(receiver.requests)) == (1, 5)


async def test_a_kept_connection_which_the_receiver_closes_is_replaced_and_the_request_repeated_once(
    client: OutboundClient,
) -> None:
    async def first_answer_then_hang_up(
        receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if len(receiver.requests) == 2:
            raise ConnectionResetError  # the second request of the first connection
        await receiver.send(writer, HEAD + b"Content-Length: 0\r\n\r\n")

    async with receiving(first_answer_then_hang_up) as receiver:
        answers = [await outcome(client, receiver.url) for _ in range(2)]
    assert all(isinstance(answer, Answered) for answer in answers)
    assert (receiver.connections, len(receiver.requests)) == (2, 3)


async def test_a_fresh_connection_that_is_reset_is_not_dialled_again(client: OutboundClient) -> None:
    async with receiving(resetting) as receiver:
        assert type(await outcome(client, receiver.url)) is ConnectionReset
    assert receiver.connections == 1


async def test_a_cancelled_request_is_cancelled_and_not_a_failure(client: OutboundClient) -> None:
    async with receiving(hanging) as receiver:
        task = asyncio.create_task(client.post(receiver.url, b"{}", {}))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
