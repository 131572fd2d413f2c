"""GET /docs/errors: the error reference that the `type` of every problem document points to, one section per code."""

import base64
import hashlib
from functools import cache
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response, Router, get
from litestar.enums import MediaType

from officepro.access.guards import is_open
from officepro.documentation.errors import ErrorMeaning, every_error
from officepro.documentation.introduction import TITLE
from officepro.foundation.input import AnyRequest
from officepro.foundation.prepared import Prepared, prepared, send_prepared

# Advice by status, in addition to the description of each error.
ADVICE = {
    400: "Correct the request: `errors` lists up to 100 validation errors. Do not retry it unchanged.",
    401: "Get a new access token and retry with it. Admin endpoints need the admin secret.",
    403: "Ask the practice to extend the permissions of your key.",
    404: "Check the URL and ids. For privacy, records of other practices also return 404.",
    405: "Use one of the methods in the Allow header of the response.",
    408: "Retry and send the whole body without pauses.",
    409: "The resource's state conflicts with this request. Re-read it and retry with updated values.",
    412: "Read the record again, repeat your change on it, and send its new ETag in If-Match.",
    413: "Send a smaller request.",
    415: "Send JSON with `Content-Type: application/json`.",
    422: "The request is well-formed but not allowed. Fix the value described above and retry.",
    429: "Wait for the seconds in Retry-After, then retry.",
    500: "This is an error of the server. Retry later; if it persists, send the requestId to support.",
    503: "Wait for the seconds in Retry-After, then retry; repeat a POST with the same Idempotency-Key.",
}

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
main { max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
section { border-top: 1px solid color-mix(in srgb, currentcolor 20%, transparent); scroll-margin-top: 1rem }
section:target { outline: 2px solid; outline-offset: .5rem }
h2 { font: 600 1.1rem ui-monospace, monospace }
h2 a { color: inherit; text-decoration: none }
h2 a:hover { text-decoration: underline }
.status { font-weight: 600 }
.advice { opacity: .8 }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


@get("/docs/errors", include_in_schema=False, media_type=MediaType.HTML)
async def errors_page(request: AnyRequest) -> Response[bytes]:
    """Return the error reference as HTML."""
    return send_prepared(request, _page(), "text/html", _HEADERS)


@cache  # at the first request, when all error classes have been imported
def _page() -> Prepared:
    by_code = sorted(every_error(), key=_code)
    text = _templates.get_template("errors.html").render(
        title=TITLE,
        style=_STYLE,
        advice=ADVICE,
        errors=[(code, list(meanings)) for code, meanings in groupby(by_code, key=_code)],
    )
    return prepared(text.encode())


def _code(error: ErrorMeaning) -> str:
    return error.code


router = Router("/", guards=[is_open("error descriptions are public")], route_handlers=[errors_page])
