"""GET /docs/errors: the place that every problem document's `type` points to, one section for each code."""

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

# What to do about any error of a status, beside what its own sentence says.
ADVICE = {
    400: "Correct the request: `errors` names the first 100 faults with their places. Sent as it was, it fails again.",
    401: "Get a new access token and send the request again with it; an admin sends the admin secret.",
    403: "Ask the practice: it decides what a key may do, and where.",
    404: "Check the address. A record of another practice cannot be told from one that does not exist.",
    405: "Use one of the methods in the answer's Allow header.",
    408: "Send the request again, without pauses inside its body.",
    409: "Look at how things stand now, and decide anew; the answer says what stood in the way.",
    412: "Read the record again, repeat your change on what you find, and send its new ETag in If-Match.",
    413: "Send less at once.",
    415: "Send JSON, and say so in Content-Type.",
    422: "Correct what the sentence names: it can be read, but cannot be done.",
    429: "Wait as many seconds as Retry-After says, then send the request again.",
    500: "It is our fault. Try again later; if it lasts, tell support the requestId.",
    503: "Wait as many seconds as Retry-After says, then send the request again, a POST with its Idempotency-Key.",
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
    return send_prepared(request, _page(), "text/html", _HEADERS)


@cache  # at the first request rather than at the start: only then are all errors there
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


router = Router("/", guards=[is_open("whoever meets an error may read what it means")], route_handlers=[errors_page])
