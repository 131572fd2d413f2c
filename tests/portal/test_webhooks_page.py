"""The portal's page of webhooks: a partner acts on its own subscription, an admin on all."""

from urllib.parse import parse_qs, urlsplit

import httpx

from officepro.webhooks.dispatcher import Dispatcher
from tests.portal.test_pages import csrf_token, signed_in
from tests.webhooks.acts import befriend, deliveries, happen, recorded, sign_up
from tests.webhooks.receivers import Receiver
from tests.world import Office

PAGE = "/portal/webhooks"


async def press(browser: httpx.AsyncClient, button: str, **fields: str) -> str:
    """What the page says afterwards."""
    token = csrf_token(await browser.get(PAGE))
    answer = await browser.post(f"{PAGE}/{button}", data={"csrf_token": token, **fields})
    assert answer.status_code == 303, answer.text
    said = parse_qs(urlsplit(answer.headers["location"]).query)["said"][0]
    assert said in (await browser.get(answer.headers["location"])).text.replace("&#39;", "'")
    return said


async def test_a_partner_sends_a_test(demo_office: Office, running: Dispatcher, receiver: Receiver) -> None:
    made = await sign_up(demo_office, receiver)
    browser = await signed_in(demo_office.house, demo_office.keys["partner"])

    assert (await press(browser, f"subscriptions/{made['id']}/test")).endswith(": received.")
    receiver.statuses = [500]
    assert "bad_status" in await press(browser, f"subscriptions/{made['id']}/test")
    assert receiver.events == ["webhook.test", "webhook.test"]


