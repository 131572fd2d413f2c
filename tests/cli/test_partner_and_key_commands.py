"""officepro partner create | list, officepro key create | list | revoke | rotate"""

from typing import Any

from tests.cli.command import officepro
from tests.partners.keys import exchange
from tests.world import House, Office


async def make_partner(house: House) -> dict[str, Any]:
    told = await officepro(
        house,
        *("partner", "create", "--company", "Call Centre", "--contact", "Anna", "--email", "anna@calls.example"),
        "--json",
    )
    partner: dict[str, Any] = told.json
    return partner


async def test_from_nothing_to_a_key_that_opens_and_is_rotated_and_revoked(demo_office: Office) -> None:
    house = demo_office.house
    partner = await make_partner(house)
    issued = (
        await officepro(
            house,
            *("key", "create", "--partner-id", str(partner["partnerId"]), "--name", "Phones"),
            *("--practicepass", demo_office.practicepass, "--scope", "Providers", "--scope", "Scheduling", "--json"),
        )
    ).json
    assert (issued["scopes"], issued["status"]) == (["Providers", "Scheduling"], "active")
    assert (await exchange(demo_office, issued["apiKey"])).status_code == 200

    rotated = (await officepro(house, "key", "rotate", str(issued["keyId"]), "--grace-seconds", "60", "--json")).json
    assert rotated["replaces"]["keyId"] == issued["keyId"]
    for key in (issued, rotated):
        assert (await exchange(demo_office, key["apiKey"])).status_code == 200

    revoked = await officepro(house, "key", "revoke", str(rotated["keyId"]))
    assert revoked.out == f"Key {rotated['keyId']} of Call Centre revoked.\n"
    assert (await exchange(demo_office, rotated["apiKey"])).status_code == 401
    listed = (await officepro(house, "key", "list", "--partner-id", str(partner["partnerId"]), "--json")).json
    assert [(one["keyId"], one["status"]) for one in listed["data"]] == [
        (rotated["keyId"], "revoked"),
        (issued["keyId"], "active"),
    ]


async def test_people_see_the_key_once_and_whole(demo_office: Office) -> None:
    house = demo_office.house
    partner = await make_partner(house)
    told = await officepro(
        house, "key", "create", "--partner-id", str(partner["partnerId"]), "--name", "Phones", "--all-practices"
    )

    (secret,) = [line for line in told.out.splitlines() if line.startswith("opk_")]
    assert (await exchange(demo_office, secret)).status_code == 200
    assert told.out.count("opk_") == 1
    assert "opk_" not in (await officepro(house, "key", "list")).out
    assert "Call Centre" in (await officepro(house, "partner", "list")).out


async def test_every_mistake_is_named_by_its_option(house: House) -> None:
    partner = await officepro(
        house, "partner", "create", "--company", " ", "--contact", "A", "--email", "anna", "--website", "x"
    )
    key = await officepro(
        house,
        *("key", "create", "--partner-id", "999999", "--name", "k", "--practicepass", "Nowhere"),
        *("--expires-at", "2020-01-01T00:00:00Z"),
    )
    scopes = await officepro(
        house, "key", "create", "--partner-id", "1", "--name", "k", "--all-practices", "--scope", "tags"
    )
    neither = await officepro(house, "key", "create", "--partner-id", "1", "--name", "k")

    assert [told.exit_code for told in (partner, key, scopes, neither)] == [1, 1, 1, 1]
    assert [line.split(":")[0].strip() for line in partner.err.splitlines()[1:]] == ["company", "email", "website"]
    assert [line.split(":")[0].strip() for line in key.err.splitlines()[1:]] == [
        "partner-id",
        "practicepass",
        "expires-at",
    ]
    assert "scope: is not a scope; did you mean Tags?" in scopes.err
    assert "--all-practices" in neither.err


async def test_an_unknown_key_is_said_to_be_so(house: House) -> None:
    revoked = await officepro(house, "key", "revoke", "999999")
    rotated = await officepro(house, "key", "rotate", "999999", "--grace-seconds", "-1")
    status = await officepro(house, "key", "list", "--status", "lost")

    assert (revoked.exit_code, rotated.exit_code, status.exit_code) == (1, 1, 2)
    assert "No such API key" in revoked.err
    assert "grace-seconds: must be a whole number of at least 0" in rotated.err
