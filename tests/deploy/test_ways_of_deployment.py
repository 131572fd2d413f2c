"""Every documented way of deployment starts: the commands of the documents and the environments of the files, on a
PostgreSQL that is reached by TCP with passwords, with every secret in a file.

In each way the schema is migrated, API and worker start, a key is exchanged for a token, a visit is booked, and SIGTERM
ends both processes with exit code 0.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.chaos.instances import free_port
from tests.deploy import confined, quick_install, ways
from tests.deploy.image import Image
from tests.deploy.own_postgres import OwnPostgres, own_postgres
from tests.deploy.ways import ROOT, Started, Unit

PROGRAM = str(Path(sys.executable).parent / "officepro")
START_SECONDS = 60.0
STOP_SECONDS = 40.0
SECRETS = ("database_url", "owner_database_url", "admin_secret", "token_keys", "encryption_keys")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    with own_postgres(tmp_path_factory.mktemp("deployed")) as postgres:
        (postgres.folder / "bin" / "officepro").symlink_to(PROGRAM)
        yield postgres


@pytest.fixture(scope="module")
def readme(postgres: OwnPostgres) -> dict[str, str]:
    """The environment of an operator who has run README's commands up to `officepro serve`, as they are printed."""
    (block,) = ways.shell_blocks(ways.sections(ROOT / "README.md")["On a PostgreSQL of your own"])
    block = block.replace("secrets db.example.com", f"secrets 127.0.0.1:{postgres.port}")
    block = block.replace("PGHOST=db.example.com", "PGHOST=127.0.0.1")
    before, serve, after = block.partition("officepro serve")
    assert serve
    assert re.match(r"[^\n]*\nofficepro worker\b", after)
    done = postgres.shell(before + "\nenv -0 >environment")
    assert done.returncode == 0, done.stderr
    lines = (postgres.folder / "environment").read_text().split("\0")
    return {name: value for name, _, value in (line.partition("=") for line in lines if line)}


@pytest.fixture(scope="module")
def key(postgres: OwnPostgres, readme: dict[str, str]) -> str:
    """Of a partner of DemoOffice, which a command has made."""
    done = subprocess.run(
        [PROGRAM, "demo", "--json"], env=readme, cwd=postgres.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["apiKey"])


