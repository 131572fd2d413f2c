"""Forms as people use them: clicked twice, sent too late, opened with a key that was revoked since."""

import httpx
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Seen, new_page, query, sign_in
from tests.journeys.conftest import RunningHouse


def admin_of(house: RunningHouse) -> httpx.Client:
    headers = {"X-Admin-Secret": house.demo["adminSecret"]}
    return httpx.Client(base_url=f"{house.base}/v1/admin", headers=headers, timeout=30)


def ask_for_access(page: Page, house: RunningHouse, company: str) -> None:
    """As somebody does who has no key, from the login on."""
    page.goto(f"{house.base}/portal/login")
    page.click("text=Request access")
    page.fill("input[name=company]", company)
    page.fill("input[name=practice]", "DemoOffice")
    page.fill("input[name=contact]", "Dana Fox")
    page.fill("input[name=email]", f"{company.replace(' ', '.').lower()}@example.com")
    for scope in ("Prospects", "Tags", "Providers"):
        page.check(f"input[value={scope}]")
    page.click("text=Send request")
    page.get_by_text("Thank you").wait_for()


def test_from_a_request_to_the_first_call_with_nothing_but_the_pages(
    browser: Browser, portal_house: RunningHouse
) -> None:
    seen = Seen()
    newcomer, admin = new_page(browser, seen), new_page(browser, seen)
    ask_for_access(newcomer, portal_house, "First Light")
    sign_in(admin, portal_house, "admin")
    admin.goto(f"{portal_house.base}/portal/requests")
    request = admin.locator("section", has=admin.get_by_role("heading", name="First Light"))
    request.get_by_role("button", name="Approve").click()
    key = admin.locator(".notice code").inner_text()

    sign_in(newcomer, portal_house, key)
    newcomer.click("nav >> text=Documentation")
    newcomer.fill("input[name=key]", key)
    newcomer.click("text=Get access token")
    newcomer.get_by_text("The token is set").wait_for()
    call = newcomer.locator("#listProspects details.try")
    call.locator("summary").click()
    call.locator("button.primary").click()
    expect(call.locator("pre")).to_contain_text("200 OK")
    newcomer.goto(f"{portal_house.base}/portal/activity")
    expect(newcomer.locator("#calls")).to_contain_text("/v1/{PPass}/prospects")
    for page in (newcomer, admin):
        page.context.close()

    assert seen.faults == []


def test_approve_clicked_twice_approves_once(browser: Browser, portal_house: RunningHouse) -> None:
    seen = Seen()
    page = new_page(browser, seen)
    ask_for_access(page, portal_house, "Double Click")
    sign_in(page, portal_house, "admin")
    page.goto(f"{portal_house.base}/portal/requests")
    request = page.locator("section", has=page.get_by_role("heading", name="Double Click"))
    request.get_by_role("button", name="Approve").dblclick()
    expect(page.locator(".notice")).to_contain_text("Approved: key for Double Click created")
    page.context.close()

    with admin_of(portal_house) as admin:
        keys = [one["company"] for one in admin.get("/keys", params={"limit": 100}).json()["data"]]
    assert keys.count("Double Click") == 1
    assert seen.faults == []


def test_what_was_typed_when_the_session_ended_is_sent_after_signing_in_again(
    browser: Browser, portal_house: RunningHouse
) -> None:
    page = new_page(browser, Seen())
    sign_in(page, portal_house, "admin")
    page.goto(f"{portal_house.base}/portal/keys")
    page.fill("input[name=name]", "Typed before the session ended")
    page.select_option("select[name=practice]", "DemoOffice")
    query(portal_house, "UPDATE portal_session SET last_seen_at = now() - interval '16 minutes'")
    page.click("button:has-text('Create API key')")
    page.get_by_text("Your input is preserved").wait_for()
    page.fill("#secret", portal_house.demo["adminSecret"])
    page.click("button.primary")
    expect(page.locator("main")).to_contain_text("Typed before the session ended")
    page.click("text=Submit form")
    expect(page.locator(".notice")).to_contain_text("Key Typed before the session ended created")
    page.context.close()


def test_a_page_that_is_open_when_its_key_is_revoked_asks_to_sign_in(
    browser: Browser, portal_house: RunningHouse
) -> None:
    with admin_of(portal_house) as admin:
        partner = admin.get("/partners").json()["data"][0]["partnerId"]
        wanted = {"partnerId": partner, "practicepass": "DemoOffice", "name": "Soon revoked"}
        made = admin.post("/keys", json=wanted).json()["data"]
        seen = Seen()
        page = new_page(browser, seen)
        sign_in(page, portal_house, made["apiKey"])
        page.goto(f"{portal_house.base}/portal/activity")
        assert admin.post(f"/keys/{made['keyId']}/revoke").is_success
    with page.expect_response(lambda answer: "rows=true" in answer.url) as live:
        pass
    assert live.value.status == 303  # the rows that come in by themselves stop, and the page goes
    page.get_by_text("Partner Portal Login").wait_for()
    page.fill("#secret", made["apiKey"])
    page.click("button.primary")
    page.get_by_text("Invalid access key").wait_for()
    page.context.close()

    assert [fault for fault in seen.faults if "401" not in fault] == []


def test_the_first_call_shows_by_itself(browser: Browser, portal_house: RunningHouse) -> None:
    with admin_of(portal_house) as admin:
        partner = admin.get("/partners").json()["data"][0]["partnerId"]
        wanted = {"partnerId": partner, "practicepass": "DemoOffice", "name": "Not used yet"}
        key = admin.post("/keys", json=wanted).json()["data"]["apiKey"]
    page = new_page(browser, Seen())
    sign_in(page, portal_house, key)
    page.goto(f"{portal_house.base}/portal/activity")
    page.get_by_text("No matching requests").wait_for()
    token = httpx.post(f"{portal_house.practice}/auth/token", json={"apiKey": key}).json()["accessToken"]
    assert httpx.get(f"{portal_house.practice}/tags", headers={"Authorization": f"Bearer {token}"}).is_success
    expect(page.locator("#calls")).to_contain_text("/v1/{PPass}/tags", timeout=10_000)
    page.context.close()
