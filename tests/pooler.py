"""A PgBouncer in transaction mode before the tests' PostgreSQL, as an operator would run one."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from officepro.foundation.embedded import EmbeddedServer

PORT = 6432  # names the socket file; nothing listens on TCP
START_SECONDS = 20.0
CONFIGURATION = """
[databases]
* = host={server} port={server_port}

[pgbouncer]
unix_socket_dir = {directory}
listen_port = {port}
logfile = {directory}/pgbouncer.log
auth_type = trust
auth_file = {directory}/users
pool_mode = {pool_mode}
max_client_conn = 2000
default_pool_size = {pool_size}
query_wait_timeout = 30
{further}
"""


@dataclass(frozen=True)
class Pooler:
    directory: Path
    process: "subprocess.Popen[bytes]"

    def url(self, database: str, user: str = "officepro") -> str:
        return f"postgresql://{user}@/{database}?" + urlencode({"host": str(self.directory), "port": PORT}, safe="/")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(START_SECONDS)
        shutil.rmtree(self.directory, ignore_errors=True)


def start(
    server: EmbeddedServer,
    users: tuple[str, ...] = ("officepro",),
    *,
    pool_mode: str = "transaction",
    pool_size: int = 12,
    further: str = "",
) -> Pooler:
    """Stopped with `stop`, or else with this process."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "PgBouncer is missing; on Debian and Ubuntu, install the package pgbouncer."
    directory = Path(tempfile.mkdtemp(prefix="pgb", dir="/tmp"))  # a socket's path must be short
    host, port = server.socket_directory, server.url("postgres").rsplit("port=", 1)[1]
    (directory / "users").write_text("".join(f'"{user}" ""\n' for user in users))
    (directory / "pgbouncer.ini").write_text(
        CONFIGURATION.format(
            server=host, server_port=port, directory=directory, port=PORT, pool_mode=pool_mode, pool_size=pool_size,
            further=further,
        )
    )  # fmt: skip
    account = server.account
    if not account.is_ours:
        for path in (directory, *directory.iterdir()):
            os.chown(path, account.uid, account.gid)
    process = subprocess.Popen(
        [program, "-q", str(directory / "pgbouncer.ini")],
        user=None if account.is_ours else account.uid,
        group=None if account.is_ours else account.gid,
        extra_groups=None if account.is_ours else [],
        stdout=subprocess.DEVNULL,
        stderr=sys.stderr,
    )
    deadline = time.monotonic() + START_SECONDS
    while not (directory / f".s.PGSQL.{PORT}").exists():
        assert process.poll() is None, (directory / "pgbouncer.log").read_text()
        assert time.monotonic() < deadline, "PgBouncer does not start"
        time.sleep(0.02)
    return Pooler(directory, process)
