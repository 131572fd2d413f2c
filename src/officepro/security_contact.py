"""GET /.well-known/security.txt: where to report a vulnerability of this server. (RFC 9116)"""

from datetime import timedelta

from litestar import Response, Router, get
from litestar.enums import MediaType

from officepro.access.asked import TheSettings
from officepro.access.guards import is_open
from officepro.foundation.clock import now
from officepro.foundation.errors import NotFound
from officepro.settings import Settings

PATH = "/.well-known/security.txt"
VALID_DAYS = 90  # from the day of the request; the RFC recommends less than a year


@get(PATH, include_in_schema=False)
async def security_txt(settings: TheSettings) -> Response[str]:
    """Return the file. Raises NotFound without a contact."""
    text = text_of(settings)
    if text is None:
        raise NotFound("The operator of this server has not configured a security contact.")
    return Response(text, media_type=MediaType.TEXT)


def text_of(settings: Settings) -> str | None:
    """Return the content of the file; None without a contact."""
    if not settings.security_contact:
        return None
    expires = now().date() + timedelta(days=VALID_DAYS)
    lines = [f"Contact: {settings.security_contact}", f"Expires: {expires}T00:00:00Z", "Preferred-Languages: en"]
    if settings.public_url.startswith("https://"):  # the RFC allows no other address
        lines.append(f"Canonical: {settings.public_url}{PATH}")
    return "".join(f"{line}\n" for line in lines)


router = Router("/", guards=[is_open("people who report a vulnerability have no key")], route_handlers=[security_txt])
