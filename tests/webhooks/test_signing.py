"""Signatures, checked against the reference library of Standard Webhooks in both directions."""

import base64
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from officepro.webhooks.signing import make_secret, sign, signature_header, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the specification's own example
BODY = '{"event": "patient.updated", "data": {"PatientID": 1001, "Name": "Zoë"}}'.encode()
NOW = 1_760_000_000


def headers(header: str, timestamp: int, message_id: str = "evt_1") -> dict[str, str]:
    """Return the Standard Webhooks headers of a message."""
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": header}


def test_the_signature_is_the_one_of_the_published_example() -> None:
    body = b'{"test": 2432232314}'
    assert sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


@given(st.binary(min_size=24, max_size=64), st.from_regex(r"\Aevt_[a-z0-9]{1,30}\Z"), st.text(max_size=200))
def test_the_reference_library_accepts_what_we_sign(key: bytes, message_id: str, text: str) -> None:
    secret, body, now = make_secret(key), text.encode(), int(time.time())
    sent = headers(signature_header([secret], message_id, now, body), now, message_id)
    Webhook(secret).verify(body, sent, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b"!", sent, json_parse=False)


@given(st.binary(min_size=24, max_size=64), st.text(max_size=200))
def test_we_accept_what_the_reference_library_signs(key: bytes, text: str) -> None:
    theirs = Webhook(make_secret(key)).sign("evt_1", datetime.fromtimestamp(NOW, UTC), text)
    assert verify([make_secret(key)], "evt_1", str(NOW), text.encode(), theirs, now_seconds=NOW)


def test_during_a_rotation_the_holder_of_either_secret_accepts() -> None:
    old, new, now = make_secret(), make_secret(), int(time.time())
    sent = headers(signature_header([new, old], "evt_1", now, BODY), now)
    Webhook(old).verify(BODY, sent)
    Webhook(new).verify(BODY, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(make_secret()).verify(BODY, sent)


def test_a_made_secret_holds_32_random_bytes() -> None:
    secrets = {make_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"))) == 32 for secret in secrets)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_within_five_minutes_a_message_is_recent(seconds: int) -> None:
    assert verify([SECRET], "evt_1", str(NOW), BODY, sign(SECRET, "evt_1", NOW, BODY), now_seconds=NOW + seconds)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_outside_five_minutes_it_is_a_replay(seconds: int) -> None:
    assert not verify([SECRET], "evt_1", str(NOW), BODY, sign(SECRET, "evt_1", NOW, BODY), now_seconds=NOW + seconds)


@pytest.mark.parametrize(
    ("message_id", "timestamp", "header"),
    [
        ("evt_2", str(NOW), None),
        ("evt_1", str(NOW + 1), None),
        ("", str(NOW), None),
        ("evt_1." + str(NOW), str(NOW), None),
        ("evt_1", "", None),
        ("evt_1", "-1", None),
        ("evt_1", "1e9", None),
        ("evt_1", "٣", None),
        ("evt_1", "9" * 5000, None),
        ("evt_1", str(NOW), ""),
        ("evt_1", str(NOW), "v1,"),
        ("evt_1", str(NOW), "v1,Zoë"),
        ("evt_1", str(NOW), "v2," + sign(SECRET, "evt_1", NOW, BODY)[3:]),
        ("evt_1", str(NOW), sign(SECRET, "evt_1", NOW, BODY)[3:]),
        ("evt_1", str(NOW), sign(SECRET, "evt_1", NOW, BODY)[:-2]),
    ],
)
def test_anything_forged_or_malformed_is_refused_without_an_error(
    message_id: str, timestamp: str, header: str | None
) -> None:
    header = sign(SECRET, "evt_1", NOW, BODY) if header is None else header
    assert not verify([SECRET], message_id, timestamp, BODY, header, now_seconds=NOW)


def test_signatures_of_other_versions_are_passed_over() -> None:
    header = "v1a,AAAA v2,BBBB  " + sign(SECRET, "evt_1", NOW, BODY)
    assert verify([SECRET], "evt_1", str(NOW), BODY, header, now_seconds=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA"])
def test_a_malformed_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook"):
        sign(secret, "evt_1", NOW, BODY)


@pytest.mark.parametrize("length", [0, 23, 65])
def test_a_key_has_24_to_64_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        make_secret(b"k" * length)


@pytest.mark.parametrize("message_id", ["", "evt.1"])
def test_a_message_id_cannot_run_into_the_timestamp(message_id: str) -> None:
    with pytest.raises(ValueError, match="full stop"):
        sign(SECRET, message_id, NOW, BODY)


def test_without_a_secret_there_is_no_header() -> None:
    with pytest.raises(ValueError, match="secret"):
        signature_header([], "evt_1", NOW, BODY)
