"""officepro access-request list | approve | deny, officepro kb create"""

from pathlib import Path

from tests.cli.command import officepro
from tests.requests.test_access_requests import ask, requests
from tests.world import House, Office


async def test_a_request_is_listed_and_approved_and_its_key_works(demo_office: Office, house: House) -> None:
    await ask(demo_office)
    (one,) = await requests(demo_office)
    listed = (await officepro(house, "access-request", "list", "--status", "pending", "--json")).json
    assert one["id"] in [each["id"] for each in listed["data"]]

    told = await officepro(house, "access-request", "approve", str(one["id"]), "--scope", "Scheduling", "--json")

    assert told.json["scopes"] == ["Scheduling"]
    demo_office.keys["approved"] = told.json["apiKey"]
    assert await demo_office.token("approved")
    again = await officepro(house, "access-request", "approve", str(one["id"]))
    assert (again.exit_code, again.out) == (1, "")
    assert "already been approved" in again.err


async def test_the_key_is_shown_to_people_too(demo_office: Office, house: House) -> None:
    await ask(demo_office)
    (one,) = await requests(demo_office)
    told = await officepro(house, "access-request", "approve", str(one["id"]))

    assert told.exit_code == 0, told.err
    assert told.out.count("opk_") == 1
    assert "will not be shown again" in told.out


async def test_a_request_is_denied_with_its_reason(demo_office: Office, house: House) -> None:
    await ask(demo_office)
    (one,) = await requests(demo_office)
    told = await officepro(house, "access-request", "deny", str(one["id"]), "--reason", "Not ours.")

    assert told.out == f"Access request {one['id']} of Example Company denied.\n"
    assert [(after["status"], after["reason"]) for after in await requests(demo_office)] == [("denied", "Not ours.")]


async def test_what_cannot_be_is_told_by_the_option(demo_office: Office, house: House) -> None:
    await ask(demo_office)
    (one,) = await requests(demo_office)
    told = await officepro(house, "access-request", "approve", str(one["id"]), "--scope", "KB")

    assert told.exit_code == 1
    assert "scope: may only narrow the requested scopes" in told.err


async def test_an_article_is_created_from_a_file(demo_office: Office, house: House, tmp_path: Path) -> None:
    file = tmp_path / "article.md"
    file.write_text("# Steps\n\n1. First\n", "utf-8")
    told = await officepro(
        house,
        *("kb", "create", "--title", "From a file", "--category", "Billing", "--type", "HowTo", "--file", str(file)),
        "--json",
    )

    read = await demo_office.partner_global.get(f"/kb/{told.json['KBID']}")
    assert read.json()["data"]["Article"] == "# Steps\n\n1. First\n"
    missing = await officepro(
        house, *("kb", "create", "--title", "x", "--category", "y", "--type", "z", "--file", str(tmp_path / "none"))
    )
    assert missing.exit_code == 1
    assert "cannot be read" in missing.err
