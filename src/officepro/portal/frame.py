"""Shared parts of all pages: layout, access control, security headers."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import urlencode

import jinja2
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from markupsafe import Markup, escape

from officepro.access.guards import PageGuard, is_open
from officepro.foundation.clock import now
from officepro.foundation.database import Database
from officepro.foundation.errors import Invalid, NotFound, OfficeProError
from officepro.foundation.input import header_of
from officepro.portal import csrf, sessions
from officepro.portal.csrf import TOKEN_FIELD, WrongForm, read_form
from officepro.portal.sessions import Visitor

MAXIMUM_FORM_BYTES = 64 * 1024
MAXIMUM_SAID_CHARACTERS = 300
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGES = (  # path, name, audience: in the order of the navigation
    ("/portal", "Overview", "all"),
    ("/portal/activity", "Recent activity", "all"),
    ("/portal/partners", "Partners", "admin"),
    ("/portal/keys", "API keys", "all"),
    ("/portal/requests", "API access requests", "admin"),
    ("/portal/webhooks", "Webhooks", "all"),
    ("/portal/calendar", "Calendar", "Providers"),
    ("/portal/disclosures", "Disclosures", "admin"),
    ("/portal/docs", "Documentation", "all"),
)

AnyRequest = Request[Any, Any, State]
Said = Annotated[str, QueryParameter(name="said", max_length=MAXIMUM_SAID_CHARACTERS)]
Proof = Annotated[str, QueryParameter(name="proof", max_length=64)]
STATIC = {path.name: path.read_bytes() for path in files(__package__).joinpath("static").iterdir()}
VERSION = hashlib.sha256(b"".join(STATIC[name] for name in sorted(STATIC))).hexdigest()[:12]

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("officepro.portal"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class SignedOut(OfficeProError):
    """Your session has ended. Sign in to view this page."""

    status = 303
    code = "signed_out"

    def __init__(self, typed: list[tuple[str, str]]) -> None:
        """`typed` are the fields of a form that was sent from a page of the ended session."""
        self.typed = typed
        super().__init__()


class SignedIn(PageGuard):
    """Guard: requires a session, optionally of the admin or with a scope."""

    def __init__(self, *, admin: bool = False, scope: str | None = None) -> None:
        self.admin = admin
        self.scope = scope

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        name = connection.cookies.get(cookie_name(connection.scope))
        visitor = None
        if name:
            database: Database = connection.app.state.database
            admin_secrets = connection.app.state.settings.admin_secrets
            async with database.system() as db:
                visitor = await sessions.find(db, name, admin_secrets, renews=not _is_background(connection))
        if visitor is None:
            raise SignedOut(await _typed(connection, name or ""))
        if not may_see(visitor, "admin" if self.admin else self.scope or "all"):
            raise NotFound("You don't have access to this page.")
        connection.scope["visitor"] = visitor  # type: ignore[typeddict-unknown-key]


def _is_background(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether a script of the page sent this request. Such requests do not extend the session."""
    return header_of(connection.scope, b"sec-fetch-dest") == "empty" or "rows" in connection.query_params


async def _typed(connection: ASGIConnection[Any, Any, Any, Any], session: str) -> list[tuple[str, str]]:
    """Return the fields of a form that was sent from a page of this browser's session. Fields of any other origin are
    never displayed."""
    if session and isinstance(connection, Request) and connection.method == "POST":
        with suppress(OfficeProError, HTTPException):
            fields = await read_form(connection)
            if csrf.is_token(dict(fields).get(TOKEN_FIELD, ""), csrf.token_of(session)):
                return [(name, value) for name, value in fields if name != TOKEN_FIELD]
    return []


# Portal pages authenticate by session, not by access token: the API's guards do not apply.
open_page = is_open("a page without sign-in")


def may_see(visitor: Visitor, who: str) -> bool:
    """Whether the visitor has access to pages for `who`: all, admin, or a scope."""
    return who == "all" or visitor.is_admin or who in visitor.scopes


def visitor_of(request: AnyRequest) -> Visitor:
    """Return the signed-in visitor, set by the guard."""
    visitor: Visitor = request.scope["visitor"]  # type: ignore[typeddict-item]
    return visitor


async def checked_form(request: AnyRequest) -> dict[str, str]:
    """Return the fields of a form of this session; repeated fields are joined by commas.

    Raises WrongForm if the token is not of this session, and the errors of `read_form`.
    """
    return _checked(await read_form(request), visitor_of(request).csrf_token)


async def checked_open_form(request: AnyRequest) -> dict[str, str]:
    """Return the fields of a form that `open_form_page` rendered, for a visitor without a session."""
    cookie = request.cookies.get(_form_cookie_name(request.scope), "")
    return _checked(await read_form(request), csrf.token_of(cookie) if cookie else "")


