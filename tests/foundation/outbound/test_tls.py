"""Certificates are held against the name of the URL, and the walls hold under TLS too."""

import asyncio
import datetime
import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from officepro.foundation.outbound.client import Answered, OutboundClient
from officepro.foundation.outbound.failures import ResponseTooLarge, TimedOut, TlsFailed
from officepro.foundation.outbound.names import LookUp
from tests.foundation.outbound.receivers import DEADLINE_SECONDS, ENDLESS, LOCAL, OK, outcome, receiving, repeating


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
