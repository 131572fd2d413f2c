"""Protection of the portal's forms against cross-site request forgery.

Two independent checks. First, before anything is read, `refuse_cross_site` looks at what the browser says of the page
that sent the form: `Sec-Fetch-Site`, or `Origin` where a browser does not send that. Second, each form carries a token
that only a page of this server could have written into it: an HMAC of a cookie of this browser, which other sites can
neither read nor have sent along. A client that sends neither header, such as an old browser, rests on the token alone.

Forms of a session are bound to the session's cookie, forms before a session (login, request for access) to a cookie of
their own. (OWASP: Cross-Site Request Forgery Prevention, signed double-submit cookie; RFC 6454 for `Origin`)
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
MULTIPLE_FIELDS = frozenset({"scopes"})  # of which a form may have several; of all others one
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CrossSiteForm(Forbidden):
    """This form was sent by a page of another site. Open the portal yourself and send the form from its own page."""

    code = "cross_site_form"


class WrongForm(Forbidden):
    """This form is out of date: open the page again and repeat what you did."""

    code = "form_out_of_date"


class NotAForm(UnsupportedMedia):
    """Send the form from its page: the portal takes `application/x-www-form-urlencoded` alone."""


async def refuse_cross_site(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Raise CrossSiteForm when the browser says that another site sent this request.

    `same-site` is refused as well: another host of the same domain is not the portal. `none` is the user's own doing,
    such as a reload. Browsers leave `Sec-Fetch-Site` out over plain HTTP, and there send `Origin` with every POST.
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
    """Whether it is this server's: of the Host that was called, or of OFFICEPRO_PUBLIC_URL."""
    host = (header_of(scope, b"host") or "").lower()
    public = urlsplit(scope["litestar_app"].state.settings.public_url)
    own = {f"https://{host}", f"{public.scheme}://{public.netloc}".lower()}
    if scope["scheme"] != "https":
        own.add(f"http://{host}")
    return origin.lower() in own


def new_secret() -> str:
    """A cookie's value, which nobody can guess."""
    return secrets.token_urlsafe(32)


def token_of(cookie: str) -> str:
    """The token of the forms that are bound to this cookie's value."""
    return hmac.new(cookie.encode(), b"portal form", hashlib.sha256).hexdigest()


def is_token(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


async def read_form(request: AnyRequest) -> list[tuple[str, str]]:
    """The fields as they were sent, in their order.

    Raises NotAForm, and Invalid for what no browser sends: text that is not UTF-8, the character NUL, a field twice.
    """
    if request.content_type[0] != RequestEncodingType.URL_ENCODED:
        raise NotAForm
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAXIMUM_FIELDS)
    except ValueError:
        detail = f"The form could not be read: it must be UTF-8, with at most {MAXIMUM_FIELDS} fields."
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
