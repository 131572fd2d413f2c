"""Which URLs are refused, and in which spelling the others are dialled."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from officepro.foundation.outbound.client import OutboundClient
from officepro.foundation.outbound.failures import ForbiddenAddress, InvalidUrl
from officepro.foundation.outbound.urls import check_url

PLAIN = [ip_network("127.0.0.0/8")]


@pytest.mark.parametrize(
    "url",
    [
        *("", " ", "https://", "https:///", "https:partner.example", "//partner.example/", "partner.example", "/hook"),
        *("ftp://partner.example/", "file:///etc/passwd", "gopher://partner.example/", "javascript:alert(1)"),
        *("https://user@partner.example/", "https://user:pass@partner.example/", "https://@partner.example/"),
        *("https://partner.example@127.0.0.1/", "https://127.0.0.1\\@partner.example/", "https:\\\\partner.example"),
        *("https://partner.example/#part", "https://partner.example#@127.0.0.1/", "https://partner.example/a#"),
        *("https://partner.example:0/", "https://partner.example:65536/", "https://partner.example:99999/"),
        *("https://partner.example:-1/", "https://partner.example:/", "https://partner.example:8x/"),
        *("https://partner.example:٤٤٣/", "https://partner.example:443:80/", "https://partner.example:22/"),
        *("https://partner.example:25/", "https://partner.example:6000/", "https://partner.example:10080/"),
        *("https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[::1%]/", "https://[::1/", "https://::1/"),
        *("https://[]/", "https://[127.0.0.1]/", "https://[v1.a]/", "https://[::1]x/", "https://[::g]/"),
        *("https://partner example/", "https://partner.example/a b", " https://partner.example/"),
        *("https://partner.example/\n", "https://partner.example\r\nHost: x/", "https://partner.example/\t"),
        *("https://partner.example\x00/", "https://partner.example/\x00", "https://partner.example/é", "https://%31/"),
        *("https://partner..example/", "https://.partner.example/", "https://-a.example/", "https://a-.example/"),
        *("https://partner.example../", "https://./", "https://a,b.example/", "https://a*b.example/", "https://$/"),
        *(f"https://{'a' * 64}.example/", f"https://{'a.' * 127}example/", "https://partner.example/" + "a" * 2048),
        *(
            "https://℀.example/",
            "https://\u200b/",
            "https://\ud800.example/",
            "https://a\u3002\u3002b/",
            "https://xn--/",
        ),
    ],
)
def test_a_url_that_is_not_plainly_one_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl, match=r"^[A-Z].*\.$"):
        check_url(url, PLAIN)


@pytest.mark.parametrize(
    ("url", "dialled", "host", "port"),
    [
        ("https://partner.example", "https://partner.example/", "partner.example", 443),
        ("https://partner.example:443/a", "https://partner.example/a", "partner.example", 443),
        ("HTTPS://Partner.EXAMPLE.:8443?a=1", "https://partner.example:8443/?a=1", "partner.example", 8443),
        ("https://bücher.example/", "https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
        ("https://straße.example/", "https://xn--strae-oqa.example/", "xn--strae-oqa.example", 443),
        ("https://8.8.8.8/", "https://8.8.8.8/", "8.8.8.8", 443),
        ("https://[2606:4700:0:0::1]:8443/", "https://[2606:4700::1]:8443/", "[2606:4700::1]", 8443),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x", "127.0.0.1", 8080),
        ("http://localhost/x", "http://localhost/x", "localhost", 80),
        ("https://a_b.example/x", "https://a_b.example/x", "a_b.example", 443),
        ("https://a.example/%2e%2E/?sig=a%2Bb%2F%3D&x=[1]", None, "a.example", 443),
        ("https://a.example/user@b.example:22//?u=https://c@d", None, "a.example", 443),
    ],
)
def test_a_good_url_has_one_spelling(url: str, dialled: str | None, host: str, port: int) -> None:
    parsed = check_url(url, PLAIN)
    assert (parsed.url, parsed.host, parsed.port) == (dialled or url, host, port)


HOSTILE_TEXT = st.text(max_size=40) | st.text(alphabet="ab1.:/@[]%#?\\-x0é。☃ \n", max_size=25)


@given(st.sampled_from(["https://", "http://", "https://a.b", "https://[", ""]), HOSTILE_TEXT)
def test_no_url_raises_anything_else_or_is_seen_differently_by_the_client(start: str, text: str) -> None:
    try:
        parsed = check_url(start + text, PLAIN)
    except (InvalidUrl, ForbiddenAddress):
        return
    scheme, target = OutboundClient(PLAIN)._check_target(parsed.url)  # raises if aiohttp's parser saw another host
    assert (scheme, target.raw_host) == (parsed.scheme, parsed.host.strip("[]"))
    assert parsed.url in (str(target), f"{target}?")  # an empty query is dropped
    assert check_url(parsed.url, PLAIN) == parsed
