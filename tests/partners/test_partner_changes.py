"""A partner's company and e-mail change when an administrator approves them: they name the recipient of disclosures."""

import asyncio
from typing import Any

import pytest

from tests.portal.test_pages import signed_in
from tests.world import House, Office

ADDRESS = "/v1/admin/partner-changes"
WANTED = {"company": "Example Ltd", "email": "jo@example.com"}


async def me(office: Office) -> dict[str, Any]:
    return dict((await office.partner_global.get("/me")).json()["data"])


async def requested(office: Office, **changes: str) -> dict[str, Any]:
    answer = await office.partner_global.patch("/me", json=changes)
    assert answer.status_code == 202, answer.text
    return dict(answer.json()["data"]["pendingChanges"])


async def decide(office: Office, change_id: int, decision: str) -> tuple[int, dict[str, Any]]:
    answer = await office.house.admin.post(f"{ADDRESS}/{change_id}/{decision}")
    return answer.status_code, answer.json()


async def test_they_are_requested_and_the_rest_changes_at_once(demo_office: Office) -> None:
    before = await me(demo_office)
    answer = await demo_office.partner_global.patch("/me", json={**WANTED, "contact": "Jo Doe"})

    assert (answer.status_code, answer.headers["ETag"]) == (202, '"2"')
    data = answer.json()["data"]
    assert "administrator" in answer.json()["message"]
    assert (data["company"], data["email"], data["contact"]) == (before["company"], before["email"], "Jo Doe")
    assert data["pendingChanges"] == data["pendingChanges"] | WANTED
    assert (await me(demo_office))["pendingChanges"] == data["pendingChanges"]


async def test_an_approved_change_takes_effect(house: House, demo_office: Office) -> None:
    before = await me(demo_office)
    change_id = (await requested(demo_office, **WANTED))["changeId"]
    [listed] = [
        one
        for one in (await house.admin.get(ADDRESS, params={"status": "pending"})).json()["data"]
        if one["changeId"] == change_id
    ]
    assert listed == listed | WANTED | {"presentCompany": before["company"], "status": "pending", "decidedAt": None}

    status, answer = await decide(demo_office, change_id, "approve")

    assert (status, answer["data"]["status"]) == (200, "approved")
    after = await me(demo_office)
    assert after == after | WANTED | {"pendingChanges": None}
    assert (await demo_office.partner_global.get("/me")).headers["ETag"] == '"3"'


async def test_a_denied_change_does_not(demo_office: Office) -> None:
    before = await me(demo_office)
    change_id = (await requested(demo_office, **WANTED))["changeId"]
    status, answer = await decide(demo_office, change_id, "deny")

    assert (status, answer["data"]["status"]) == (200, "denied")
    after = await me(demo_office)
    assert (after["company"], after["email"], after["pendingChanges"]) == (before["company"], before["email"], None)


async def test_only_what_was_requested_changes(demo_office: Office) -> None:
    await demo_office.house.owner.execute(
        "UPDATE partner SET email = 'old@example.com' WHERE company = $1", f"partner of {demo_office.practicepass}"
    )
    change = await requested(demo_office, company="Example Ltd")
    assert "email" not in change
    await decide(demo_office, change["changeId"], "approve")

    assert (await me(demo_office))["email"] == "old@example.com"


async def test_an_email_can_be_removed(demo_office: Office) -> None:
    await decide(demo_office, (await requested(demo_office, email="jo@example.com"))["changeId"], "approve")
    change = await requested(demo_office, email="")
    assert change["email"] == ""
    await decide(demo_office, change["changeId"], "approve")

    assert (await me(demo_office))["email"] == ""


async def test_another_request_replaces_the_one_before_and_keeps_what_it_does_not_name(demo_office: Office) -> None:
    """An administrator approves what they have seen, by its number."""
    first = await requested(demo_office, **WANTED)
    second = await requested(demo_office, company="Evil Ltd")

    assert second == second | {"company": "Evil Ltd", "email": "jo@example.com"}
    status, answer = await decide(demo_office, first["changeId"], "approve")
    assert (status, answer["code"]) == (404, "partner_change_not_found")
    assert (await me(demo_office))["company"] == f"partner of {demo_office.practicepass}"


async def test_the_present_value_withdraws_a_request(demo_office: Office) -> None:
    present = (await me(demo_office))["company"]
    change_id = (await requested(demo_office, company="Example Ltd"))["changeId"]
    answer = await demo_office.partner_global.patch("/me", json={"company": present})

    assert (answer.status_code, answer.json()["data"]["pendingChanges"]) == (200, None)
    assert (await decide(demo_office, change_id, "approve"))[0] == 404


async def test_of_two_decisions_at_once_one_is_made(demo_office: Office) -> None:
    change_id = (await requested(demo_office, **WANTED))["changeId"]
    answers = await asyncio.gather(*(decide(demo_office, change_id, one) for one in ("approve", "deny") * 4))

    assert sorted(status for status, _ in answers) == [200] + [409] * 7
    assert {answer["code"] for status, answer in answers if status == 409} == {"partner_change_decided"}


async def test_requests_at_once_leave_one_pending(demo_office: Office) -> None:
    await asyncio.gather(*(requested(demo_office, company=f"Example {number}") for number in range(8)))

    pending = await demo_office.house.owner.fetchval(
        """
        SELECT count(*) FROM partner_change JOIN partner USING (partner_id)
        WHERE status = 'pending' AND partner.company = $1
        """,
        f"partner of {demo_office.practicepass}",
    )
    assert pending == 1


@pytest.mark.parametrize(("decision", "company"), [("approve", "Shown <b>Ltd</b>"), ("deny", None)])
async def test_an_administrator_decides_in_the_portal(
    house: House, demo_office: Office, decision: str, company: str | None
) -> None:
    change_id = (await requested(demo_office, company="Shown <b>Ltd</b>"))["changeId"]
    browser = await signed_in(house, house.settings.admin_secret)
    page = await browser.get("/portal/partners")
    assert "Shown &lt;b&gt;Ltd&lt;/b&gt;" in page.text
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    address = f"/portal/partners/changes/{change_id}/{decision}"
    assert (await browser.post(address, data={"csrf_token": "wrong"})).status_code == 403

    decided = await browser.post(address, data={"csrf_token": token})

    assert decided.status_code in (200, 303), decided.text
    assert (await me(demo_office))["company"] == (company or f"partner of {demo_office.practicepass}")
    again = await browser.post(address, data={"csrf_token": token})
    assert again.status_code == 409
