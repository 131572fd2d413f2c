"""A PostgreSQL of an operator's own: reached by TCP, with passwords (scram-sha-256), prepared by nobody yet."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from officepro.foundation import embedded
from officepro.foundation.embedded import EmbeddedServer
from tests.chaos.instances import free_port

ROOT = Path(__file__).parents[2]
HBA = """\
local all all trust
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""


@dataclass
class OwnPostgres:
    folder: Path  # where an operator works: deploy/ of this repository, and what the commands make
    server: EmbeddedServer
    port: int
    password: str  # of the superuser

    @property
    def environment(self) -> dict[str, str]:
        """An operator's terminal: psql is installed, and the superuser's password is in a file."""
        others = {name: text for name, text in os.environ.items() if not name.startswith(("OFFICEPRO_", "PG"))}
        passwords = self.folder / "pgpass"
        passwords.write_text(f"127.0.0.1:{self.port}:*:postgres:{self.password}\n")
        passwords.chmod(0o600)
        return others | {
            "PATH": f"{self.folder / 'bin'}:{self.server.bin}:{os.environ['PATH']}",
            "PGPORT": str(self.port),
            "PGPASSFILE": str(passwords),
            "LC_ALL": "C",
        }

    def shell(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """By the operator, in the working folder; ends at the first command that fails."""
        return subprocess.run(
            ["/bin/sh", "-euc", script],
            cwd=self.folder,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    def sql(self, statement: str, database: str = "postgres") -> str:
        """By the superuser."""
        command = ["psql", "-X", "-At", "-h", "127.0.0.1", "-U", "postgres", "-d", database, "-c", statement]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def own_postgres(folder: Path) -> Iterator[OwnPostgres]:
    (folder / "bin").mkdir()
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    server = embedded.start(folder / "data")
    password = secrets.token_urlsafe()
    try:
        _as_server(server, "psql", "-Xqc", f"ALTER ROLE postgres PASSWORD '{password}'", server.url("postgres"))
    finally:
        server.stop()
    (server.directory / "pg_hba.conf").write_text(HBA)
    port = free_port()
    options = f"-c listen_addresses=127.0.0.1 -c port={port}"
    log = str(server.directory / "start.log")
    _as_server(server, "pg_ctl", "start", "-w", "-s", "-D", str(server.directory), "-o", options, "-l", log)
    try:
        yield OwnPostgres(folder, server, port, password)
    finally:
        server.stop()


def _as_server(server: EmbeddedServer, program: str, *arguments: str) -> None:
    account = server.account
    subprocess.run(
        [server.bin / program, *arguments],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        user=None if account.is_ours else account.uid,
        group=None if account.is_ours else account.gid,
        extra_groups=None if account.is_ours else [],
    )
