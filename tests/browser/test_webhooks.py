"""The page of webhooks, with an endpoint that listens: every button, at every width, by day and by night."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import LOOKS, Seen, new_page, sign_in
from tests.browser.test_forms import admin_of
from tests.journeys.conftest import RunningHouse


class Endpoint(BaseHTTPRequestHandler):
    """Takes what it is sent, and keeps it."""

    got: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(body.decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[tuple[str, list[str]]]:
    """Its address, and what it got."""
    got: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Listening", (Endpoint,), {"got": got}))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/events", got
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def key(portal_house: RunningHouse, endpoint: tuple[str, list[str]]) -> str:
    """Of a partner whose events go to the endpoint."""
    with admin_of(portal_house) as admin:
        company = {"company": "Listening Ltd", "contact": "Lee Ann", "email": "lee@listening.example"}
        partner = admin.post("/partners", json=company).json()["data"]["partnerId"]
        wanted = {"partnerId": partner, "practicepass": "DemoOffice", "name": "hooks", "scopes": ["Patients"]}
        answer = admin.post("/keys", json=wanted)
        assert answer.status_code == 201, answer.text
        made: str = answer.json()["data"]["apiKey"]
    token = httpx.post(f"{portal_house.base}/v1/DemoOffice/auth/token", json={"apiKey": made}).json()["accessToken"]
    answer = httpx.post(
        f"{portal_house.base}/v1/webhooks/signup",
        json={"hookUrl": endpoint[0], "scopes": ["Patients"]},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.is_success, answer.text
    return made


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_button_does_what_it_says(
    browser: Browser,
    portal_house: RunningHouse,
    endpoint: tuple[str, list[str]],
    key: str,
    width: int,
    scheme: str,
) -> None:
    seen, (address, got) = Seen(), endpoint
    page = new_page(browser, seen, width, scheme)
    sign_in(page, portal_house, key)
    page.goto(f"{portal_house.base}/portal/webhooks")
    notice, subscription = page.locator(".notice"), page.locator("tr", has_text=address)

    def press(button: str) -> None:
        subscription.locator("summary").click()
        subscription.get_by_role("button", name=button).click()
        notice.wait_for()

    before = len(got)
    press("Send test event")
    expect(notice).to_contain_text("received")
    assert len(got) == before + 1
    press("Pause")
    expect(subscription.locator(".status")).to_have_text("paused")
    press("Resume")
    expect(subscription.locator(".status")).to_have_text("active")
    subscription.locator("summary").click()
    subscription.get_by_label("From event number").fill("1")
    subscription.get_by_role("button", name="Replay").click()
    expect(notice).to_contain_text("sent again")
    page.get_by_role("button", name="Retry delivery").first.click()
    notice.wait_for()
    page.context.close()

    assert seen.faults == []
