"""Protection of the portal's forms against cross-site request forgery.

Two independent checks. First, before the body is read, `refuse_cross_site` checks the origin of the form as reported by
the browser: `Sec-Fetch-Site`, or `Origin` if that is missing. Second, each form contains a token: an HMAC of a cookie,
which other sites can neither read nor send. For a client that sends neither header, such as an old browser, only the
token protects.

Forms of a session are bound to the session's cookie, forms before a session (login, request for access) to a separate
cookie. (OWASP: Cross-Site Request Forgery Prevention, signed double-submit cookie; RFC 6454 for `Origin`)
"""

import hashlib
import hmac
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from litestar.connection import ASGIConnection
from litestar.enums import RequestEncodingType
from litestar.handlers import BaseRouteHandler

from officepro.foundation.errors import Forbidden, Invalid, UnsupportedMedia
from officepro.foundation.input import AnyRequest, header_of

MAXIMUM_FIELDS = 200
TOKEN_FIELD = "csrf_token"  # noqa: S105 -- the name of a field
MULTIPLE_FIELDS = frozenset({"scopes"})  # fields that may be repeated
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CrossSiteForm(Forbidden):
    """The form was sent by a page of another site. Open the portal and send the form from its own page."""

    code = "cross_site_form"


class WrongForm(Forbidden):
    """The form has expired. Reload the page and submit it again."""

    code = "form_out_of_date"


class NotAForm(UnsupportedMedia):
    """Submit the form from its page: the portal accepts only `application/x-www-form-urlencoded`."""


async def refuse_cross_site(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Raise CrossSiteForm if the browser reports that another site sent this request.

    `same-site` is refused as well: another host of the same domain is not the portal. `none` is a user's action, such
    as a reload. Over plain HTTP browsers omit `Sec-Fetch-Site`, but send `Origin` with every POST.
    """
    if connection.scope["method"] in _SAFE_METHODS:  # type: ignore[typeddict-item]
        return
    site = header_of(connection.scope, b"sec-fetch-site")
    if site == "same-origin":
        return
    origin = header_of(connection.scope, b"origin")
    if site not in (None, "none") or (origin is not None and not _is_own(connection.scope, origin)):
        raise CrossSiteForm


def _is_own(scope: Any, origin: str) -> bool:
    """Whether the origin is this server's: of the request's Host, or of OFFICEPRO_PUBLIC_URL."""
    host = (header_of(scope, b"host") or "").lower()
    public = urlsplit(scope["litestar_app"].state.settings.public_url)
    own = {f"https://{host}", f"{public.scheme}://{public.netloc}".lower()}
    if scope["scheme"] != "https":
        own.add(f"http://{host}")
    return origin.lower() in own


def new_secret() -> str:
    """Return a random cookie value."""
    return secrets.token_urlsafe(32)


def token_of(cookie: str) -> str:
    """Return the token of forms that are bound to this cookie value."""
    return hmac.new(cookie.encode(), b"portal form", hashlib.sha256).hexdigest()


def is_token(given: str, expected: str) -> bool:
    """Compare a token in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


async def read_form(request: AnyRequest) -> list[tuple[str, str]]:
    """Return the fields in the order in which they were sent.

    Raises NotAForm, and Invalid for input that no browser sends: text that is not UTF-8, the character NUL, a repeated
    field.
    """
    if request.content_type[0] != RequestEncodingType.URL_ENCODED:
        raise NotAForm
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAXIMUM_FIELDS)
    except ValueError:
        detail = f"The form is invalid: it must be UTF-8, with at most {MAXIMUM_FIELDS} fields."
        raise Invalid([], detail) from None
    seen: set[str] = set()
    for name, value in fields:
        place = name[:50].replace("\0", "")
        if "\0" in name + value:
            raise Invalid.at(place, "must not contain the character NUL")
        if name in seen and name not in MULTIPLE_FIELDS:
            raise Invalid.at(place, "must be given once")
        seen.add(name)
    return fields
