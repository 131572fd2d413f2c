"""Sign in with an API key or the admin secret, and sign out. (Source API specification: Partner Portal Login)

If a session has ended when its page sends a form, the fields are preserved in the login page, and can be submitted
after signing in.
"""

import re
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from litestar import Response, Router, get, post
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase, TheGate, TheSettings
from officepro.access.gate import InvalidApiKey, TooManyFailures
from officepro.access.guards import address_of
from officepro.portal import sessions
from officepro.portal.csrf import WrongForm
from officepro.portal.frame import (
    AnyRequest,
    SignedIn,
    checked_form,
    checked_open_form,
    cookie_name,
    go_to,
    open_form_page,
    open_page,
    page,
    session_cookie,
    visitor_of,
)

MAXIMUM_KEPT_CHARACTERS = 16 * 1024
MAXIMUM_NEXT_CHARACTERS = 2000

NextAddress = Annotated[str, QueryParameter(name="next", max_length=MAXIMUM_NEXT_CHARACTERS)]


@get("/login", guards=[open_page])
async def show_login(request: AnyRequest, next_address: NextAddress = "/portal") -> Response[str]:
    """Return the login page."""
    return _show(request, next_address=own_address(next_address))


@post("/login", guards=[open_page], status_code=200)
async def sign_in(request: AnyRequest, database: TheDatabase, gate: TheGate, settings: TheSettings) -> Response[Any]:
    """Start a session, then redirect to the requested page or show the preserved form."""
    try:
        form = await checked_open_form(request)
    except WrongForm:
        return _show(request, status=403, fault="The page had expired and nothing was changed. Sign in again.")
    next_address, kept = own_address(form.get("next", "")), form.get("kept", "")
    entered = form.get("secret", "").strip()
    try:
        api_key_id = await gate.sign_in(entered, address_of(request.scope))
        async with database.system_transaction() as db:
            await sessions.forget_ended(db)
            name = await sessions.start(db, api_key_id, entered)
            visitor = await sessions.find(db, name, settings.admin_secrets)
            if visitor is None:  # the key's practice is inactive
                raise InvalidApiKey
            await sessions.end_named(db, request.cookies.get(cookie_name(request.scope), ""))
    except TooManyFailures as failure:
        request.scope["error_code"] = failure.code  # type: ignore[typeddict-unknown-key]
        return _show(request, status=429, fault=failure.detail, next_address=next_address, kept=kept)
    except InvalidApiKey:
        return _show(request, status=401, fault="Invalid access key", next_address=next_address, kept=kept)
    cookie = session_cookie(request.scope, name)
    if not kept:
        return go_to(next_address, cookie)
    request.scope["visitor"] = visitor  # type: ignore[typeddict-unknown-key]
    fields = parse_qsl(kept, keep_blank_values=True)
    return page(request, "resume.html", cookies=cookie, address=next_address, fields=fields)


@post("/logout", guards=[SignedIn()], status_code=200)
async def sign_out(request: AnyRequest, database: TheDatabase) -> Response[None]:
    """End this session."""
    await checked_form(request)
    async with database.system() as db:
        await sessions.end(db, visitor_of(request).session)
    return go_to("/portal/login", session_cookie(request.scope, ""))


@post("/logout/everywhere", guards=[SignedIn()], status_code=200)
async def sign_out_everywhere(request: AnyRequest, database: TheDatabase) -> Response[None]:
    """End every session of this key, or of the admin, in all browsers."""
    await checked_form(request)
    async with database.system() as db:
        await sessions.end_all(db, visitor_of(request).api_key_id)
    return go_to("/portal/login", session_cookie(request.scope, ""))


def ask_to_sign_in(request: AnyRequest, typed: list[tuple[str, str]]) -> Response[Any]:
    """Return the login page in place of a page that needs a session. After a GET the visitor returns to the page; the
    fields of a form are preserved."""
    path = request.scope["path"]
    if request.method == "GET":
        query = request.scope["query_string"].decode("latin-1")
        address = own_address(f"{path}?{query}" if query else path)
        return go_to("/portal/login", None, next=address if len(address) <= MAXIMUM_NEXT_CHARACTERS else path)
    kept = urlencode(typed)
    if not kept or len(kept) > MAXIMUM_KEPT_CHARACTERS:
        return _show(request, status=401, fault="Your session has ended and nothing was changed. Sign in again.")
    fault = "Your session has ended. Your input is preserved: sign in, then submit it on the next page."
    return _show(request, status=401, fault=fault, next_address=own_address(path), kept=kept)


def _show(
    request: AnyRequest, *, status: int = 200, fault: str = "", next_address: str = "/portal", kept: str = ""
) -> Response[str]:
    return open_form_page(request, "login.html", status=status, fault=fault, next_address=next_address, kept=kept)


_OWN = re.compile(r"/portal(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?(\?[!-~]*)?")


def own_address(address: str) -> str:
    """Return the path if it is a portal page, else the overview: prevents open redirects."""
    return address if _OWN.fullmatch(address) else "/portal"


router = Router("/portal", route_handlers=[show_login, sign_in, sign_out, sign_out_everywhere])