def _checked(fields: list[tuple[str, str]], token: str) -> dict[str, str]:
    form: dict[str, str] = {}
    for name, value in fields:
        form[name] = f"{form[name]},{value}" if name in form else value
    if not token or not csrf.is_token(form.pop(TOKEN_FIELD, ""), token):
        raise WrongForm
    return form


def chosen_practice(form: dict[str, str]) -> str | None:
    """Return the practice selected in a form; None for all, which must be selected explicitly. Raises Invalid."""
    practicepass = form.get("practice", "")
    if not practicepass:
        raise Invalid.at("practice", "must be chosen from the list")
    return None if practicepass == "*" else practicepass


def page(
    request: AnyRequest,
    template: str,
    *,
    status: int = 200,
    cookies: Mapping[str, str] | None = None,
    **values: Any,
) -> Response[str]:
    """Return a page with layout and security headers; `values` are the template's variables."""
    visitor: Visitor | None = request.scope.get("visitor")  # type: ignore[assignment]
    rail = [(address, name) for address, name, who in PAGES if visitor and may_see(visitor, who)]
    text = _templates.get_template(template).render(
        visitor=visitor, rail=rail, here=request.url.path.rstrip("/"), version=VERSION, now=now(), **values
    )
    return Response(text, media_type="text/html", status_code=status, headers={**PAGE_HEADERS, **(cookies or {})})


def fragment(template: str, **values: Any) -> str:
    """Render a template without the layout."""
    return _templates.get_template(template).render(**values)


def open_form_page(request: AnyRequest, template: str, *, status: int = 200, **values: Any) -> Response[str]:
    """Return a page with a form for a visitor without a session. Its token is bound to a separate cookie."""
    name = _form_cookie_name(request.scope)
    secret = request.cookies.get(name) or csrf.new_secret()
    # Lax, so that a link from an e-mail to the login does not replace the cookie of a form that is open in another tab.
    # Browsers do not send Lax cookies with a POST from another site.
    cookie = {"Set-Cookie": f"{name}={secret}; Path=/; HttpOnly; SameSite=Lax{_secure(request.scope)}"}
    cookies = {} if name in request.cookies else cookie
    return page(request, template, status=status, cookies=cookies, form_token=csrf.token_of(secret), **values)


def go_to(address: str, cookies: Mapping[str, str] | None = None, **query: str) -> Response[None]:
    """Redirect to the next page after a form (303, GET)."""
    location = f"{address}?{urlencode(query)}" if query else address
    return Response(None, status_code=303, headers={"Location": location, **SAFE, **(cookies or {})})


def tell(visitor: Visitor, address: str, said: str) -> Response[None]:
    """Redirect to the next page after a form, with a flash message. The proof binds the message to this session, so
    that a crafted link cannot display text."""
    said = said[:MAXIMUM_SAID_CHARACTERS]
    return go_to(address, None, said=said, proof=_proof(visitor, said))


def said_to(visitor: Visitor, said: str, proof: str) -> str:
    """Return the flash message if its proof is valid, else an empty string."""
    return said if hmac.compare_digest(_proof(visitor, said).encode(), proof.encode()) else ""


def _proof(visitor: Visitor, said: str) -> str:
    return hmac.new(visitor.csrf_token.encode(), b"said on a page: " + said.encode(), hashlib.sha256).hexdigest()


# Headers of every response of the portal except static files.
SAFE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PAGE_HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, **SAFE}


def cookie_name(scope: Any) -> str:
    """Return the name of the session cookie: with `__Host-` prefix over TLS, which binds it to this host; without over
    plain HTTP, as in development."""
    return "__Host-officepro" if _is_secure(scope) else "officepro-session"


def session_cookie(scope: Any, name: str) -> dict[str, str]:
    """Return the header that sets the session cookie, or deletes it if the name is empty."""
    life = "" if name else "; Max-Age=0"
    return {"Set-Cookie": f"{cookie_name(scope)}={name}; Path=/; HttpOnly; SameSite=Strict{_secure(scope)}{life}"}


def _form_cookie_name(scope: Any) -> str:
    return "__Host-officepro-form" if _is_secure(scope) else "officepro-form"


def _secure(scope: Any) -> str:
    return "; Secure" if _is_secure(scope) else ""


def _is_secure(scope: Any) -> bool:
    """Whether the client uses TLS, as determined by the edge middleware."""
    return bool(scope["scheme"] == "https")


def local_moment(moment: datetime | None) -> str:
    """Format a time in UTC: `2026-11-21 09:41:07`; empty for None."""
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")


def prose(text: str) -> Markup:
    """Escape text and render parts between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 -- escaped in the same expression


_templates.filters["prose"] = prose
_templates.filters["moment"] = local_moment
_templates.filters["thousands"] = lambda number: f"{number:,}"
# For select elements: (value, text) pairs from rows of two columns, and from plain values.
_templates.filters["pairs"] = lambda rows, value, text: [(row[value], row[text]) for row in rows]
_templates.filters["zip_same"] = lambda values: [(value, value) for value in values]
