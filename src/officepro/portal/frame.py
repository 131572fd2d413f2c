"""What every page is made of: the frame around it, who may see it, and the headers that keep hostile text text."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import urlencode

import jinja2
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from markupsafe import Markup, escape

from officepro.access.guards import PageGuard, is_open
from officepro.foundation.clock import now
from officepro.foundation.database import Database
from officepro.foundation.errors import Forbidden, Invalid, NotFound, OfficeProError
from officepro.portal import sessions
from officepro.portal.sessions import Visitor

MAXIMUM_FORM_BYTES = 64 * 1024
MAXIMUM_SAID_CHARACTERS = 300
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGES = (  # address, name, who: in the order of the rail
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
    """Sign in to see this page."""

    status = 303
    code = "signed_out"

    def __init__(self, typed: list[tuple[str, str]]) -> None:
        """`typed` is the form that was sent, whose fields shall not be lost."""
        self.typed = typed
        super().__init__()


class WrongForm(Forbidden):
    """This form is out of date: open the page again and repeat what you did."""

    code = "form_out_of_date"


class SignedIn(PageGuard):
    """A guard: somebody who is signed in, and is an admin where the page is the admin's."""

    def __init__(self, *, admin: bool = False, scope: str | None = None) -> None:
        self.admin = admin
        self.scope = scope

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        name = connection.cookies.get(cookie_name(connection.scope))
        visitor = None
        if name:
            database: Database = connection.app.state.database
            async with database.system() as db:
                visitor = await sessions.find(db, name)
        if visitor is None:
            raise SignedOut(await _typed(connection))
        if not may_see(visitor, "admin" if self.admin else self.scope or "all"):
            raise NotFound("There is no such page for you.")
        connection.scope["visitor"] = visitor  # type: ignore[typeddict-unknown-key]


async def _typed(connection: ASGIConnection[Any, Any, Any, Any]) -> list[tuple[str, str]]:
    if not isinstance(connection, Request) or connection.method != "POST":
        return []
    form = await connection.form()
    return [(name, str(value)) for name, value in form.multi_items() if name != "csrf_token"]


# The portal's pages answer to a session, not to a bearer token: the API's own guards do not apply to them.
open_page = is_open("a page that is there before anybody has signed in")


def may_see(visitor: Visitor, who: str) -> bool:
    return who == "all" or visitor.is_admin or who in visitor.scopes


def visitor_of(request: AnyRequest) -> Visitor:
    visitor: Visitor = request.scope["visitor"]  # type: ignore[typeddict-item]
    return visitor


async def checked_form(request: AnyRequest) -> dict[str, str]:
    """The fields of a form that was sent from our own page; many values of one name are joined by commas.

    Raises WrongForm when the token is not the session's own.
    """
    form = await request.form()
    token = str(form.get("csrf_token", ""))
    if not hmac.compare_digest(token.encode(), visitor_of(request).csrf_token.encode()):
        raise WrongForm
    return {name: ",".join(str(value) for value in form.getall(name)) for name in form if name != "csrf_token"}


def chosen_practice(form: dict[str, str]) -> str | None:
    """The practice that a form names; None for all of them, which must be chosen as such. Raises Invalid."""
    practicepass = form.get("practice", "")
    if not practicepass:
        raise Invalid.at("practice", "must be chosen: one of the list, or all of them")
    return None if practicepass == "*" else practicepass


def page(
    request: AnyRequest,
    template: str,
    *,
    status: int = 200,
    cookies: Mapping[str, str] | None = None,
    **values: Any,
) -> Response[str]:
    """A whole page in the frame; `values` are what the template shows."""
    visitor: Visitor | None = request.scope.get("visitor")  # type: ignore[assignment]
    rail = [(address, name) for address, name, who in PAGES if visitor and may_see(visitor, who)]
    text = _templates.get_template(template).render(
        visitor=visitor, rail=rail, here=request.url.path.rstrip("/"), version=VERSION, now=now(), **values
    )
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store", **_SAFE}
    return Response(text, media_type="text/html", status_code=status, headers={**headers, **(cookies or {})})


def go_to(address: str, cookies: Mapping[str, str] | None = None, **query: str) -> Response[None]:
    """After a form: the page to look at next, by GET."""
    location = f"{address}?{urlencode(query)}" if query else address
    return Response(None, status_code=303, headers={"Location": location, **_SAFE, **(cookies or {})})


def tell(visitor: Visitor, address: str, said: str) -> Response[None]:
    """After a form: the page to look at next, and what it says on top. With a proof that only this session's pages can
    make, so that nobody's link puts words into our mouth."""
    said = said[:MAXIMUM_SAID_CHARACTERS]
    return go_to(address, None, said=said, proof=_proof(visitor, said))


def said_to(visitor: Visitor, said: str, proof: str) -> str:
    """What `tell` said; nothing where somebody else did."""
    return said if hmac.compare_digest(_proof(visitor, said).encode(), proof.encode()) else ""


def _proof(visitor: Visitor, said: str) -> str:
    return hmac.new(visitor.csrf_token.encode(), b"said on a page: " + said.encode(), hashlib.sha256).hexdigest()


_SAFE = {
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def cookie_name(scope: Any) -> str:
    """The browser holds a `__Host-` cookie to this host and to TLS; plain HTTP, as in development, knows none."""
    return "__Host-officepro" if _is_secure(scope) else "officepro-session"


def session_cookie(scope: Any, name: str) -> dict[str, str]:
    """The header that gives the browser its session, or takes it away when the name is empty."""
    life = "" if name else "; Max-Age=0"
    secure = "; Secure" if _is_secure(scope) else ""
    return {"Set-Cookie": f"{cookie_name(scope)}={name}; Path=/; HttpOnly; SameSite=Strict{secure}{life}"}


def _is_secure(scope: Any) -> bool:
    settings = scope["litestar_app"].state.settings
    return bool(scope["scheme"] == "https" or settings.public_url.startswith("https://"))


def local_moment(moment: datetime | None) -> str:
    """`2026-11-21 09:41:07`, in UTC as the page says."""
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")


def prose(text: str) -> Markup:
    """Our own sentences, in which `code` stands between backticks."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 -- escaped one word before


_templates.filters["prose"] = prose
_templates.filters["moment"] = local_moment
_templates.filters["thousands"] = lambda number: f"{number:,}"
# For choices: (value, text) from rows of two columns, and from plain values.
_templates.filters["pairs"] = lambda rows, value, text: [(row[value], row[text]) for row in rows]
_templates.filters["zip_same"] = lambda values: [(value, value) for value in values]
