"""Key states are queried in batches, and refreshed before they expire as long as they are in use."""

import asyncio
from types import SimpleNamespace

import pytest

from officepro.access import key_states, queries
from officepro.access.key_states import KEY_STATE_SECONDS, SOON_SECONDS, KeyStates, Pair
from officepro.access.queries import KeyState
from officepro.foundation.database import Connection, Database
from tests.world import Office


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[set[Pair]]:
    """Record the arguments of each statement."""
    sent: list[set[Pair]] = []
    really = queries.key_states

    async def noted(db: Connection, pairs: list[Pair]) -> dict[Pair, KeyState]:
        sent.append(set(pairs))
        return await really(db, pairs)

    monkeypatch.setattr(queries, "key_states", noted)
    return sent


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(at=1000.0)
    monkeypatch.setattr(key_states, "time", SimpleNamespace(monotonic=lambda: clock.at))
    return clock


async def pairs_of(*offices: Office) -> list[Pair]:
    """Return a key of each practice, in its own and in the other practice."""
    rows = await offices[0].house.owner.fetch(
        "SELECT min(api_key_id) AS key, practice_id FROM api_key WHERE practice_id = ANY ($1) GROUP BY 2 ORDER BY 2",
        [office.practice_id for office in offices],
    )
    return [(row["key"], office.practice_id) for row in rows for office in offices]


async def test_those_who_come_at_the_same_moment_are_asked_for_together_and_each_is_told_of_its_own(
    demo_office: Office, berlin_office: Office, straight_database: Database, asked: list[set[Pair]]
) -> None:
    pairs = await pairs_of(demo_office, berlin_office)
    states = KeyStates(straight_database)

    told = await asyncio.gather(*(states.of(*pair) for pair in [*pairs, (2**62, demo_office.practice_id)]))

    assert len(asked) == 1
    assert told.pop() is None
    assert [state.usable for state in told if state] == [
        key_of == pair[1] for key_of, pair in zip([state.practice_id for state in told if state], pairs, strict=True)
    ]
    assert sum(state.usable for state in told if state) == 2


async def test_what_is_in_use_is_asked_for_anew_with_another_before_it_is_too_old(
    demo_office: Office,
    berlin_office: Office,
    straight_database: Database,
    asked: list[set[Pair]],
    clock: SimpleNamespace,
) -> None:
    used, later, *_ = await pairs_of(demo_office, berlin_office)
    states = KeyStates(straight_database)
    await states.of(*used)
    clock.at += KEY_STATE_SECONDS - SOON_SECONDS / 2
    await states.of(*used)
    assert asked == [{used}]

    await states.of(*later)
    assert asked == [{used}, {used, later}]
    clock.at += SOON_SECONDS
    await states.of(*used)
    assert len(asked) == 2


async def test_what_nobody_asks_for_any_more_is_let_go(
    demo_office: Office,
    berlin_office: Office,
    straight_database: Database,
    asked: list[set[Pair]],
    clock: SimpleNamespace,
) -> None:
    used, idle, later, _ = await pairs_of(demo_office, berlin_office)
    states = KeyStates(straight_database)
    await states.of(*idle)
    clock.at += KEY_STATE_SECONDS - SOON_SECONDS / 2
    await states.of(*used)
    clock.at += KEY_STATE_SECONDS - SOON_SECONDS / 2
    await states.of(*later)

    assert asked == [{idle}, {idle, used}, {used, later}]


async def test_nothing_is_told_that_is_too_old(
    demo_office: Office, straight_database: Database, asked: list[set[Pair]], clock: SimpleNamespace
) -> None:
    (pair,) = await pairs_of(demo_office)
    states = KeyStates(straight_database)
    for _ in range(5):
        state = await states.of(*pair)
        assert state is not None
        assert state.usable
        clock.at += KEY_STATE_SECONDS / 2.5
    assert len(asked) == 2

    await demo_office.house.owner.execute("UPDATE api_key SET revoked_at = now() WHERE api_key_id = $1", pair[0])
    clock.at += KEY_STATE_SECONDS
    state = await states.of(*pair)
    assert state is not None
    assert not state.usable
