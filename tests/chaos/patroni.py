"""A Patroni cluster of three PostgreSQL nodes on this machine, each of which can be killed. (docs/failover.md)

Programs: PostgreSQL from the embedded wheel, Patroni in its own environment, etcd from Debian. A real cluster has three
etcd nodes; one is enough here, since etcd does not fail.
"""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from officepro.foundation import embedded
from officepro.foundation.embedded import Account

DATABASE = "officepro"
SCOPE = "officepro"
SETTLE_SECONDS = 90.0
PATRONI = Path(__file__).parents[2] / ".patroni" / "bin" / "patroni"
ETCD = Path("/usr/bin/etcd")

# Settings recommended by docs/failover.md, with reasons.
TIMING = {
    "ttl": 20,
    "loop_wait": 10,
    "retry_timeout": 5,
    "primary_start_timeout": 0,
    "maximum_lag_on_failover": 1048576,
}
STRICTLY_SYNCHRONOUS = {"synchronous_mode": "quorum", "synchronous_mode_strict": True, "synchronous_node_count": 1}
# Half a second of bookings exceeds Patroni's default lag limit of a standby.
ASYNCHRONOUS = {"synchronous_mode": False, "maximum_lag_on_failover": 64 * 1024 * 1024}

PARAMETERS = {
    "max_connections": 100,
    "shared_buffers": "64MB",
    "wal_level": "replica",
    "hot_standby": "on",
    "synchronous_commit": "on",
    "deadlock_timeout": "100ms",
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_retrieve_retry_interval": "500ms",
    "tcp_user_timeout": "5s",
    "log_min_messages": "warning",
}


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing() -> list[Path]:
    """Return the required programs that are not installed."""
    return [program for program in (PATRONI, ETCD) if not program.exists()]


