"""GET /openapi.json: the document, made once and then the same bytes for everybody. (API.md: Service)"""

import hashlib
from typing import Annotated, Any, ClassVar

import msgspec
from litestar import Litestar, Response, Router, get
from litestar.enums import MediaType
from litestar.params import HeaderParameter

from officepro.access.guards import is_open
from officepro.documentation.document import document
from officepro.foundation.documented import documented
from officepro.foundation.input import AnyRequest
from officepro.foundation.wire import encode


class OpenApi(bytes):
    """The document as it is sent."""

    json_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "required": ["openapi", "info", "paths"],
        "properties": {"openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"}},
    }


class Served(msgspec.Struct, frozen=True):
    """The document with its version."""

    body: OpenApi
    etag: str


@get(
    "/openapi.json",
    summary="This document",
    media_type=MediaType.JSON,
    opt=documented(
        answer_headers={"ETag": "This version of the document; send it back in If-None-Match."},
        further_answers={304: "You have this version already."},
    ),
)
async def openapi_document(
    request: AnyRequest,
    if_none_match: Annotated[
        str | None, HeaderParameter(name="If-None-Match", description="The ETag of the version that you have.")
    ] = None,
) -> Response[OpenApi]:
    """The whole API in OpenAPI 3.1, drawn from the very routes that answer."""
    served = _served(request.app)
    headers = {"ETag": served.etag, "Cache-Control": "no-cache"}
    if if_none_match is not None and (served.etag in if_none_match or if_none_match.strip() == "*"):
        return Response(OpenApi(), status_code=304, headers=headers)
    return Response(served.body, headers=headers)


def _served(app: Litestar) -> Served:
    """Made at the first request rather than at the start: only then are all routes there."""
    served: Served | None = app.state.get("openapi")
    if served is None:
        body = OpenApi(encode(document(app, app.state.settings.public_url)))
        app.state.openapi = served = Served(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
    return served


router = Router(
    "/",
    guards=[is_open("whoever writes a client may read what there is")],
    route_handlers=[openapi_document],
    tags=["Service"],
)
