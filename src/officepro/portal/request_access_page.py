"""Public form for POST /v1/access-requests, with scopes in plain words."""

from typing import Any

import msgspec
from litestar import Response, Router, get, post

from officepro.access.asked import TheDatabase, TheGate
from officepro.access.guards import address_of
from officepro.access.limits import network_of
from officepro.access.scopes import MEANINGS
from officepro.foundation.errors import Fault
from officepro.foundation.wire import decode_hook
from officepro.portal.frame import AnyRequest, checked_open_form, open_form_page, open_page
from officepro.requests.queries import Wish
from officepro.requests.routes import REQUESTS_PER_HOUR, refuse_beyond_limit, save
from officepro.requests.shapes import AskForAccess

FIELDS = ("company", "practice", "contact", "email", "purpose")
_LABELS = {"company": "Company", "practice": "Practice", "contact": "Contact", "email": "E-mail", "purpose": "Purpose"}


@get("/request-access", guards=[open_page])
async def show_request_access(request: AnyRequest) -> Response[str]:
    """Return the form."""
    return _show(request)


@post("/request-access", guards=[open_page], status_code=200)
async def ask(request: AnyRequest, database: TheDatabase, gate: TheGate) -> Response[Any]:
    """Save the request, or show the form again with its errors. Raises RateLimited."""
    form = await checked_open_form(request)
    typed: dict[str, Any] = {name: form.get(name, "").strip() for name in FIELDS}
    typed["scopes"] = [scope for scope in form.get("scopes", "").split(",") if scope]
    faults = _faults(typed)
    if faults:
        return _show(request, typed=typed, faults=faults)
    address = address_of(request.scope)
    refuse_beyond_limit(gate.look(REQUESTS_PER_HOUR, network_of(address)))
    async with database.system_transaction() as db:
        await save(db, Wish(**typed), gate, address)
    return _show(request, sent=True)


def _show(
    request: AnyRequest, *, typed: dict[str, Any] | None = None, faults: list[Fault] | None = None, sent: bool = False
) -> Response[str]:
    return open_form_page(
        request,
        "request_access.html",
        status=400 if faults else 200,
        typed=typed or {"scopes": []},
        faults=faults or [],
        sent=sent,
        labels=_LABELS,
        scopes=MEANINGS,
    )


def _faults(typed: dict[str, Any]) -> list[Fault]:
    """Return the validation errors, as the API would report them."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(AskForAccess)}
    faults = []
    for name, value in typed.items():
        try:
            msgspec.convert(value, fields[name], dec_hook=decode_hook)
        except msgspec.ValidationError:
            faults.append(Fault(name, _WANTED.get(name, "is required, with at most 200 characters")))
    return faults


_WANTED = {
    "email": "must be an e-mail address, such as jane@example.com",
    "scopes": "must name at least one",
    "purpose": "must have at most 2,000 characters",
}


router = Router("/portal", route_handlers=[show_request_access, ask])
