"""ONE table of the portal's pages, and their error handler."""

from typing import Annotated, Any

from litestar import Response, Router, get
from litestar.exceptions import HTTPException
from litestar.params import PathParameter, QueryParameter

from officepro.failures import explained, log_failure
from officepro.foundation.errors import Invalid, NotFound, OfficeProError
from officepro.portal import (
    activity_page,
    calendar_page,
    disclosures_page,
    documentation_page,
    keys_page,
    login,
    overview,
    partners_page,
    request_access_page,
    requests_page,
    webhooks_page,
)
from officepro.portal.csrf import refuse_cross_site
from officepro.portal.frame import MAXIMUM_FORM_BYTES, STATIC, AnyRequest, SignedOut, open_page, page

_MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

FileName = Annotated[str, PathParameter(max_length=50)]
Version = Annotated[str, QueryParameter(name="v", max_length=20)]


@get("/portal/static/{name:str}", guards=[open_page])
async def show_static(name: FileName, version: Version = "") -> Response[bytes]:
    """Return a static file. Its URL contains a hash of the content, so that browsers can cache it permanently."""
    if name not in STATIC:
        raise NotFound
    return Response(
        STATIC[name],
        media_type=_MEDIA_TYPES[name.rpartition(".")[2]],
        headers={"Cache-Control": "public, max-age=31536000, immutable" if version else "no-cache"},
    )


def answer_fault(request: AnyRequest, error: Exception) -> Response[Any]:
    """Return an error page, or the login page if there is no session."""
    if isinstance(error, SignedOut):
        return login.ask_to_sign_in(request, error.typed)
    failure: OfficeProError = explained(request, error)
    request.scope["error_code"] = failure.code  # type: ignore[typeddict-unknown-key]
    if failure.status >= 500:
        log_failure(request, failure, error)
    return page(
        request,
        "fault.html",
        status=failure.status,
        title=failure.title,
        detail=failure.detail,
        errors=failure.faults if isinstance(failure, Invalid) else [],
        request_id=request.scope.get("request_id", ""),
    )


router = Router(
    "/",
    route_handlers=[
        show_static,
        login.router,
        overview.router,
        activity_page.router,
        calendar_page.router,
        partners_page.router,
        keys_page.router,
        requests_page.router,
        webhooks_page.router,
        disclosures_page.router,
        request_access_page.router,
        documentation_page.router,
    ],
    guards=[refuse_cross_site],  # before those of the pages
    exception_handlers={OfficeProError: answer_fault, HTTPException: answer_fault, Exception: answer_fault},
    request_max_body_size=MAXIMUM_FORM_BYTES,
    include_in_schema=False,
)
