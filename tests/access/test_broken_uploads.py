"""A client that closes its connection within a body, or sends invalid chunks, is not a failure of the service."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.instances import Connection, Instance, instances
from tests.world import Office

CHUNKED = "Transfer-Encoding: chunked\r\n"
UPLOADS: dict[str, tuple[str, bytes]] = {
    "closed within a body": ("Content-Length: 1000\r\n", b'{"FirstName": "Broken"'),
    "closed within a chunk": (CHUNKED, b"ff\r\n{"),
    "closed between chunks": (CHUNKED, b'16\r\n{"FirstName": "Broken"\r\n'),
    "no number of bytes": (CHUNKED, b'16\r\n{"FirstName": "Broken"\r\nzz\r\n'),
    "a chunk of another length": (CHUNKED, b'16\r\n{"FirstName": "Broken"}\r\n0\r\n\r\n'),
    "a chunk of more bytes than there are": (CHUNKED, b"ffffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
}


@pytest.fixture
async def instance(demo_office: Office, tmp_path: Path) -> AsyncIterator[Instance]:
    async with instances(demo_office.house.settings.but(workers="1"), tmp_path, 1) as [one]:
        yield one


async def test_broken_uploads_are_counted_as_the_client_s(demo_office: Office, instance: Instance) -> None:
    token, owner = await demo_office.token(), demo_office.house.owner
    for head, sent in UPLOADS.values():
        _, writer = await asyncio.open_connection("127.0.0.1", instance.port)
        request = f"POST {demo_office.path}/prospects HTTP/1.1\r\nHost: officepro.test\r\n{head}"
        writer.write(
            f"{request}Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\r\n".encode() + sent
        )
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()

    async with Connection.opened(instance.port) as connection, asyncio.timeout(20):
        statuses: list[int] = []
        while len(statuses) < len(UPLOADS) + 1:
            status, _ = await connection.get(f"{demo_office.path}/tags", token)
            assert status == 200
            rows = await owner.fetch(
                "SELECT status FROM request_log WHERE practice_id = $1 AND endpoint = '/v1/{PPass}/prospects'",
                demo_office.practice_id,
            )
            statuses = [row["status"] for row in rows]
            if len(statuses) == len(UPLOADS):
                break
            await asyncio.sleep(0.1)
    assert set(statuses) == {499}
    assert "internal_error" not in instance.log()
    assert not await owner.fetchval("SELECT count(*) FROM patient WHERE first_name = 'Broken'")
