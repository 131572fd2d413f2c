"""The backup drill: the operator's own scripts, on a PostgreSQL that was set up as docs/operating.md says.

A practice books. A dump is taken, then a base backup; it books on, and the moment is noted; it books some more, and
then somebody empties the table of visits. What comes back must be what had been acknowledged by the moment asked for.
"""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from officepro import app as application
from officepro.foundation import clock, embedded
from officepro.foundation.database import Database
from officepro.foundation.embedded import EmbeddedServer
from officepro.settings import Settings
from officepro.webhooks.fan_out import take_work
from tests.cli.command import officepro_with
from tests.conftest import ADMIN_SECRET, KEYS, alive
from tests.world import BASE_URL, House, Office, client, make_office

DEPLOY = Path(__file__).parents[2] / "deploy"
ARCHIVE_WITHIN_SECONDS = 30
RECOVER_WITHIN_SECONDS = 60
BOOKED_EACH = 4


@dataclass
class Site:
    """A server, and the folder whose scripts and backups its account may use."""

    folder: Path
    server: EmbeddedServer

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(
            {
                "OFFICEPRO_DATABASE_URL": self.server.url("officepro", user="officepro"),
                "OFFICEPRO_OWNER_DATABASE_URL": self.server.url("officepro", user="officepro_owner"),
                "OFFICEPRO_DATA_DIR": str(self.folder / "application"),
                "OFFICEPRO_ADMIN_SECRET": ADMIN_SECRET,
                "OFFICEPRO_TOKEN_KEYS": KEYS,
                "OFFICEPRO_ENCRYPTION_KEYS": KEYS,
                "OFFICEPRO_RATE_LIMIT_PER_MINUTE": "0",
            }
        )

    def run(
        self, *command: str, user: str = "postgres", fails: bool = False, both: bool = False, **variables: str
    ) -> str:
        """As the operator would: by the account that PostgreSQL works under, with its programs on the path; what it
        prints, or complains of where it fails."""
        account = self.server.account
        connection = {"PGHOST": str(self.server.socket_directory), "PGUSER": user, "PGDATABASE": "officepro"}
        done = subprocess.run(
            command,
            env={"PATH": f"{self.server.bin}:{os.environ['PATH']}", "LC_ALL": "C", **connection, **variables},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            user=None if account.is_ours else account.uid,
            group=None if account.is_ours else account.gid,
            extra_groups=None if account.is_ours else [],
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails and not both else done.stdout

    def script(self, name: str, *arguments: str, user: str = "officepro_backup", fails: bool = False) -> str:
        program = str(self.folder / "deploy" / "backup" / name)
        folder = str(self.folder / "backups")
        return self.run(program, *arguments, user=user, fails=fails, TEXTFILE_DIR=folder).strip()

    def sql(self, statement: str, database: str = "officepro") -> str:
        return self.run("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement).strip()

    def look(self, database: str = "officepro", *, fails: bool = False) -> str:
        """verify.sql, which an operator calls as officepro_backup."""
        script = str(self.folder / "deploy" / "backup" / "verify.sql")
        return self.run("psql", "-X", "-At", "-d", database, "-f", script, user="officepro_backup", fails=fails)

    def visits(self, database: str = "officepro") -> set[int]:
        return {int(number) for number in self.sql("SELECT visit_id FROM visit", database).split()}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[House]:
        """The API on this server, and the superuser's view behind it."""
        owner = await asyncpg.connect(self.server.url("officepro"))
        inner = application.create_inner_app(self.settings)
        try:
            async with alive(inner), House.open(application.enclose(inner), owner, self.settings) as house:
                yield house
        finally:
            await owner.close()

    def restored(self, name: str, base: str, moment: str) -> "Site":
        """Another server, brought to a moment, as the runbook says."""
        data = self.folder / name
        data.mkdir()
        _give(data, self.server)
        self.script("restore-to.sh", base, str(self.folder / "archive"), str(data / "postgres"), moment)
        site = Site(self.folder, embedded.start(data))
        deadline = time.monotonic() + RECOVER_WITHIN_SECONDS
        while site.sql("SELECT pg_is_in_recovery()", "postgres") == "t":
            assert time.monotonic() < deadline, "it does not come out of recovery"
            time.sleep(0.1)
        return site


@dataclass
class Drill:
    """What was booked when, and the backups that were made."""

    site: Site
    office: Office
    at_dump: set[int] = field(default_factory=set)
    until_moment: set[int] = field(default_factory=set)
    until_accident: set[int] = field(default_factory=set)
    dump: str = ""
    base: str = ""
    moment: str = ""
    last_log_id: int = 0  # the newest event that a partner has seen


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server as docs/operating.md has it made: prepare.sql, and WAL archived by archive-wal.sh."""
    folder = tmp_path_factory.mktemp("site")
    server = embedded.start(folder / "data")
    site = Site(folder, server)
    shutil.copytree(DEPLOY, folder / "deploy")
    for name in ("archive", "backups"):
        (folder / name).mkdir()
    for path in (folder, *folder.glob("deploy/**/*"), folder / "deploy", folder / "archive", folder / "backups"):
        _give(path, server)
    site.run(str(folder / "deploy" / "make-secrets.sh"), str(folder / "secrets"))
    for _ in range(2):  # it is safe to repeat
        site.run(
            str(folder / "deploy" / "postgres" / "prepare.sh"),
            SECRETS=str(folder / "secrets"),
            PREPARE_SQL=str(folder / "deploy" / "postgres" / "prepare.sql"),
        )
    site.sql("ALTER SYSTEM SET archive_mode = on", "postgres")
    archive = f"{folder}/deploy/backup/archive-wal.sh %p %f {folder}/archive"
    site.sql(f"ALTER SYSTEM SET archive_command = '{archive}'", "postgres")
    server.stop()
    embedded.start(folder / "data")
    yield site
    for data in ("data", "at-the-moment", "again", "without-the-archive"):
        if (running := embedded.running(folder / data)) is not None:
            running.stop()


@pytest.fixture(scope="module")
async def drill(site: Site) -> AsyncIterator[Drill]:
    migrated = await officepro_with(dict(site.settings.given), "migrate")
    assert migrated.exit_code == 0, migrated.err
    async with site.open() as house:
        office = await make_office(house, "DrillOffice", "America/New_York")
        await house.owner.execute("INSERT INTO dispatch_state (practice_id) VALUES ($1)", office.practice_id)
        drill = Drill(site, office)
        await fan_out(site, office)
        drill.at_dump = await book(office, 0)
        drill.dump = await asyncio.to_thread(site.script, "dump.sh", str(site.folder / "backups"))
        drill.base = await asyncio.to_thread(site.script, "base-backup.sh", str(site.folder / "backups"))
        drill.until_moment = drill.at_dump | await book(office, 1)
        drill.moment = await house.owner.fetchval("SELECT clock_timestamp()::text")
        await asyncio.sleep(0.05)
        drill.until_accident = drill.until_moment | await book(office, 2)
        drill.last_log_id = (await office.partner.get("/events")).json()["lastLogId"]
        assert drill.last_log_id == 3 * BOOKED_EACH
        await house.owner.execute("TRUNCATE visit CASCADE")
        await until_archived(house.owner)
        yield drill


async def book(office: Office, week: int) -> set[int]:
    """Visits that the API has acknowledged; each reading of the person beside is in the ledger."""
    today = clock.now().date()
    monday = today + timedelta(days=7 * (week + 1) - today.weekday())
    booked = set()
    for number in range(BOOKED_EACH):
        visit = {
            "PatientID": office.ada,
            "ProviderID": 1,
            "VisitType": "Consult",
            "VisitDate": monday.isoformat(),
            "VisitTime": f"{9 + number:02}:00:00",
            "VisitDuration": 30,
        }
        answer = await office.partner.post("/visits/book", json=visit)
        assert answer.status_code == 201, answer.text
        booked.add(answer.json()["data"]["VisitID"])
        assert (await office.partner.get(f"/prospects/{office.ada}")).status_code == 200
    return booked


async def until_archived(owner: asyncpg.Connection) -> None:
    """Everything written so far is in the archive."""
    wanted = await owner.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
    deadline = time.monotonic() + ARCHIVE_WITHIN_SECONDS
    while (await owner.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < wanted:
        assert time.monotonic() < deadline, await owner.fetchrow("SELECT * FROM pg_stat_archiver")
        await asyncio.sleep(0.1)


async def fan_out(site: Site, office: Office) -> None:
    """What a worker does with the practice's log."""
    database = await Database.connect(site.settings.database_url)
    try:
        async with database.system_transaction() as db:
            assert await take_work(db, office.practice_id, 1, lambda lane: 0) is not None
    finally:
        await database.close()


def _give(path: Path, server: EmbeddedServer) -> None:
    if not server.account.is_ours:
        os.chown(path, server.account.uid, server.account.gid)


def test_the_age_of_each_backup_is_left_for_node_exporter(drill: Drill) -> None:
    """For the alert OfficeproBackupTooOld."""
    for kind in ("base", "dump"):
        (line,) = (drill.site.folder / "backups" / f"officepro_backup_{kind}.prom").read_text().splitlines()
        name, _, seconds = line.partition(" ")
        assert name == f'officepro_backup_last_success_timestamp_seconds{{kind="{kind}"}}'
        assert abs(time.time() - int(seconds)) < 3600


async def test_the_moment_before_the_accident_comes_back_whole(drill: Drill) -> None:
    site = drill.site.restored("at-the-moment", drill.base, drill.moment)

    assert site.visits() == drill.until_moment
    assert f"|1|{len(drill.until_moment)}|{len(drill.until_moment)}|" in site.look()
    ledger = await officepro_with(dict(site.settings.given), "disclosure", "verify")
    assert ledger.exit_code == 0, ledger.err
    assert f"{drill.office.practicepass}: {2 * len(drill.until_moment)} rows, OK" in ledger.out
    assert site.sql("SHOW archive_mode") == "off"

    await numbers_go_on_beyond_the_lost_time(site, drill)
    await what_was_restored_is_restored_again(site, drill)


async def numbers_go_on_beyond_the_lost_time(site: Site, drill: Drill) -> None:
    """No number that a partner knows from the lost time is given to anything else, and no event hides behind one."""
    after = ["psql", "-X", "-f", str(site.folder / "deploy" / "backup" / "after-restore.sql")]
    assert "not fanned out yet" in site.run(*after, fails=True)
    await fan_out(site, drill.office)
    site.run(*after)
    site.run(*after)  # somebody is not sure whether it was done

    async with site.open() as house:
        office = await same_office(house, drill.office)
        booked = await book(office, 2)
        events = await pulled(office, drill.last_log_id)
    assert min(booked) > max(drill.until_accident)
    assert [event["data"]["VisitID"] for event in events] == sorted(booked)
    await fan_out(site, drill.office)
    assert "ERROR" not in site.look()


async def what_was_restored_is_restored_again(site: Site, drill: Drill) -> None:
    """The new base backup is of a server that was brought to a moment; `latest` must not mean that moment once more."""
    site.sql("ALTER SYSTEM SET archive_mode = on", "postgres")  # as the runbook says
    site.server.stop()
    embedded.start(drill.site.folder / "at-the-moment")
    base = await asyncio.to_thread(site.script, "base-backup.sh", str(site.folder / "backups"))
    async with site.open() as house:
        before = await house.owner.fetchval("SELECT clock_timestamp()")
        office = await same_office(house, drill.office)
        booked = await book(office, 3)
        await until_archived(house.owner)
    visits = site.visits()
    assert booked <= visits
    site.server.stop()

    again = drill.site.restored("again", base, "latest")
    assert again.visits() == visits
    restored_up_to = again.look().strip().rpartition("|")[2]
    assert datetime.fromisoformat(restored_up_to + ":00") > before
    again.server.stop()


async def pulled(office: Office, after: int) -> list[dict[str, Any]]:
    """What a partner pulls who goes on from the number that it had seen."""
    events: list[dict[str, Any]] = []
    while True:
        part = (await office.partner.get("/events", params={"after": after})).json()
        events += part["data"]
        if part["nextAfter"] >= part["lastLogId"]:
            return events
        after = part["nextAfter"]


async def same_office(house: House, office: Office) -> Office:
    """The partner of before, with the key of before."""
    again = Office(house, office.practice_id, office.practicepass, office.time_zone, office.keys)
    bearer = {"Authorization": f"Bearer {await again.token()}"}
    again.partner = client(house.app, BASE_URL + office.path, bearer)
    return again


def test_the_secrets_that_are_made_once_are_settings(site: Site) -> None:
    made = {file.name: file for file in (site.folder / "secrets").iterdir()}
    before = made["token_keys"].read_text()
    site.run(str(site.folder / "deploy" / "make-secrets.sh"), str(site.folder / "secrets"))
    assert made["token_keys"].read_text() == before

    names = ("database_url", "owner_database_url", "admin_secret", "token_keys", "encryption_keys")
    settings = Settings.from_environment({f"OFFICEPRO_{name.upper()}_FILE": str(made[name]) for name in names})
    password = made["application_password"].read_text()
    assert settings.database_url == f"postgresql://officepro:{password}@database/officepro"
    assert (site.folder / "secrets").stat().st_mode & 0o777 == 0o700


async def test_without_the_archive_only_the_base_backup_comes_back(drill: Drill) -> None:
    """The control: what came back above came out of the archived WAL."""
    archive = drill.site.folder / "archive"
    archive.rename(archive.with_name("archive-elsewhere"))
    archive.mkdir()
    _give(archive, drill.site.server)
    try:
        site = drill.site.restored("without-the-archive", drill.base, "latest")
        assert site.visits() == drill.at_dump
        site.server.stop()
    finally:
        archive.rmdir()
        archive.with_name("archive-elsewhere").rename(archive)


async def test_the_dump_comes_back_into_a_new_database(drill: Drill) -> None:
    told = drill.site.script("restore-dump.sh", drill.dump, "officepro_restored", user="postgres")

    assert drill.site.visits("officepro_restored") == drill.at_dump
    assert "newest_event" in told
    again = drill.site.script("restore-dump.sh", drill.dump, "officepro_restored", user="postgres", fails=True)
    assert "already exists" in again
    assert drill.site.visits("officepro_restored") == drill.at_dump

    hole = "DELETE FROM log WHERE log_id = 2"
    assert "1 events are missing after 1" in after(drill.site, hole)
    cut_off = f"DELETE FROM log WHERE log_id = {BOOKED_EACH}"
    assert f"1 events are missing after {BOOKED_EACH - 1}" in after(drill.site, cut_off)
    assert "were sent up to 99" in after(drill.site, "UPDATE dispatch_state SET last_log_id = 99")
    assert "takes time of its provider that is taken" in after(drill.site, OVERBOOKED)
    assert "stand still: they were sent up to 0, and the next event is <NULL>" in after(drill.site, STANDS_STILL)
    assert "is not validated yet" in after(drill.site, NOT_VALIDATED, fails=False)


OVERBOOKED = """
ALTER TABLE visit DROP CONSTRAINT visit_provider_free, DROP CONSTRAINT visit_room_free;
UPDATE visit SET (starts_at, ends_at, provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at) = (
    SELECT starts_at, ends_at, provider_starts_at, provider_ends_at, busy_starts_at, busy_ends_at
    FROM visit ORDER BY visit_id LIMIT 1)
"""


# What after-restore.sql did to a practice whose webhooks nobody had looked at yet.
STANDS_STILL = """
INSERT INTO practice (practicepass, name, time_zone) VALUES ('Quiet', 'Quiet', 'UTC');
INSERT INTO log_head (practice_id, last) SELECT practice_id, 50000 FROM practice WHERE practicepass = 'Quiet';
COMMENT ON TABLE log_head IS '[{"skip": 50000}]'
"""
NOT_VALIDATED = "ALTER TABLE visit ADD CONSTRAINT visit_notes_there CHECK (notes IS NOT NULL) NOT VALID"


def after(site: Site, damage: str, *, fails: bool = True) -> str:
    """What verify.sql says of the restored database after some damage, which is undone again."""
    script = str(site.folder / "deploy" / "backup" / "verify.sql")
    begun = ("psql", "-X", "-d", "officepro_restored", "-c", "BEGIN", "-c", damage)
    return site.run("sh", "-c", '"$@" 2>&1', "sh", *begun, "-f", script, fails=fails, both=True)


async def test_a_practice_whose_webhooks_were_never_looked_at_goes_on_after_a_restore(drill: Drill) -> None:
    """after-restore.sql makes its cursor before it moves the log's head."""
    site = drill.site
    script = str(site.folder / "deploy" / "backup" / "after-restore.sql")
    quiet = """
        INSERT INTO practice (practicepass, name, time_zone) VALUES ('Quiet', 'Quiet', 'UTC');
        INSERT INTO log_head (practice_id) SELECT practice_id FROM practice WHERE practicepass = 'Quiet';
        UPDATE dispatch_state SET last_log_id = (SELECT last FROM log_head h WHERE h.practice_id = d.practice_id)
        FROM dispatch_state d WHERE dispatch_state.practice_id = d.practice_id
    """
    moved = """
        SELECT last = 50000 AND last_log_id = 50000 FROM log_head JOIN dispatch_state USING (practice_id)
        JOIN practice USING (practice_id) WHERE practicepass = 'Quiet'
    """
    site.run("createdb", "--template=officepro_restored", "officepro_quiet")
    site.sql(quiet, "officepro_quiet")
    site.run("psql", "-X", "-d", "officepro_quiet", "-f", script)
    assert site.sql(moved, "officepro_quiet") == "t"
    assert "ERROR" not in site.look("officepro_quiet")


def test_what_fails_leaves_nothing_behind(drill: Drill) -> None:
    """A dump, a base backup and an archived file of which only a part could be written."""
    folder = drill.site.folder / "parts"
    folder.mkdir()
    _give(folder, drill.site.server)
    for script in ("dump.sh", "base-backup.sh"):
        half = f'PATH={folder}/bin:$PATH; export PATH; exec "$0" "$@"'
        programs = folder / "bin"
        programs.mkdir(exist_ok=True)
        for program, option in (("pg_dump", "--file="), ("pg_basebackup", "--pgdata=")):
            fake = programs / program
            fake.write_text(
                f'#!/bin/sh\nfor one; do case $one in {option}*) echo half >"${{one#{option}}}" ;; esac; done\n'
                "echo 'No space left on device' >&2\nexit 1\n"
            )
            fake.chmod(0o755)
        path = str(drill.site.folder / "deploy" / "backup" / script)
        said = drill.site.run("sh", "-c", half, path, str(folder), user="officepro_backup", fails=True)
        assert "No space left" in said
        assert sorted(path.name for path in folder.iterdir()) == ["bin"], script


def test_a_file_of_the_archive_is_never_written_over(site: Site) -> None:
    archive, source = site.folder / "archive", site.folder / "source"
    source.write_text("one")
    site.script("archive-wal.sh", str(source), "probe", str(archive))
    site.script("archive-wal.sh", str(source), "probe", str(archive))  # PostgreSQL may ask twice
    source.write_text("another")

    assert "is another" in site.script("archive-wal.sh", str(source), "probe", str(archive), fails=True)
    assert (archive / "probe").read_text() == "one"
    assert not list(archive.glob(".*"))


def test_nothing_is_restored_over_a_folder_that_holds_something(drill: Drill) -> None:
    there = str(drill.site.folder / "backups")
    arguments = (drill.base, str(drill.site.folder / "archive"), there, "latest")
    assert "is not empty" in drill.site.script("restore-to.sh", *arguments, fails=True)


def test_a_damaged_base_backup_is_not_restored(drill: Drill) -> None:
    damaged = drill.site.folder / "damaged"
    drill.site.run("cp", "-a", drill.base, str(damaged))
    drill.site.run("sh", "-c", f"echo x >> {damaged}/PG_VERSION")
    arguments = (str(damaged), str(drill.site.folder / "archive"), str(drill.site.folder / "new"), "latest")
    assert "PG_VERSION" in drill.site.script("restore-to.sh", *arguments, fails=True)