class Deployment:
    """Processes of one way, in a folder with their logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, name: str, started: Started, prefix: Sequence[str] = (PROGRAM,)) -> None:
        """To its end, which must be a good one."""
        process = self._popen(name, started, prefix)
        assert process.wait(START_SECONDS) == 0, self.log(name)

    def start(self, name: str, started: Started, prefix: Sequence[str] = (PROGRAM,)) -> None:
        self.processes[name] = self._popen(name, started, prefix)

    def _popen(self, name: str, started: Started, prefix: Sequence[str]) -> subprocess.Popen[bytes]:
        with open(self.folder / f"{name}.log", "wb") as log:
            return subprocess.Popen(
                [*prefix, *started.command],
                env=started.environment | {"OFFICEPRO_PORT": str(self.port)},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            for name, process in self.processes.items():
                assert process.poll() is None, self.log(name)
                assert "died" not in self.log(name), self.log(name)
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, "".join(map(self.log, self.processes))
            time.sleep(0.1)

    def environments(self) -> bytes:
        """Of every process of this deployment, as the kernel shows them."""
        found = b""
        for process in self.processes.values():
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            found += b"".join(Path(f"/proc/{pid}/environ").read_bytes() for pid in (process.pid, *children))
        return found

    def stop(self) -> dict[str, int]:
        """SIGTERM, and once more so that nobody waits for a balancer; answers the exit codes."""
        for again in (False, True):
            if again:
                time.sleep(0.3)
            for process in self.processes.values():
                if not again or process.poll() is None:
                    process.send_signal(signal.SIGTERM)
        return {name: process.wait(STOP_SECONDS) for name, process in self.processes.items()}

    def kill(self) -> None:
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def deployment(folder: Path) -> Iterator[Deployment]:
    started = Deployment(folder)
    try:
        yield started
    finally:
        started.kill()


def works(deployed: Deployment, postgres: OwnPostgres, key: str) -> None:
    """From the start of API and worker to their end."""
    deployed.wait_until_ready()
    for name in SECRETS:
        secret = (postgres.folder / "secrets" / name).read_text()
        assert secret.encode() not in deployed.environments()
    book(f"http://127.0.0.1:{deployed.port}/v1/DemoOffice", key)
    for name, process in deployed.processes.items():
        assert process.poll() is None, deployed.log(name)
    codes = deployed.stop()
    logs = {name: deployed.log(name) for name in codes}
    assert codes == dict.fromkeys(codes, 0), logs
    assert not any("Traceback" in log or '"error"' in log for log in logs.values()), logs


def book(base: str, key: str) -> None:
    """README's first booking."""
    answer = httpx.post(f"{base}/auth/token", json={"apiKey": key}, timeout=30)
    assert answer.status_code == 200, answer.text
    bearer = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
    with httpx.Client(base_url=base, headers=bearer, timeout=30) as partner:
        free = partner.get("/availability/next-slot?visitType=Consult&duration=30").json()["data"]["TheNextSlot"]
        person = {"FirstName": "John", "LastName": "Doe", "EMail": "john@example.com", "Phone": "555-0123"}
        made = partner.post("/prospects", json=person).json()["data"]
        booked = partner.post(
            "/visits/book",
            json={
                "PatientID": made["PatientID"],
                "ProviderID": int(free["ProviderID"]),
                "VisitType": "Consult",
                "VisitDate": free["Date"],
                "VisitTime": free["Time"],
                "VisitDuration": 30,
            },
        )
        assert booked.status_code == 201, booked.text


def test_the_commands_of_the_readme(postgres: OwnPostgres, readme: dict[str, str], key: str, tmp_path: Path) -> None:
    with deployment(tmp_path) as deployed:
        deployed.start("api", Started(["serve"], readme))
        deployed.start("worker", Started(["worker"], readme))
        works(deployed, postgres, key)


def mapped(postgres: OwnPostgres, started: Started, folder: Path) -> Started:
    """A container's process, whose mounts are folders of this test."""
    run = folder / "run"
    run.mkdir(exist_ok=True)
    places = {"/run/secrets": str(postgres.folder / "secrets"), "/run/officepro": str(run)}
    environment = {}
    for name, value in started.environment.items():
        for place, folder_here in places.items():
            value = value.replace(place, folder_here)
        environment[name] = value
    return Started(started.command, {"PATH": os.environ["PATH"]} | environment)


def probe(postgres: OwnPostgres, command: list[str], folder: Path) -> int:
    """The exit code of a container's probe."""
    here = mapped(postgres, Started([], {"": command[-1]}), folder).environment[""]
    return subprocess.run([*command[:-1], here], capture_output=True, check=False).returncode


def test_the_services_of_the_compose_file(postgres: OwnPostgres, key: str, tmp_path: Path) -> None:
    services = ways.compose_services()
    assert list(services["migrate"]["depends_on"]) == ["database"]
    assert (
        services["api"]["depends_on"]
        == services["worker"]["depends_on"]
        == {"migrate": {"condition": "service_completed_successfully"}}
    )
    started = {name: mapped(postgres, each, tmp_path) for name, each in ways.compose().items()}
    with deployment(tmp_path) as deployed:
        deployed.run("migrate", started["migrate"])
        deployed.start("api", started["api"])
        deployed.start("worker", started["worker"])
        works(deployed, postgres, key)


