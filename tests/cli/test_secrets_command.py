"""officepro secrets reencrypt: after it the old encryption key can be removed."""

import base64

import pytest

from officepro.foundation.database import Database
from officepro.settings import Settings
from officepro.webhooks import reencryption
from officepro.webhooks.reencryption import reencrypt
from officepro.webhooks.sealing import CannotOpen, Sealer
from tests.cli.command import officepro_with
from tests.world import House, Office, make_key

NEW = "new:" + base64.urlsafe_b64encode(b"another key of more than 32 bytes !!").decode()
OTHER = "other:" + base64.urlsafe_b64encode(b"a key that is lost, of 32 bytes or so").decode()


def keys(*given: str) -> Sealer:
    settings = Settings.from_environment({"OFFICEPRO_ENCRYPTION_KEYS": ",".join(given)})
    return Sealer(settings.encryption_keys)


async def subscribe(
    house: House, office: Office, sealer: Sealer, secret: str, previous: str | None = None, hours: int = 1
) -> int:
    """The previous secret, as it is encrypted, signs for so many hours more."""
    await make_key(house, f"with {secret}", frozenset({"Tags"}), office.practice_id)
    subscription_id: int = await house.owner.fetchval(
        """
        INSERT INTO webhook_subscription
            (api_key_id, practice_id, hook_url, scopes, secret, previous_secret, previous_secret_until)
        SELECT max(api_key_id), $1, 'https://example.com', '{Patients}', $2, $3,
               CASE WHEN $3::text IS NOT NULL THEN now() + make_interval(hours => $4) END
        FROM api_key RETURNING subscription_id
        """,
        office.practice_id,
        sealer.seal(secret),
        previous,
        hours,
    )
    return subscription_id


async def stored(house: House, subscription_id: int) -> tuple[str, str | None]:
    row = await house.owner.fetchrow(
        "SELECT secret, previous_secret FROM webhook_subscription WHERE subscription_id = $1", subscription_id
    )
    assert row is not None
    return row["secret"], row["previous_secret"]


@pytest.fixture
async def no_subscriptions(house: House) -> None:
    await house.owner.execute("DELETE FROM webhook_delivery")
    await house.owner.execute("DELETE FROM webhook_subscription")


@pytest.mark.usefixtures("no_subscriptions")
async def test_every_secret_is_encrypted_anew_and_a_repeat_does_nothing(demo_office: Office) -> None:
    house = demo_office.house
    old = house.settings.given["OFFICEPRO_ENCRYPTION_KEYS"]
    first = await subscribe(house, demo_office, keys(old), "whsec_first", keys(old).seal("whsec_before"))
    ended = keys(OTHER).seal("whsec_ended")
    second = await subscribe(house, demo_office, keys(NEW), "whsec_second", ended, hours=-1)
    both = dict(house.settings.given) | {"OFFICEPRO_ENCRYPTION_KEYS": f"{NEW},{old}"}

    done = await officepro_with(both, "secrets", "reencrypt")
    again = await officepro_with(both, "secrets", "reencrypt", "--json")

    assert done.exit_code == 0, done.err
    assert done.out == ("Webhook secrets: 2 re-encrypted with key new, 1 were already, 0 cannot be decrypted.\n")
    assert again.json == {"reencrypted": 0, "already_current": 3, "failed": 0, "failed_subscription_ids": []}
    current, previous = await stored(house, first)
    only_new = keys(NEW)
    assert (only_new.open(current), only_new.open(previous or "")) == ("whsec_first", "whsec_before")
    with pytest.raises(CannotOpen):
        keys(old).open(current)
    current, previous = await stored(house, second)
    assert (only_new.open(current), previous) == ("whsec_second", ended)


@pytest.mark.usefixtures("no_subscriptions")
async def test_a_secret_whose_key_is_lost_fails_by_name_and_the_others_are_done(demo_office: Office) -> None:
    house = demo_office.house
    lost = await subscribe(house, demo_office, keys(OTHER), "whsec_lost")
    found = await subscribe(house, demo_office, keys(house.settings.given["OFFICEPRO_ENCRYPTION_KEYS"]), "whsec_found")
    given = dict(house.settings.given)
    given["OFFICEPRO_ENCRYPTION_KEYS"] = f"{NEW},{given['OFFICEPRO_ENCRYPTION_KEYS']}"

    done = await officepro_with(given, "secrets", "reencrypt")

    assert done.exit_code == 1
    assert f"subscriptions {lost})" in done.err
    assert "whsec" not in done.out + done.err
    assert keys(NEW).open((await stored(house, found))[0]) == "whsec_found"


@pytest.mark.usefixtures("no_subscriptions")
async def test_an_interrupted_run_is_taken_up_and_batches_leave_nobody_out(
    demo_office: Office, straight_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = demo_office.house
    monkeypatch.setattr(reencryption, "BATCH_ROWS", 2)
    old = house.settings.given["OFFICEPRO_ENCRYPTION_KEYS"]
    for number in range(5):
        await subscribe(house, demo_office, keys(old), f"whsec_{number}")
    sealer = keys(NEW, old)
    really, left = sealer.seal, [3]

    def seal_three(secret: str) -> str:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return really(secret)

    monkeypatch.setattr(sealer, "seal", seal_three)
    with pytest.raises(KeyboardInterrupt):
        await reencrypt(straight_database, sealer)
    monkeypatch.setattr(sealer, "seal", really)

    counts = await reencrypt(straight_database, sealer)

    assert (counts.reencrypted, counts.already_current, counts.failed) == (3, 2, 0)
