"""Signing in with an API key or the admin secret, and out again. (seeds: Partner Portal Login)

A form that is sent when its session has ended is not lost: it is kept in the page that asks to sign in again, and can
be sent from there afterwards.
"""

import json
from typing import Annotated, Any
from urllib.parse import urlsplit

from litestar import Response, Router, get, post
from litestar.params import QueryParameter

from officepro.access.asked import TheDatabase, TheGate
from officepro.access.gate import InvalidApiKey, TooManyFailures
from officepro.access.guards import address_of
from officepro.portal import sessions
from officepro.portal.frame import (
    MAXIMUM_FORM_BYTES,
    AnyRequest,
    SignedIn,
    checked_form,
    go_to,
    open_page,
    page,
    session_cookie,
    visitor_of,
)

NextAddress = Annotated[str, QueryParameter(name="next", max_length=2000)]


@get("/login", guards=[open_page])
async def show_login(request: AnyRequest, next_address: NextAddress = "/portal") -> Response[str]:
    return page(request, "login.html", fault=None, next_address=_own(next_address), kept=None)


@post("/login", guards=[open_page], status_code=200)
async def sign_in(request: AnyRequest, database: TheDatabase, gate: TheGate) -> Response[Any]:
    form = await request.form()
    next_address, kept = _own(str(form.get("next", "/portal"))), str(form.get("kept", ""))[:MAXIMUM_FORM_BYTES]
    try:
        api_key_id = await gate.sign_in(str(form.get("secret", "")).strip(), address_of(request.scope))
    except TooManyFailures as failure:
        request.scope["error_code"] = failure.code  # type: ignore[typeddict-unknown-key]
        return page(request, "login.html", status=429, fault=failure.detail, next_address=next_address, kept=kept)
    except InvalidApiKey:
        fault = "Invalid access key"
        return page(request, "login.html", status=401, fault=fault, next_address=next_address, kept=kept)
    async with database.system() as db:
        await sessions.forget_ended(db)
        name = await sessions.start(db, api_key_id)
        visitor = await sessions.find(db, name)
    cookie = session_cookie(request.scope, name)
    if not kept:
        return go_to(next_address, cookie)
    request.scope["visitor"] = visitor  # type: ignore[typeddict-unknown-key]
    return page(request, "resume.html", cookies=cookie, address=next_address, fields=_fields(kept))


@post("/logout", guards=[SignedIn()], status_code=200)
async def sign_out(request: AnyRequest, database: TheDatabase) -> Response[None]:
    await checked_form(request)
    async with database.system() as db:
        await sessions.end(db, visitor_of(request).session)
    return go_to("/portal/login", session_cookie(request.scope, ""))


def ask_to_sign_in(request: AnyRequest, typed: list[tuple[str, str]]) -> Response[Any]:
    """In place of a page that needs a session: by GET it is gone back to, and a form that was sent is kept."""
    if request.method == "GET":
        return go_to("/portal/login", None, next=_own(str(request.url)))
    fault = "Your session has ended. What you typed is kept: sign in, and send it from the next page."
    return page(request, "login.html", status=401, fault=fault, next_address=request.url.path, kept=json.dumps(typed))


def _own(address: str) -> str:
    """An address of the portal itself, whatever was asked for: nobody is sent elsewhere by signing in."""
    parts = urlsplit(address)
    path = parts.path if parts.path.startswith("/portal") and "\\" not in address else "/portal"
    return f"{path}?{parts.query}" if parts.query and path == parts.path else path


def _fields(kept: str) -> list[tuple[str, str]]:
    try:
        fields = json.loads(kept)
        return [(str(name), str(value)) for name, value in fields]
    except (ValueError, TypeError):
        return []


router = Router("/portal", route_handlers=[show_login, sign_in, sign_out])