def test_the_pods_of_kubernetes(postgres: OwnPostgres, key: str, tmp_path: Path) -> None:
    started = {name: mapped(postgres, each, tmp_path) for name, each in ways.kubernetes().items()}
    with deployment(tmp_path) as deployed:
        deployed.run("migrate", started["officepro-migrate"])
        deployed.start("api", started["officepro-api"])
        deployed.start("worker", started["officepro-worker"])
        deployed.wait_until_ready()
        command = ways.probe_of_worker()
        assert probe(postgres, command, tmp_path) == 0
        deployed.processes["worker"].send_signal(signal.SIGSTOP)
        os.utime(tmp_path / "run" / "worker.alive", (time.time() - 90,) * 2)
        assert probe(postgres, command, tmp_path) == 1, "a worker that hangs"
        deployed.processes["worker"].send_signal(signal.SIGCONT)
        works(deployed, postgres, key)


@pytest.mark.parametrize(
    "is_quick",
    [True, pytest.param(False, marks=pytest.mark.chaos)],
    ids=["with packages that are here", "with packages that are fetched"],
)
def test_the_steps_of_the_image(
    postgres: OwnPostgres, readme: dict[str, str], key: str, tmp_path: Path, is_quick: bool
) -> None:
    commands = tmp_path / "commands"
    commands.mkdir()
    quick_install.write_commands(commands)
    image = Image(tmp_path / "image")
    image.root.mkdir()
    image.build(commands if is_quick else None)
    program = Path(image.mapped("/opt/officepro/bin/officepro"))
    assert Path(shutil.which(image.commands["ENTRYPOINT"][0], path=image.environment["PATH"]) or "") == program
    secrets = {name: value for name, value in readme.items() if name.startswith("OFFICEPRO_")}
    environment = image.environment | secrets
    with deployment(tmp_path) as deployed:
        deployed.run("migrate", Started(["migrate"], environment), [str(program)])
        deployed.start("api", Started(image.commands["CMD"], environment), [str(program)])
        deployed.start("worker", Started(["worker"], environment), [str(program)])
        deployed.wait_until_ready()
        python, option, script = image.commands["HEALTHCHECK"]
        command = [shutil.which(python, path=image.environment["PATH"]) or "", option]
        subprocess.run([*command, script.replace(":8000/", f":{deployed.port}/")], check=True)
        works(deployed, postgres, key)


@dataclass
class Host:
    """A host with systemd, whose folders are below `root`."""

    root: Path
    postgres: OwnPostgres

    def mapped(self, text: str) -> str:
        for place in ("/opt/officepro", "/etc/", "/usr/local/bin"):
            text = text.replace(place, f"{self.root}{place}")
        return text.replace("db.example.com", "127.0.0.1")

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """By root, in the folder of the version to install."""
        path = f"{self.root}/commands:{self.root}/usr/local/bin:{self.postgres.environment['PATH']}"
        return self.postgres.shell(f"cd {self.root}/checkout\n{self.mapped(script)}", PATH=path)


