"""When a session ends: with its secret, its key, its practice, by a button, and after 15 minutes without a person."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from litestar import Litestar

from officepro.app import create_inner_app, enclose
from tests.conftest import ADMIN_SECRET, alive
from tests.portal.test_pages import csrf_token, log_in, portal, signed_in
from tests.world import BASE_URL, House, Office, client, make_key

SCOPES = frozenset({"Tags"})
POLL = "/portal/activity?rows=true"


@asynccontextmanager
async def another_worker(house: House, **texts: str) -> AsyncIterator[House]:
    """A second process of the same service, with some other settings."""
    settings = house.settings.but(**texts)
    app: Litestar = create_inner_app(settings)
    async with alive(app), House.open(enclose(app), house.owner, settings) as other:
        yield other


async def test_a_new_admin_secret_ends_the_sessions_of_the_old_one_on_every_worker(house: House) -> None:
    new_secret = "another admin secret of more than 32 bytes"
    old = await signed_in(house, house.settings.admin_secret)
    async with another_worker(house, admin_secret=new_secret) as restarted:
        cookies = dict(old.cookies)
        async with client(restarted.app) as browser:
            browser.cookies.update(cookies)
            assert (await browser.get("/portal")).status_code == 303
        new = await signed_in(restarted, new_secret)
        assert (await new.get("/portal")).status_code == 200
    async with another_worker(house, admin_secret=new_secret, admin_secret_previous=ADMIN_SECRET) as rotating:
        async with client(rotating.app) as browser:
            browser.cookies.update(cookies)
            assert (await browser.get("/portal")).status_code == 200  # as long as the old one is accepted
        overlapping = await signed_in(rotating, ADMIN_SECRET)
    async with another_worker(house, admin_secret=new_secret) as ended, client(ended.app) as browser:
        browser.cookies.update(dict(overlapping.cookies))
        assert (await browser.get("/portal")).status_code == 303
    assert (await old.get("/portal")).status_code == 200  # by a worker that still has the old secret: the control


async def test_a_session_that_an_earlier_version_started_ends(house: House) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    await house.owner.execute("UPDATE portal_session SET admin_secret_hmac = NULL")

    assert (await browser.get("/portal")).status_code == 303


async def test_no_row_gives_a_hint_at_the_admin_secret(house: House) -> None:
    """The same secret leaves another value in each row: nobody can try secrets against a copy of the table."""
    for _ in range(2):
        await signed_in(house, house.settings.admin_secret)
    rows = await house.owner.fetch(
        "SELECT admin_secret_hmac FROM portal_session WHERE api_key_id IS NULL ORDER BY created_at DESC LIMIT 2"
    )
    assert rows[0][0] != rows[1][0]


@pytest.mark.parametrize("who", ["admin", "partner"])
async def test_signing_out_everywhere_ends_every_session_of_that_key_or_of_the_admin(
    house: House, demo_office: Office, who: str
) -> None:
    secrets = {"admin": house.settings.admin_secret, "partner": demo_office.keys["partner"]}
    here, there = await signed_in(house, secrets[who]), await signed_in(house, secrets[who])
    other = await signed_in(house, secrets["partner" if who == "admin" else "admin"])
    page = await here.get("/portal")
    assert "Sign out everywhere" in page.text
    assert (await here.post("/portal/logout/everywhere", data={"csrf_token": "guessed"})).status_code == 403

    answer = await here.post("/portal/logout/everywhere", data={"csrf_token": csrf_token(page)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal/login")
    assert [(await one.get("/portal")).status_code for one in (here, there, other)] == [303, 303, 200]


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE api_key SET revoked_at = now() WHERE api_key_id = $1",
        "UPDATE api_key SET expires_at = now() WHERE api_key_id = $1",
        "UPDATE partner p SET active = false FROM api_key k WHERE k.partner_id = p.partner_id AND api_key_id = $1",
        "UPDATE practice p SET active = false FROM api_key k WHERE k.practice_id = p.practice_id AND api_key_id = $1",
    ],
    ids=["the key is revoked", "the key expires", "the partner is closed", "the practice is closed"],
)
async def test_a_session_ends_with_its_key_its_partner_and_its_practice(
    house: House, demo_office: Office, deed: str
) -> None:
    key = await make_key(house, f"ends in {demo_office.practicepass}", SCOPES, demo_office.practice_id)
    browser = await signed_in(house, key)
    assert (await browser.get("/portal")).status_code == 200
    await house.owner.execute(deed, int(key.split("_")[1]))

    assert (await browser.get("/portal")).status_code == 303
    assert (await log_in(portal(house), key)).status_code == 401


async def test_rotating_a_key_away_ends_its_session(house: House, demo_office: Office) -> None:
    key = await make_key(house, f"rotates in {demo_office.practicepass}", SCOPES, demo_office.practice_id)
    browser, admin = await signed_in(house, key), await signed_in(house, house.settings.admin_secret)
    token = csrf_token(await admin.get("/portal/keys"))
    rotated = await admin.post(f"/portal/keys/{key.split('_')[1]}/rotate", data={"csrf_token": token, "grace": "0"})
    assert rotated.status_code == 200, rotated.text

    assert (await browser.get("/portal")).status_code == 303


@pytest.mark.parametrize(
    ("address", "headers", "renews"),
    [
        ("/portal/activity", {}, True),
        ("/portal/activity", {"Sec-Fetch-Dest": "document"}, True),
        (POLL, {}, False),
        (POLL, {"Sec-Fetch-Dest": "empty"}, False),
        ("/portal", {"Sec-Fetch-Dest": "empty"}, False),  # whatever else a script may fetch
    ],
)
async def test_only_a_person_prolongs_a_session(
    house: House, address: str, headers: dict[str, str], renews: bool
) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    await house.owner.execute("UPDATE portal_session SET last_seen_at = now() - interval '14 minutes'")
    assert (await browser.get(address, headers=headers)).status_code == 200
    idle = await house.owner.fetchval("SELECT min(now() - last_seen_at) FROM portal_session")
    assert (idle.total_seconds() < 60) == renews

    await house.owner.execute("UPDATE portal_session SET last_seen_at = last_seen_at - interval '2 minutes'")
    assert (await browser.get("/portal")).status_code == (200 if renews else 303)


async def test_a_session_ends_after_8_hours_however_busy(house: House) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    await house.owner.execute("UPDATE portal_session SET created_at = now() - interval '8 hours'")

    assert (await browser.get("/portal")).status_code == 303


async def test_signing_in_ends_the_session_that_the_browser_had(house: House, demo_office: Office) -> None:
    browser = await signed_in(house, house.settings.admin_secret)
    former = dict(browser.cookies)
    await log_in(browser, demo_office.keys["partner"])
    async with client(house.app, BASE_URL) as another:
        another.cookies.update(former)
        assert (await another.get("/portal")).status_code == 303
    assert (await browser.get("/portal")).status_code == 200
