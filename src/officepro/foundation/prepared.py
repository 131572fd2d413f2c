"""Documents that are the same for every reader: made and compressed once, then sent as they are.

`/docs/console` took 40 ms of processor time and 600 kB for each request of anybody.
"""

import gzip
import hashlib
import re

import msgspec
from litestar import Response

from officepro.foundation.input import AnyRequest

_NO_GZIP = re.compile(r"gzip\s*;\s*q=0(?:\.0*)?\s*(?:,|$)")


class Prepared(msgspec.Struct, frozen=True):
    """A document with its version, as it is and compressed."""

    body: bytes
    compressed: bytes
    version: str

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    @property
    def etag_compressed(self) -> str:
        """Another one: a strong ETag is of the bytes that are sent. (RFC 9110, 8.8.1)"""
        return f'"{self.version}-gzip"'


def prepared(body: bytes) -> Prepared:
    return Prepared(body, gzip.compress(body, mtime=0), hashlib.sha256(body).hexdigest()[:32])


def send_prepared(
    request: AnyRequest, document: Prepared, media_type: str, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """Return the response in the coding that the caller accepts, or 304 where it has this version."""
    accepted = request.headers.get("accept-encoding", "")
    is_compressed = "gzip" in accepted and not _NO_GZIP.search(accepted)
    etag = document.etag_compressed if is_compressed else document.etag
    headers = {**(headers or {}), "ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or document.etag in known or document.etag_compressed in known:
        return Response(b"", status_code=304, headers=headers)
    if is_compressed:
        headers["Content-Encoding"] = "gzip"
    body = document.compressed if is_compressed else document.body
    return Response(body, media_type=media_type, headers=headers)