@dataclass
class Node:
    """One Patroni node with its PostgreSQL."""

    name: str
    folder: Path
    account: Account
    etcd_port: int
    port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    patroni: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Return the data folder."""
        return self.folder / "data"

    def start(self, replication: Mapping[str, Any]) -> None:
        """Start Patroni with the given replication settings."""
        configuration = self.folder / "patroni.json"  # JSON is YAML
        configuration.write_text(json.dumps(self._configuration(replication), indent=1))
        self.patroni = start(PATRONI, [str(configuration)], self.folder / "patroni.log", self.account)

    def _configuration(self, replication: Mapping[str, Any]) -> dict[str, Any]:
        address, api_address = f"127.0.0.1:{self.port}", f"127.0.0.1:{self.api_port}"
        trusted = ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
        return {
            "scope": SCOPE,
            "name": self.name,
            "restapi": {"listen": api_address, "connect_address": api_address},
            "etcd3": {"host": f"127.0.0.1:{self.etcd_port}"},
            "bootstrap": {
                "dcs": {
                    **TIMING,
                    **replication,
                    "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": PARAMETERS},
                },
                "initdb": ["data-checksums", {"encoding": "UTF8"}, {"locale": "C"}],
            },
            "postgresql": {
                "listen": address,
                "connect_address": address,
                "data_dir": str(self.data),
                "bin_dir": str(embedded._programs()),
                "pgpass": str(self.folder / "pgpass"),
                "pg_hba": trusted,
                "parameters": {"unix_socket_directories": ""},
                "authentication": {name: {"username": "postgres"} for name in ("superuser", "replication", "rewind")},
            },
        }

    def processes(self) -> list[int]:
        """Return the node's PostgreSQL processes, found by their working directory, the data folder."""
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.readlink(each / "cwd") == str(self.data):
                    found.append(int(each.name))
        return found

    def senders(self) -> list[int]:
        """Return the WAL sender processes."""
        found = []
        for process in self.processes():
            with suppress(OSError):
                if b"walsender" in Path(f"/proc/{process}/cmdline").read_bytes():
                    found.append(process)
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the node, Patroni first."""
        assert self.patroni is not None
        for process in (self.patroni.pid, *self.processes()):
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def cut_off(self) -> None:
        """Stop replication to the standbys."""
        for process in self.senders():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)

    def die(self) -> None:
        """Kill all processes of the node with SIGKILL."""
        self.signal(signal.SIGKILL)
        assert self.patroni is not None
        self.patroni.wait()
        self.patroni = None

    def hand_over(self) -> None:
        """Request a planned switchover, like `patronictl switchover`."""
        asked = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=60)
        try:
            asked.request("POST", "/switchover", json.dumps({"leader": self.name}))
            answer = asked.getresponse()
            assert answer.status == http.HTTPStatus.OK, answer.read()
        finally:
            asked.close()

    async def takes_writes(self) -> bool:
        """Return whether PostgreSQL accepts a read-write connection."""
        try:
            own = await asyncpg.connect(
                f"postgresql://postgres@127.0.0.1:{self.port}/postgres?target_session_attrs=read-write", timeout=1
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            return False
        await own.close(timeout=1)
        return True

    def is_primary(self) -> bool:
        """Return whether Patroni reports the node as primary."""
        return self._answers("/primary")

    def _answers(self, path: str) -> bool:
        asked = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=1)
        try:
            asked.request("GET", path)
            return asked.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asked.close()


@dataclass
class Cluster:
    """The nodes of the cluster and its replication settings."""

    nodes: list[Node]
    replication: Mapping[str, Any]

    @property
    def _addresses(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def url(self, user: str = "postgres", database: str = DATABASE) -> str:
        """Return a multi-host URL that connects to the primary."""
        return f"postgresql://{user}@{self._addresses}/{database}?target_session_attrs=read-write"

    async def primary(self) -> Node:
        """Return the node that reports itself as primary and accepts writes."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                for node in self.nodes:
                    if node.patroni is not None and await asyncio.to_thread(node.is_primary):
                        return node
                await asyncio.sleep(0.2)

    async def succeeded_at(self, former: Node) -> float:
        """Wait until another node accepts writes; return that time (monotonic)."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                for node in self.nodes:
                    if node is not former and await node.takes_writes():
                        return time.monotonic()
                await asyncio.sleep(0.1)

    async def whole(self) -> None:
        """Wait until both standbys stream, as quorum candidates if replication is synchronous."""
        wanted = {"quorum"} if self.replication["synchronous_mode"] else {"async"}
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                    owner = await asyncpg.connect(self.url(database="postgres"), timeout=3)
                    try:
                        rows = await owner.fetch("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")
                    finally:
                        await owner.close(timeout=2)
                    states = {row["sync_state"] for row in rows}
                    if len(rows) == len(self.nodes) - 1 and states == wanted:
                        return
                await asyncio.sleep(0.3)

    def revive(self) -> None:
        """Start the nodes that are down."""
        for node in self.nodes:
            if node.patroni is None:
                node.start(self.replication)


@asynccontextmanager
async def cluster(folder: Path, replication: Mapping[str, Any]) -> AsyncIterator[Cluster]:
    """Run etcd and three nodes; on exit kill them."""
    account = embedded._account_for(folder)
    if not account.is_ours:
        embedded._open_the_programs(account)
    for program in (PATRONI, (PATRONI.parent / "python").resolve()):
        embedded._open_the_way(program, account)
    etcd_port, peer_port = free_port(), free_port()
    nodes = [Node(name, folder / name, account, etcd_port) for name in ("db1", "db2", "db3")]
    for each in (folder, folder / "etcd", *(node.folder for node in nodes)):
        each.mkdir(mode=0o700, exist_ok=True)
        embedded._give(each, account)
        embedded._open_the_way(each, account)
    etcd = start(ETCD, etcd_arguments(folder / "etcd", etcd_port, peer_port), folder / "etcd.log", account)
    made = Cluster(nodes, replication)
    try:
        await answered(lambda: _listens(etcd_port))
        for node in nodes:
            node.start(replication)
        await made.primary()
        await made.whole()
        yield made
    finally:
        for node in nodes:
            if node.patroni is not None:
                node.signal(signal.SIGCONT)
                node.die()
        etcd.kill()
        etcd.wait()


def etcd_arguments(data: Path, port: int, peer_port: int) -> list[str]:
    """Return the command line arguments of a single-node etcd."""
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        *("--data-dir", str(data / "data"), "--name", "etcd", "--log-level", "error", "--logger", "zap"),
        *("--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer),
        *("--initial-advertise-peer-urls", peer, "--initial-cluster", f"etcd={peer}"),
    ]


def start(program: Path, arguments: list[str], log: Path, account: Account) -> subprocess.Popen[bytes]:
    """Start a program as the given account, with a clean environment and a log file."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    whose = {} if account.is_ours else {"user": account.uid, "group": account.gid, "extra_groups": ()}
    with log.open("ab") as output:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [program, *arguments],
            env=kept | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            **whose,  # type: ignore[call-overload]
        )
    return process


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


async def answered(question: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until a condition is true, at most `seconds`."""
    until = time.monotonic() + seconds
    while not await asyncio.to_thread(question):
        assert time.monotonic() < until, "it does not come up"
        await asyncio.sleep(0.1)
