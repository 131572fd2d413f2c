"""A key's purpose: given when it is issued, changed by an admin, recorded with each disclosure."""

import pytest

from officepro.access import key_states
from tests.activity.conftest import ledger_of
from tests.partners.keys import ADDRESS, exchange, issue
from tests.practices.admin import faults
from tests.world import Office


async def test_a_disclosure_has_the_purpose_that_the_key_has_at_the_time(
    demo_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_states, "KEY_STATE_SECONDS", 0.0)
    key = await issue(demo_office, purpose="treatment")
    bearer = {"Authorization": f"Bearer {(await exchange(demo_office, key['apiKey'])).json()['accessToken']}"}
    address = f"{demo_office.path}/prospects/{demo_office.ada}"
    assert key["purpose"] == "treatment"

    assert (await demo_office.house.stranger.get(address, headers=bearer)).status_code == 200
    changed = await demo_office.house.admin.patch(f"{ADDRESS}/{key['keyId']}", json={"purpose": "operations"})
    assert (changed.status_code, changed.json()["data"]["purpose"]) == (200, "operations")
    assert (await demo_office.house.stranger.get(address, headers=bearer)).status_code == 200

    rows = await ledger_of(demo_office.house.owner, demo_office)
    assert [row["purpose"] for row in rows] == ["treatment", "operations"]


@pytest.mark.parametrize("purpose", ["marketing", "", None, "Treatment"])
async def test_another_word_is_refused(demo_office: Office, purpose: object) -> None:
    key = await issue(demo_office)
    answer = await demo_office.house.admin.patch(f"{ADDRESS}/{key['keyId']}", json={"purpose": purpose})

    assert answer.status_code == 400
    assert faults(answer).keys() == {"body.purpose"}


async def test_a_key_that_does_not_exist(demo_office: Office) -> None:
    answer = await demo_office.house.admin.patch(f"{ADDRESS}/999999999", json={"purpose": "other"})

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_key")
