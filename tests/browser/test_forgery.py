"""Pages of other sites, in a real browser: what they send does nothing, and leaves nothing that one click would do."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Seen, new_page, query, sign_in
from tests.journeys.conftest import RunningHouse

MARK = "attackers-field"
FORM = """<!doctype html><form method="post" action="{action}">{fields}</form>
<script>document.forms[0].submit()</script>"""


class OtherSite(ThreadingHTTPServer):
    """A site of somebody else, whose only page sends a form as soon as it is opened."""

    page = b""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Referrer-Policy", "unsafe-url")
                self.end_headers()
                self.wfile.write(other.page)

            def log_message(self, *_: object) -> None:
                pass

        other = self
        super().__init__(("127.0.0.1", 0), Handler)

    def send_form(self, page: Page, action: str, fields: dict[str, str], host: str) -> int:
        """Opens the page at this host; the status of what the form was answered with."""
        inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
        self.page = FORM.format(action=action, fields=inputs).encode()
        with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
            page.goto(f"http://{host}:{self.server_port}/", wait_until="commit")
        page.wait_for_load_state()
        return answered.value.status


@pytest.fixture(scope="module")
def other_site() -> Iterator[OtherSite]:
    site = OtherSite()
    thread = threading.Thread(target=site.serve_forever, daemon=True)
    thread.start()
    yield site
    site.shutdown()
    site.server_close()
    thread.join()


# The portal is called by 127.0.0.1: localhost is another site, and another port of the same host another origin of the
# same site, to which even SameSite=Strict cookies are sent.
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("who", ["nobody", "admin"])
def test_a_form_of_another_site_does_nothing_and_is_not_kept(
    browser: Browser, portal_house: RunningHouse, other_site: OtherSite, host: str, who: str
) -> None:
    page = new_page(browser, Seen())
    if who == "admin":
        sign_in(page, portal_house, "admin")
    [[key]] = query(portal_house, "SELECT max(api_key_id) FROM api_key WHERE revoked_at IS NULL")
    action = f"{portal_house.base}/portal/keys/{key}/rotate"
    assert other_site.send_form(page, action, {"grace": "0", "note": MARK}, host) == 403
    expect(page.locator("main")).to_contain_text("sent by a page of another site")
    assert MARK not in page.content()

    if who == "nobody":
        sign_in(page, portal_house, "admin")
        expect(page.locator("h1")).to_contain_text("Dashboard Overview")
    else:
        assert page.goto(f"{portal_house.base}/portal/keys").status == 200  # type: ignore[union-attr]
    page.context.close()
    assert query(portal_house, f"SELECT replaced_by FROM api_key WHERE api_key_id = {key}") == [(None,)]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_another_site_cannot_sign_the_browser_in(
    browser: Browser, portal_house: RunningHouse, other_site: OtherSite, host: str
) -> None:
    """With the attacker's own key, and with the token of the attacker's own login page."""
    attacker, victim = new_page(browser, Seen()), new_page(browser, Seen())
    attacker.goto(f"{portal_house.base}/portal/login")
    token = attacker.locator("input[name=csrf_token]").get_attribute("value") or ""
    victim.goto(f"{portal_house.base}/portal/login")
    fields = {"secret": portal_house.demo["apiKey"], "csrf_token": token, "next": "/portal"}
    assert other_site.send_form(victim, f"{portal_house.base}/portal/login", fields, host) == 403
    victim.goto(f"{portal_house.base}/portal")
    expect(victim.locator("h1")).to_have_text("Partner Portal Login")
    for page in (attacker, victim):
        page.context.close()


def test_no_other_site_shows_the_portal_in_a_frame(
    browser: Browser, portal_house: RunningHouse, other_site: OtherSite
) -> None:
    seen = Seen()
    page = new_page(browser, seen)
    other_site.page = f'<iframe src="{portal_house.base}/portal/login"></iframe>'.encode()
    page.goto(f"http://localhost:{other_site.server_port}/")
    page.wait_for_load_state("networkidle")
    assert len(page.frames) == 2
    assert "Partner Portal" not in page.frames[1].content()
    page.context.close()
    assert any("frame" in fault for fault in seen.faults), seen.faults


def test_signing_out_everywhere_ends_the_session_of_another_browser(
    browser: Browser, portal_house: RunningHouse
) -> None:
    here, there = new_page(browser, Seen()), new_page(browser, Seen())
    for page in (here, there):
        sign_in(page, portal_house, "partner")
    here.click("text=Sign out everywhere")
    here.get_by_text("Partner Portal Login").wait_for()
    there.click("nav >> text=API keys")
    there.get_by_text("Partner Portal Login").wait_for()
    for page in (here, there):
        page.context.close()


def test_live_rows_do_not_keep_a_session_alive_and_lead_to_the_login_when_it_ends(
    browser: Browser, portal_house: RunningHouse
) -> None:
    page = new_page(browser, Seen())
    sign_in(page, portal_house, "admin")
    page.goto(f"{portal_house.base}/portal/activity")
    query(portal_house, "UPDATE portal_session SET last_seen_at = now() - interval '14 minutes'")
    with page.expect_response(lambda answer: "rows=true" in answer.url) as live:
        pass
    assert live.value.status == 200
    page.wait_for_timeout(100)
    assert query(
        portal_house, "SELECT count(*) FROM portal_session WHERE last_seen_at > now() - interval '13 minutes'"
    ) == [(0,)]
    query(portal_house, "UPDATE portal_session SET last_seen_at = now() - interval '16 minutes'")
    page.get_by_text("Partner Portal Login").wait_for()
    page.context.close()
