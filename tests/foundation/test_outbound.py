"""The client against real receivers on this machine: good, broken and hostile."""

import asyncio
import contextlib
import datetime
import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.client_proto import ResponseHandler
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from officepro.foundation import outbound
from officepro.foundation.outbound import (
    Answered,
    ConnectionRefused,
    ConnectionReset,
    DnsLookupFailed,
    InvalidUrl,
    LookUp,
    OutboundClient,
    OutboundError,
    ProtocolError,
    RequestTooLarge,
    ResponseTooLarge,
    TimedOut,
    TlsFailed,
    check_destination,
    system_look_up,
)

LOCAL = [ip_network("127.0.0.0/8")]
DEADLINE_SECONDS = 0.4
SLACK_SECONDS = 0.4
Behaviour = Callable[["Receiver", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """An endpoint on 127.0.0.1 that reads each request and then behaves as it was told."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    bytes_sent: int = 0
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def read_request(self, reader: asyncio.StreamReader) -> bool:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        self.requests.append(head + await reader.readexactly(length))
        return True

    async def send(self, writer: asyncio.StreamWriter, content: bytes) -> None:
        writer.write(content)
        await writer.drain()
        self.bytes_sent += len(content)


@contextlib.asynccontextmanager
async def receiving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(task := asyncio.ensure_future(behave(reader, writer)))
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receiver.connections += 1
        try:
            while await receiver.read_request(reader):
                await behaviour(receiver, reader, writer)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            receiver.finished.set()
            writer.transport.abort()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def saying(*parts: bytes, then_close: bool = False) -> Behaviour:
    async def behave(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            await receiver.send(writer, part)
        if then_close:
            raise ConnectionResetError

    return behave


def repeating(start: bytes, part: bytes, pause_seconds: float = 0.0) -> Behaviour:
    """Sends `part` until the other side hangs up, or 40 MB have gone: far more than anybody should take."""

    async def behave(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await receiver.send(writer, start)
        while receiver.bytes_sent < 40_000_000:
            await receiver.send(writer, part)
            await asyncio.sleep(pause_seconds)

    return behave


async def resetting(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError


async def hanging(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


OK = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest_asyncio.fixture
async def client() -> AsyncIterator[OutboundClient]:
    async with OutboundClient(LOCAL, deadline_seconds=DEADLINE_SECONDS) as client:
        yield client


async def outcome(client: OutboundClient, url: str, body: bytes = b"{}") -> Answered | OutboundError:
    """What came of one request, after proof that it kept its deadline."""
    started = time.perf_counter()
    try:
        return await client.post(url, body, {"Content-Type": "application/json"})
    except OutboundError as error:
        return error
    finally:
        assert time.perf_counter() - started < DEADLINE_SECONDS + SLACK_SECONDS


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


HEAD = b"HTTP/1.1 200 OK\r\n"
ENDLESS = HEAD + b"Content-Length: 10000000000\r\n\r\n"
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
        body = b"x" * outbound.MAXIMUM_REQUEST_BYTES
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
        await client.post("http://127.0.0.1:8/", b"x" * (outbound.MAXIMUM_REQUEST_BYTES + 1), {})


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


# --- TLS


@dataclass(frozen=True)
class Authority:
    """A certificate authority of this test run, which signs certificates into `folder`."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def server(self, name: str, *, days: int = 1) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        alternative: x509.GeneralName
        try:
            alternative = x509.IPAddress(ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        builder = _certificate(name, self.certificate.subject, key, days)
        signed = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=False).sign(
            self.key, hashes.SHA256()
        )
        file = self.folder / f"{name}.{days}.pem"
        file.write_bytes(_pem(key) + signed.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.certificate.public_bytes(serialization.Encoding.PEM).decode())


def _certificate(
    name: str, issuer: x509.Name | None, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    start, end = sorted((now - datetime.timedelta(hours=1), now + datetime.timedelta(days=days)))
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _certificate("Test authority", None, key, 1)
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    return Authority(tmp_path_factory.mktemp("tls"), key, certificate)


async def at_localhost(host: str) -> list[str]:
    return ["127.0.0.1"]


def tls_client(tls: ssl.SSLContext | None, look_up: LookUp = at_localhost) -> OutboundClient:
    return OutboundClient(LOCAL, deadline_seconds=DEADLINE_SECONDS, look_up=look_up, tls=tls)


async def test_the_certificate_is_held_against_the_name_of_the_url(authority: Authority) -> None:
    async with (
        receiving(OK, authority.server("partner.example")) as receiver,
        tls_client(authority.trusted()) as client,
    ):
        answer = await outcome(client, f"https://partner.example:{receiver.port}/")
        other = await outcome(client, f"https://other.example:{receiver.port}/")
        literal = await outcome(client, f"https://127.0.0.1:{receiver.port}/")
    assert isinstance(answer, Answered)
    assert (type(other), type(literal)) == (TlsFailed, TlsFailed)
    assert "other.example" in str(other)
    assert len(receiver.requests) == 1


async def test_a_literal_has_its_own_certificate(authority: Authority) -> None:
    async with receiving(OK, authority.server("127.0.0.1")) as receiver, tls_client(authority.trusted()) as client:
        assert isinstance(await outcome(client, f"https://127.0.0.1:{receiver.port}/"), Answered)


async def test_an_expired_or_unknown_certificate_fails(authority: Authority) -> None:
    expired, valid = authority.server("partner.example", days=-1), authority.server("partner.example")
    async with receiving(OK, expired) as receiver, tls_client(authority.trusted()) as client:
        assert type(await outcome(client, f"https://partner.example:{receiver.port}/")) is TlsFailed
    async with receiving(OK, valid) as receiver, tls_client(None) as client:
        assert type(await outcome(client, f"https://partner.example:{receiver.port}/")) is TlsFailed
    assert receiver.requests == []


async def test_https_to_a_plain_server_is_a_failure_of_tls() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server, tls_client(None) as client:
        failure = await outcome(client, f"https://partner.example:{server.sockets[0].getsockname()[1]}/")
    assert type(failure) is TlsFailed


async def test_a_handshake_that_hangs_is_timed_out() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        async with tls_client(None) as client:
            failure = await outcome(client, f"https://partner.example:{listener.getsockname()[1]}/")
    assert type(failure) is TimedOut


@pytest.mark.parametrize("part", [b"x" * 65536, b"HTTP/1.1 100 Continue\r\n\r\n" * 1000])
async def test_the_budget_holds_under_tls(authority: Authority, part: bytes) -> None:
    start = ENDLESS if part[:1] == b"x" else b""
    server = authority.server("partner.example")
    async with receiving(repeating(start, part), server) as receiver, tls_client(authority.trusted()) as client:
        result = await outcome(client, f"https://partner.example:{receiver.port}/")
        async with asyncio.timeout(2):
            await receiver.finished.wait()
        assert receiver.bytes_sent < 8_000_000
    assert type(result) is (Answered if start else ResponseTooLarge)


# --- Names


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
    monkeypatch.setattr(outbound, "LOOKUP_SECONDS", 0.1)
    results = await asyncio.gather(*(outcome(client, "https://silent.example/") for _ in range(20)))
    again = await outcome(client, "https://silent.example/")
    release.set()
    assert {type(result) for result in (*results, again)} == {DnsLookupFailed}
    assert calls == ["silent.example"]
    await _no_lookups()


async def test_silent_name_servers_never_take_more_threads_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(10) and [])
    monkeypatch.setattr(outbound, "LOOKUP_SECONDS", 0.1)
    monkeypatch.setattr(outbound, "MAXIMUM_LOOKUPS", 5)
    before = threading.active_count()
    results = await asyncio.gather(*(system_look_up(f"{i}.example") for i in range(30)), return_exceptions=True)
    assert threading.active_count() - before == 5
    release.set()
    assert {type(result) for result in results} == {DnsLookupFailed}
    await _no_lookups()


async def _no_lookups() -> None:
    for _ in range(200):
        if not outbound._lookups:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a lookup is still under way")


async def test_a_silent_name_server_is_bound_by_the_deadline() -> None:
    async def silent(host: str) -> list[str]:
        await asyncio.sleep(60)
        return []

    async with OutboundClient(LOCAL, deadline_seconds=DEADLINE_SECONDS, look_up=silent) as client:
        assert type(await outcome(client, "https://silent.example/")) is TimedOut
