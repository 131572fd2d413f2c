"""GET /openapi.json: the document, generated once and then served as the same bytes. (API.md: Service)"""

from typing import Annotated, Any, ClassVar, cast

from litestar import Response, Router, get
from litestar.enums import MediaType
from litestar.params import HeaderParameter

from officepro.access.guards import is_open
from officepro.documentation.document import document
from officepro.foundation.documented import documented
from officepro.foundation.input import AnyRequest
from officepro.foundation.prepared import Prepared, prepared, send_prepared
from officepro.foundation.wire import encode


class OpenApi(bytes):
    """The encoded OpenAPI document."""

    json_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "required": ["openapi", "info", "paths"],
        "properties": {"openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"}},
    }


@get(
    "/openapi.json",
    summary="Get the OpenAPI document",
    media_type=MediaType.JSON,
    opt=documented(
        answer_headers={"ETag": "Version of the document; send it in If-None-Match."},
        further_answers={304: "Not modified: you have this version already."},
    ),
)
async def openapi_document(
    request: AnyRequest,
    if_none_match: Annotated[
        str | None, HeaderParameter(name="If-None-Match", description="The ETag of the version that you have.")
    ] = None,
) -> Response[OpenApi]:
    """Returns the whole API in OpenAPI 3.1, generated from the routes."""
    made: Prepared | None = request.app.state.get("openapi")
    if made is None:  # at the first request, when all routes are registered
        body = encode(document(request.app, request.app.state.settings.public_url))
        request.app.state.openapi = made = prepared(body)
    return cast(Response[OpenApi], send_prepared(request, made, MediaType.JSON))


router = Router(
    "/",
    guards=[is_open("the API reference is public")],
    route_handlers=[openapi_document],
    tags=["Service"],
)