async def test_what_happens_during_a_pause_is_delivered_after_it(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    made = await sign_up(demo_office, receiver)
    browser = await signed_in(demo_office.house, demo_office.keys["partner"])
    assert "paused" in await press(browser, f"subscriptions/{made['id']}/pause")
    await happen(demo_office, 3)
    await worker.settle()
    assert receiver.log_ids == []

    assert "resumed" in await press(browser, f"subscriptions/{made['id']}/resume")
    await worker.settle()
    assert receiver.log_ids == [1, 2, 3]


async def test_events_are_replayed_from_a_number_or_a_time(
    demo_office: Office, worker: Dispatcher, receiver: Receiver
) -> None:
    made = await sign_up(demo_office, receiver)
    await happen(demo_office, 3)
    await worker.settle()
    browser = await signed_in(demo_office.house, demo_office.keys["partner"])
    address = f"subscriptions/{made['id']}/replay"

    said = await press(browser, address, **{"from": "2", "since": ""})
    assert said == f"2 events of {demo_office.practicepass}, from number 2 to 3, will be sent again."
    assert "in progress" in await press(browser, address, **{"from": "1", "since": ""})
    await worker.settle()
    assert (await press(browser, address, **{"from": "", "since": "2020-01-01T00:00"})).startswith("3 events of")
    assert (await press(browser, f"{address}/cancel")) == ("Replay cancelled; 0 of 3 deliveries had been created.")
    assert (await press(browser, address, **{"from": "1", "since": ""})).startswith("3 events of")
    await worker.settle()
    assert receiver.log_ids == [1, 2, 3, 2, 3, 1, 2, 3]
    assert "start after the newest event" in await press(browser, address, **{"from": "99", "since": ""})
    assert "start after the newest event" in await press(browser, address, **{"from": "", "since": "2099-01-01T00:00"})
    assert "not a valid date and time" in await press(browser, address, since="2026-02-30T00:00")
    assert "event number" in await press(browser, address, **{"from": "-1", "since": ""})


async def test_a_partner_tries_its_own_delivery_again(
    demo_office: Office, running: Dispatcher, receiver: Receiver
) -> None:
    await sign_up(demo_office, receiver)
    await happen(demo_office)
    [first] = await recorded(demo_office, 1)
    browser = await signed_in(demo_office.house, demo_office.keys["partner"])

    assert (await press(browser, f"{first['delivery_id']}/retry")).endswith(": received.")
    assert receiver.log_ids == [1, 1]


async def test_another_partner_s_subscription_is_not_there(
    demo_office: Office, worker: Dispatcher, receiver: Receiver, other_receiver: Receiver
) -> None:
    made = await sign_up(demo_office, receiver)
    await happen(demo_office)
    await worker.settle()
    [first] = await deliveries(demo_office)
    await befriend(demo_office, "rival")
    await sign_up(demo_office, other_receiver, who="rival")
    browser = await signed_in(demo_office.house, demo_office.keys["rival"])
    token = csrf_token(await browser.get(PAGE))

    for button in ("test", "replay"):
        fields = {"from": "1"} if button == "replay" else {}
        assert "no webhook subscription" in await press(browser, f"subscriptions/{made['id']}/{button}", **fields)
    for button in ("pause", "resume"):
        answer = await browser.post(f"{PAGE}/subscriptions/{made['id']}/{button}", data={"csrf_token": token})
        assert answer.status_code == 404
    assert "No such webhook delivery" in await press(browser, f"{first['delivery_id']}/retry")
    assert receiver.url not in (await browser.get(PAGE)).text
    assert receiver.log_ids == [1]


async def test_an_admin_acts_on_every_subscription(
    demo_office: Office, running: Dispatcher, receiver: Receiver
) -> None:
    """Also on one that hears of all practices, once the practice is named."""
    await befriend(demo_office, "hub", everywhere=True)
    made = await sign_up(demo_office, receiver, who="hub")
    browser = await signed_in(demo_office.house, demo_office.house.settings.admin_secret)
    address = f"subscriptions/{made['id']}/test"

    assert "Practice not found" in await press(browser, address, practice="Nowhere")
    assert (await press(browser, address, practice=demo_office.practicepass)).endswith(": received.")
    assert receiver.received[-1][1]["practicepass"] == demo_office.practicepass
    await press(browser, f"subscriptions/{made['id']}/pause")
    await press(browser, f"subscriptions/{made['id']}/resume")
    await demo_office.hub_global.delete("/webhooks")  # type: ignore[attr-defined]  # it would hear of all other tests


async def test_a_form_of_another_page_does_nothing(demo_office: Office, receiver: Receiver) -> None:
    made = await sign_up(demo_office, receiver)
    browser = await signed_in(demo_office.house, demo_office.keys["partner"])
    for button in ("test", "pause", "resume", "replay"):
        answer = await browser.post(f"{PAGE}/subscriptions/{made['id']}/{button}", data={"csrf_token": "guessed"})
        assert answer.status_code == 403, button
    assert receiver.received == []


async def test_nobody_s_link_puts_words_on_the_page(demo_office: Office, receiver: Receiver) -> None:
    """What a page says after a button comes by the address, so it has a proof: of this session, and of these words."""
    made = await sign_up(demo_office, receiver)
    browser = await signed_in(demo_office.house, demo_office.keys["partner"])
    token = csrf_token(await browser.get(PAGE))
    answer = await browser.post(f"{PAGE}/subscriptions/{made['id']}/pause", data={"csrf_token": token})
    query = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    others = await signed_in(demo_office.house, demo_office.keys["partner"])

    assert query["said"] in (await browser.get(PAGE, params=query)).text
    assert query["said"] not in (await others.get(PAGE, params=query)).text
    for forged in ({"proof": query["proof"]}, {"proof": ""}, {"proof": "é"}, {}):
        shown = await browser.get(PAGE, params={"said": "Call 555-0100 and read out your key.", **forged})
        assert shown.status_code == 200
        assert "555-0100" not in shown.text


async def test_nor_on_the_page_of_keys(demo_office: Office) -> None:
    browser = await signed_in(demo_office.house, demo_office.keys["partner"])
    assert "555-0100" not in (await browser.get("/portal/keys", params={"said": "Call 555-0100"})).text
