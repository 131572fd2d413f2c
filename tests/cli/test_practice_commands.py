"""officepro practice create | list | show | set"""

from pathlib import Path

from tests.cli.command import officepro, officepro_with
from tests.practices.admin import version
from tests.world import House, Office


async def test_a_practice_is_created_and_shown_as_the_api_shows_it(house: House) -> None:
    created = await officepro(
        house, "practice", "create", "Terminal-1", "--name", "Terminal", "--timezone", "Europe/Oslo", "--json"
    )
    shown = await officepro(house, "practice", "show", "Terminal-1", "--json")

    by_api = (await house.admin.get("/v1/admin/practices/Terminal-1")).json()["data"]
    assert created.json == by_api
    assert shown.json == {"practice": by_api, "providers": [], "rooms": [], "visitTypes": []}


async def test_people_get_tables(demo_office: Office) -> None:
    shown = await officepro(demo_office.house, "practice", "show", demo_office.practicepass)
    listed = await officepro(demo_office.house, "practice", "list")

    assert shown.exit_code == listed.exit_code == 0
    for expected in ("America/New_York", "Jane Smith", "Room 1", "FOLLOWUP"):
        assert expected in shown.out
    assert "Office" in listed.out  # its first page, that is: the tests have made many by now


async def test_set_changes_what_is_given(demo_office: Office) -> None:
    before = await version(demo_office)
    await officepro(demo_office.house, "practice", "set", demo_office.practicepass, "--booking-horizon-days", "30")
    told = await officepro(
        demo_office.house,
        *("practice", "set", demo_office.practicepass),
        *("--slot-minutes", "10", "--inactive", "--no-booking-horizon", "--json"),
    )

    now = told.json
    assert (now["slotMinutes"], now["active"], now["bookingHorizonDays"]) == (10, False, None)
    assert now["name"] == "DemoOffice"
    assert await version(demo_office) == before + 2


async def test_every_mistake_is_named_by_its_option(house: House) -> None:
    told = await officepro(
        house, "practice", "create", "1st", "--name", "", "--timezone", "Europe/Oslo", "--slot-minutes", "0"
    )

    assert told.exit_code == 1
    assert told.out == ""
    lines = told.err.splitlines()
    assert lines[0] == "officepro: invalid options:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["practicepass", "name", "slot-minutes"]


async def test_what_the_api_refuses_is_refused_in_the_same_words(demo_office: Office) -> None:
    house = demo_office.house
    taken = await officepro(
        house, "practice", "create", demo_office.practicepass, "--name", "x", "--timezone", "Europe/Oslo"
    )
    nowhere = await officepro(house, "practice", "show", "Nowhere")
    zone = await officepro(house, "practice", "set", demo_office.practicepass, "--timezone", "Oslo")
    nothing = await officepro(house, "practice", "set", demo_office.practicepass)

    assert [told.exit_code for told in (taken, nowhere, zone, nothing)] == [1, 1, 1, 1]
    assert "already" in taken.err
    assert "no such practice" in nowhere.err
    assert "timezone: must be an IANA time zone" in zone.err
    assert "did you mean Europe/Oslo?" in zone.err
    assert "--help" in nothing.err


async def test_misuse_has_an_exit_code_of_its_own(house: House) -> None:
    told = await officepro(house, "practice", "create")

    assert told.exit_code == 2
    assert "practicepass" in told.err.lower()


async def test_an_embedded_database_that_does_not_run_is_said_to_be_so(tmp_path: Path) -> None:
    told = await officepro_with({"OFFICEPRO_DATA_DIR": str(tmp_path / "none")}, "practice", "list")

    assert told.exit_code == 1
    assert told.err.startswith("officepro: The database in ")
    assert told.err.endswith("is not running: start it with make run.\n")
    assert not (tmp_path / "none").exists()