@pytest.fixture(scope="module")
def host(postgres: OwnPostgres, readme: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Host:
    """Installed by the commands of docs/operating.md, as they are printed. Its secrets are those of the database, which
    was prepared before: what is there stays as it is."""
    host = Host(tmp_path_factory.mktemp("host"), postgres)
    for name in ("commands", "etc/systemd/system", "usr/local/bin", "opt"):
        (host.root / name).mkdir(parents=True)
    quick_install.write_commands(host.root / "commands")
    (host.root / "commands" / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{host.root}/systemctl.log\n')
    (host.root / "commands" / "systemctl").chmod(0o755)
    for name in ("requirements", "src", "deploy", "docs"):
        shutil.copytree(ROOT / name, host.root / "checkout" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, host.root / "checkout")
    wrapper = host.root / "checkout" / "deploy" / "systemd" / "officepro-admin"
    wrapper.write_text(host.mapped(wrapper.read_text()))
    shutil.copytree(postgres.folder / "secrets", host.root / "etc" / "officepro" / "secrets")
    install, _ = ways.shell_blocks(ways.sections(ROOT / "docs" / "operating.md")["systemd"])
    done = host.shell(install)
    assert done.returncode == 0, done.stdout + done.stderr
    (host.root / "etc" / "officepro" / "officepro.env").write_text("# settings\nOFFICEPRO_WORKERS='1'\n")
    return host


def test_the_installation_on_a_host_with_systemd(host: Host, postgres: OwnPostgres) -> None:
    """The units are there and started, and commands find the secrets of the units."""
    units = {path.name for path in (host.root / "etc" / "systemd" / "system").iterdir()}
    assert units == {"officepro-api.service", "officepro-worker.service", "officepro-migrate.service"}
    calls = (host.root / "systemctl.log").read_text().splitlines()
    assert calls == [
        "daemon-reload",
        "start officepro-migrate",
        "enable --now officepro-api officepro-worker",
    ]
    assert (host.root / "opt" / "officepro" / "docs" / "operating.md").exists()
    done = host.shell("officepro migrate\nofficepro settings")
    assert done.returncode == 0, done.stderr

    _, first = ways.shell_blocks(ways.sections(ROOT / "docs" / "operating.md")["systemd"])
    partner = postgres.sql("SELECT coalesce(max(partner_id), 0) + 1 FROM partner", "officepro")
    done = host.shell(first.replace("--partner-id 1", f"--partner-id {partner}"))
    assert done.returncode == 0, done.stdout + done.stderr
    key_id = postgres.sql("SELECT max(api_key_id) FROM api_key", "officepro")
    done = host.shell(f"officepro key list\nofficepro key revoke {key_id}\nofficepro disclosure verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert postgres.sql(f"SELECT revoked_at IS NOT NULL FROM api_key WHERE api_key_id = {key_id}", "officepro") == "t"


def test_what_systemd_runs_is_not_run_by_hand(host: Host) -> None:
    for name in ("serve", "worker", "run"):
        done = host.shell(f"officepro {name}")
        assert (done.returncode, "systemctl start" in done.stderr) == (2, True)


def unit_started(host: Host, folder: Path, name: str) -> tuple[Started, list[str]]:
    """A unit's process with its credentials, its runtime directory and its file of settings, and the command that
    confines it as the unit says."""
    file = host.root / "etc" / "systemd" / "system" / f"{name}.service"
    unit = Unit(file)
    credentials, runtime = folder / f"{name}.credentials", folder / unit.one("RuntimeDirectory")
    credentials.mkdir(mode=0o700)
    runtime.mkdir(mode=int(unit.one("RuntimeDirectoryMode"), 8))
    for line in unit.all("LoadCredential"):
        credential, _, source = line.partition(":")
        copy = credentials / credential
        shutil.copy(host.mapped(source), copy)
        copy.chmod(0o400)
    environment = {
        variable: value.replace(f"/run/{runtime.name}", str(runtime))
        for variable, value in unit.environment(credentials).items()
    }
    settings = Path(host.mapped(unit.one("EnvironmentFile").removeprefix("-")))
    environment |= dict(re.findall(r"^(\w+)='(.*)'$", settings.read_text(), re.MULTILINE))
    program, *arguments = unit.one("ExecStart").split()
    return Started(arguments, environment), [sys.executable, confined.__file__, str(file), host.mapped(program)]


def test_the_units_of_systemd(host: Host, postgres: OwnPostgres, key: str, tmp_path: Path) -> None:
    with deployment(tmp_path) as deployed:
        deployed.run("migrate", *unit_started(host, tmp_path, "officepro-migrate"))
        deployed.start("api", *unit_started(host, tmp_path, "officepro-api"))
        deployed.start("worker", *unit_started(host, tmp_path, "officepro-worker"))
        for process in deployed.processes.values():
            wait_until_confined(process.pid)
        works(deployed, postgres, key)


def test_the_backup_of_the_compose_file(postgres: OwnPostgres, key: str) -> None:
    """The command of docs/operating.md, in the database's container: its mounts and its socket."""
    _, compose, *_ = ways.shell_blocks(ways.sections(ROOT / "docs" / "operating.md")["By way of deployment"])
    mounts = dict(volume.split(":")[:2][::-1] for volume in ways.compose_services()["database"]["volumes"])
    docker = f"""\
        #!/bin/sh
        test "$1 $2" = 'compose exec' || exit 2
        shift 2
        while [ "$1" = --env ]; do export "$2"; shift 2; done
        test "$1" = database || exit 2
        script={mounts["/officepro/backup"]}/${{2#/officepro/backup/}}
        PGHOST={postgres.server.socket_directory} exec "$script" {mounts["/backups"]}
    """
    (postgres.folder / "bin" / "docker").write_text(textwrap.dedent(docker))
    (postgres.folder / "bin" / "docker").chmod(0o755)
    done = postgres.shell(compose.replace("-o 999 -g 999 ", ""))
    assert done.returncode == 0, done.stderr
    (dump,) = (postgres.folder / "backups").glob("officepro-*.dump")
    assert "TABLE DATA public practice" in postgres.shell(f"pg_restore --list {dump}").stdout


def wait_until_confined(pid: int) -> None:
    """By a filter of seccomp, under which it goes on."""
    deadline = time.monotonic() + START_SECONDS
    while "Seccomp:\t2" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"SECRETS": "nowhere"}, "SECRETS names nowhere, which is not a folder"),
        ({"SECRETS": "deploy"}, "deploy/owner_password cannot be read: SECRETS must name the folder"),
        ({"SECRETS": "incomplete"}, "incomplete/application_password cannot be read"),
        ({"SECRETS": "emptied"}, "emptied/backup_password is empty"),
        ({"SECRETS": "secrets", "PREPARE_SQL": "deploy/prepare.sql"}, "PREPARE_SQL names deploy/prepare.sql"),
    ],
)
def test_a_server_is_not_prepared_without_its_passwords(
    postgres: OwnPostgres, readme: dict[str, str], variables: dict[str, str], why: str
) -> None:
    secrets = postgres.folder / "secrets"
    if not (incomplete := postgres.folder / "incomplete").exists():
        for folder in (incomplete, postgres.folder / "emptied"):
            folder.mkdir()
            shutil.copy(secrets / "owner_password", folder)
        for name in ("application_password", "backup_password"):
            (postgres.folder / "emptied" / name).write_text("" if name == "backup_password" else "password")
    before = postgres.sql("SELECT rolname, rolpassword FROM pg_authid ORDER BY rolname")

    given = {"PGHOST": "127.0.0.1", "PREPARE_SQL": "deploy/postgres/prepare.sql", **variables}
    done = postgres.shell("deploy/postgres/prepare.sh", **given)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert why in line
    assert line.endswith("nothing was changed") or "make-secrets.sh" in line
    assert postgres.sql("SELECT rolname, rolpassword FROM pg_authid ORDER BY rolname") == before


