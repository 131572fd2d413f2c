"""Every route × every kind of caller, generated from the route table; and that the matrix detects missing checks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from litestar import Litestar, Router, get
from litestar.types import Scope

from officepro import routes
from officepro.access.asked import TheCaller, TheDatabase
from officepro.access.guards import Requires, RequiresAdmin
from officepro.app import create_inner_app
from officepro.foundation.input import header_of
from officepro.foundation.parameters import PathId
from officepro.settings import Settings
from officepro.tags.queries import UnknownProspect
from tests.access.foreign import foreign_ids
from tests.access.matrix import matrix
from tests.conftest import alive
from tests.world import Office


async def test_nobody_comes_in_who_may_not_and_everybody_who_may(
    inner_app: Litestar, demo_office: Office, berlin_office: Office
) -> None:
    outcome = await matrix(inner_app, demo_office, berlin_office)

    print(outcome)  # noqa: T201 -- the counts are what it is run for
    assert outcome.faults == [], "\n".join(outcome.faults)
    assert outcome.routes > 100
    assert outcome.kinds > 40
    assert outcome.refused[401] > 2000
    assert outcome.refused[403] > 100
    assert outcome.let_in > 500


class AsleepAtTheDoor(Requires):
    """A guard that declares a scope, and authorizes every request."""

    async def admit(self, scope: Scope) -> None:
        return None


class OnlyLooksForTheHeader(RequiresAdmin):
    async def admit(self, scope: Scope) -> None:
        if header_of(scope, b"x-admin-secret") is None:
            await super().admit(scope)


class ForgetsThePractice(Requires):
    """A guard that accepts a partner's token of any practice."""

    async def admit(self, scope: Scope) -> None:
        scope["path_params"] = {}
        await super().admit(scope)


class ForgetsTheScope(Requires):
    async def admit(self, scope: Scope) -> None:
        await Requires(None).admit(scope)


class LocksEverybodyOut(Requires):
    async def admit(self, scope: Scope) -> None:
        await RequiresAdmin().admit(scope)


PLANTED: dict[str, Requires | RequiresAdmin] = {
    "does what it says": Requires("Tags"),
    "lets everybody in": AsleepAtTheDoor("Tags"),
    "lets any admin secret in": OnlyLooksForTheHeader(),
    "lets other practices in": ForgetsThePractice("Tags"),
    "lets other scopes in": ForgetsTheScope("Tags"),
    "lets nobody in": LocksEverybodyOut("Tags"),
}


@get("/", summary="Planted")
async def answer_anything() -> dict[str, str]:
    return {}


@asynccontextmanager
async def application_with(
    router: Router, settings: Settings, monkeypatch: pytest.MonkeyPatch, *, alone: bool = False
) -> AsyncIterator[Litestar]:
    monkeypatch.setattr(routes, "ROUTERS", [router] if alone else [*routes.ROUTERS, router])
    app = create_inner_app(settings)
    async with alive(app):
        yield app


@pytest.mark.parametrize("planted", PLANTED)
async def test_the_control_only_a_guard_that_does_not_do_what_it_says_is_found(
    planted: str,
    demo_office: Office,
    berlin_office: Office,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = Router("/v1/{practicepass:str}/planted", guards=[PLANTED[planted]], route_handlers=[answer_anything])
    async with application_with(router, settings, monkeypatch, alone=True) as app:
        outcome = await matrix(app, demo_office, berlin_office)

    found = [fault for fault in outcome.faults if "/planted" in fault]
    assert bool(found) == (planted != "does what it says"), found


async def test_an_id_of_another_practice_is_as_one_that_is_nobody_s(
    inner_app: Litestar, demo_office: Office, berlin_office: Office
) -> None:
    outcome = await foreign_ids(inner_app, demo_office, berlin_office)

    print(outcome)  # noqa: T201 -- the counts are what it is run for
    assert outcome.faults == [], "\n".join(outcome.faults)
    assert outcome.places >= 40
    assert outcome.absent > 20


def looks_people_up(sql: str) -> Router:
    """Return a route that reads a patient by the id in its path, by this SQL."""

    @get("/{patient_id:str}", summary="Planted", guards=[Requires("Prospects")])
    async def look_up(patient_id: PathId, caller: TheCaller, database: TheDatabase) -> dict[str, str]:
        async with database.practice(caller.practice_id) as db:
            name = await db.fetchval(sql, caller.practice_id, patient_id)
        if name is None:
            raise UnknownProspect
        return {"name": name}

    return Router("/v1/{practicepass:str}/planted", route_handlers=[look_up])


CAREFUL = "SELECT first_name FROM patient WHERE practice_id = $1 AND patient_id = $2"
CARELESS = "SELECT first_name FROM patient WHERE $1::bigint IS NOT NULL AND patient_id = $2"


@pytest.mark.parametrize(
    ("sql", "there_is_a_wall", "faults"),
    [(CAREFUL, True, 0), (CARELESS, True, 0), (CAREFUL, False, 0), (CARELESS, False, 3)],
    ids=["both walls", "the predicate is missing", "the wall is missing", "the control: both are missing"],
)
async def test_either_wall_alone_keeps_practices_apart_and_without_both_the_leak_is_found(
    sql: str,
    there_is_a_wall: bool,
    faults: int,
    demo_office: Office,
    berlin_office: Office,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = demo_office.house.owner
    if not there_is_a_wall:
        await owner.execute("ALTER TABLE patient DISABLE ROW LEVEL SECURITY")
    try:
        async with application_with(looks_people_up(sql), settings, monkeypatch, alone=True) as app:
            outcome = await foreign_ids(app, demo_office, berlin_office)
    finally:
        await owner.execute("ALTER TABLE patient ENABLE ROW LEVEL SECURITY")

    assert len(outcome.faults) == faults, outcome.faults
