"""GET /.well-known/security.txt (RFC 9116), and the warning of a start whose public URL is not set."""

import logging
import re
from datetime import UTC, datetime, timedelta

import pytest

from officepro.cli.serve import warn_of_no_public_url
from officepro.security_contact import PATH, text_of
from officepro.settings import Settings, SettingsError
from tests.portal.test_sessions import another_worker
from tests.world import House


def fields_of(text: str) -> dict[str, str]:
    lines = [line.partition(": ") for line in text.splitlines()]
    assert len({name for name, _, _ in lines}) == len(lines)
    return {name: value for name, _, value in lines}


async def test_without_a_contact_there_is_no_such_file(house: House) -> None:
    answer = await house.stranger.get(PATH)

    assert answer.status_code == 404
    assert "has not configured a security contact" in answer.json()["detail"]


async def test_it_names_the_contact_an_end_and_where_it_belongs(house: House) -> None:
    async with another_worker(
        house, security_contact="security@example.com", public_url="https://api.example.com"
    ) as named:
        answer = await named.stranger.get(PATH)
    fields = fields_of(answer.text)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert fields["Contact"] == "mailto:security@example.com"
    assert fields["Preferred-Languages"] == "en"
    assert fields["Canonical"] == f"https://api.example.com{PATH}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", fields["Expires"])
    expires = datetime.fromisoformat(fields["Expires"])
    assert timedelta(days=30) < expires - datetime.now(UTC) < timedelta(days=365)


@pytest.mark.parametrize("public_url", ["", "http://api.example.com"])
def test_only_an_https_address_is_canonical(settings: Settings, public_url: str) -> None:
    text = text_of(settings.but(public_url=public_url, security_contact="https://example.com/security"))
    assert text is not None
    assert fields_of(text).keys() == {"Contact", "Expires", "Preferred-Languages"}
    assert fields_of(text)["Contact"] == "https://example.com/security"


@pytest.mark.parametrize(
    ("text", "contact"),
    [
        ("security@example.com", "mailto:security@example.com"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("https://example.com/report?x=1", "https://example.com/report?x=1"),
        ("tel:+1-201-555-0123", "tel:+1-201-555-0123"),
    ],
)
def test_a_contact_is_a_uri_or_an_e_mail_address(settings: Settings, text: str, contact: str) -> None:
    assert settings.but(security_contact=text).security_contact == contact


@pytest.mark.parametrize(
    "text", ["nobody", "http://example.com", "a@b\nExpires: never", "a b@example.com", "javascript:x@y", "@", "tel:x"]
)
def test_what_is_no_contact_is_refused_at_the_start(settings: Settings, text: str) -> None:
    with pytest.raises(SettingsError, match="OFFICEPRO_SECURITY_CONTACT must be an e-mail address"):
        settings.but(security_contact=text)


@pytest.mark.parametrize(
    ("host", "public_url", "warns"),
    [
        ("0.0.0.0", "", True),
        ("::", "", True),
        ("10.0.0.5", "", True),
        ("api.internal", "", True),
        ("127.0.0.1", "", False),
        ("::1", "", False),
        ("localhost", "", False),
        ("0.0.0.0", "https://api.example.com", False),
    ],
)
def test_a_start_without_a_public_url_warns_where_others_can_call(
    settings: Settings, caplog: pytest.LogCaptureFixture, host: str, public_url: str, warns: bool
) -> None:
    with caplog.at_level(logging.WARNING, logger="officepro"):
        warn_of_no_public_url(settings.but(host=host, public_url=public_url))
    assert [record.levelname for record in caplog.records] == (["WARNING"] if warns else [])
    if warns:
        assert "OFFICEPRO_PUBLIC_URL is not set" in caplog.text
        assert host in caplog.text