def test_an_empty_password_is_refused_by_the_sql_itself(postgres: OwnPostgres, readme: dict[str, str]) -> None:
    before = postgres.sql("SELECT rolname, rolpassword FROM pg_authid ORDER BY rolname")
    command = "psql -X -h 127.0.0.1 -U postgres -v owner_password= -v application_password=a -v backup_password=b"
    done = postgres.shell(f"{command} -f deploy/postgres/prepare.sql")
    assert done.returncode != 0
    assert "a password is empty; nothing was changed" in done.stderr
    assert postgres.sql("SELECT rolname, rolpassword FROM pg_authid ORDER BY rolname") == before


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("a system call of @privileged", "import os; os.chroot('/')"),
        ("one of @resources", "import os; os.sched_setaffinity(0, {0})"),
        ("an address family that is not listed", "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
        ("memory to write and execute", "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)"),
    ],
)
def test_the_restrictions_of_the_units_are_in_force(what: str, statement: str) -> None:
    """The control: what a unit forbids fails here."""
    unit = str(ROOT / "deploy" / "systemd" / "officepro-api.service")
    done = subprocess.run(
        [sys.executable, str(confined.__file__), unit, sys.executable, "-c", statement],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, what
    assert re.search("PermissionError|OSError", done.stderr), done.stderr
