"""The receivers in docs/webhooks.md, run unchanged: they verify signatures and deduplicate."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from officepro.webhooks.dispatcher import Dispatcher
from officepro.webhooks.sealing import Sealer
from tests.webhooks.acts import happen, recorded, sign_up
from tests.webhooks.receivers import Receiver
from tests.world import Office

DOCUMENT = Path(__file__).parents[2] / "docs" / "webhooks.md"
NODE = shutil.which("node")
# Without Node this test is skipped locally, but fails in CI.
needs_node = pytest.mark.skipif(NODE is None and not os.environ.get("CI"), reason="Node.js is not installed")


@contextmanager
def documented(language: str, command: list[str], folder: Path) -> Iterator[tuple[Receiver, "subprocess.Popen[str]"]]:
    """Run the documented receiver in its own process, with a fixed secret."""
    found = re.search(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    program = folder / "receiver"
    program.write_text(found[1])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = "whsec_" + "c2VjcmV0IG9mIHRoZSBkb2N1bWVudGVkIHJlY2VpdmVy"
    environment = {**os.environ, "PORT": str(port), "WEBHOOK_SECRET": secret}
    process = subprocess.Popen([*command, str(program)], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        wait_for(port)
        yield Receiver(url=f"http://127.0.0.1:{port}/officepro/webhooks", secret=secret), process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_for(port: int) -> None:
    """Wait until a local port accepts connections."""
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


async def drive(office: Office, receiver: Receiver, process: "subprocess.Popen[str]") -> None:
    """Send an event, a manual retry of it, a forged one, and one more event."""
    secret = receiver.secret
    made = await sign_up(office, receiver, ["Claims"])
    await share_secret(office, made["id"], secret)
    await happen(office)
    [first] = await recorded(office, 1)
    again = await office.house.admin.post(f"/v1/admin/webhooks/retry/{first['delivery_id']}")
    async with httpx.AsyncClient() as forger:
        forged = await forger.post(receiver.url, json={"event": "claim.paid", "eventId": "evt_forged", "data": {}})
    await happen(office, event="claim.denied")
    await recorded(office, 3)
    process.kill()

    assert process.stdout is not None
    assert [line.split(" ")[0] for line in process.stdout.read().splitlines()] == ["claim.paid", "claim.denied"]
    assert first["state"] == "delivered"
    assert again.json()["data"]["success"] is True
    assert forged.status_code == 401


async def share_secret(office: Office, subscription_id: int, secret: str) -> None:
    """Set the subscription's secret to that of the receiver."""
    from_settings = Sealer(office.house.settings.encryption_keys)
    await office.house.owner.execute(
        "UPDATE webhook_subscription SET secret = $2 WHERE subscription_id = $1",
        subscription_id,
        from_settings.seal(secret),
    )


async def test_the_receiver_in_python(demo_office: Office, running: Dispatcher, tmp_path: Path) -> None:
    with documented("python", [sys.executable], tmp_path) as (receiver, process):
        await drive(demo_office, receiver, process)


@needs_node
async def test_the_receiver_in_node(demo_office: Office, running: Dispatcher, tmp_path: Path) -> None:
    assert NODE is not None, "CI needs node for this test"
    with documented("javascript", [NODE], tmp_path) as (receiver, process):
        await drive(demo_office, receiver, process)
