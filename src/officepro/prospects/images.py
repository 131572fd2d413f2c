"""Check a PNG or JPEG and remove its metadata without decoding its pixels. Pure functions of bytes. (decision 21)

An image is split into chunks (PNG, ISO 15948) or segments (JPEG, ITU-T T.81) and reassembled from the parts that a
decoder needs. Location, time, camera, comments, embedded thumbnails and data after the end of the image are dropped.
"""

import re
import struct
import zlib
from collections.abc import Iterator

MAXIMUM_PIXELS = 4096  # of width and of height each
MAXIMUM_PARTS = 2000  # chunks or segments: bounds the work for 1 MiB of empty ones

_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNK_BYTES = {  # maximum length of each chunk type that is kept
    b"IHDR": 13,
    b"PLTE": 768,
    b"tRNS": 256,
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"IDAT": 2**31 - 1,
    b"IEND": 0,
}
_CHUNKS_ANYWHERE_ONCE = frozenset(_CHUNK_BYTES) - {b"IDAT"}
_BIT_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
_PALETTE, _GREYS = 3, (0, 4)

_SOI, _EOI, _SOS = b"\xff\xd8", 0xD9, 0xDA
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive Huffman: supported by browsers
_TABLES = frozenset({0xC4, 0xDB, 0xDD})  # Huffman, quantization, restart interval
_LEFT_OUT = frozenset({*range(0xE0, 0xF0), 0xFE})  # APPn and COM, except the parts that `_app_segment` keeps
_MARKER = re.compile(rb"\xff++([^\x00])")
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # not a stuffed byte, restart marker or fill byte
_JFIF_HEADER_BYTES, _ADOBE_BYTES = 12, 12
_ORIENTATION = 0x0112
_SHORT = 3  # TIFF's type of a 16-bit number


class InvalidImage(ValueError):
    """Raised for an image that is refused. The message states the problem and what to send instead."""


def without_metadata(image: bytes) -> bytes:
    """Return the image without metadata; an image without metadata is returned unchanged. Raises InvalidImage."""
    if image.startswith(_PNG):
        return _png(image)
    if image.startswith(_SOI):
        return _jpeg(image)
    raise InvalidImage("must be a PNG or a JPEG")


def _png(image: bytes) -> bytes:
    kept, types, colour_type = [_PNG], [b""], -1
    for kind, data, whole in _chunks(image):
        if (kind == b"IHDR") != (len(types) == 1):
            raise _damaged("PNG", "its header IHDR is not its first chunk")
        if kind not in _CHUNK_BYTES:
            if not kind[0] & 0x20:  # upper case: a decoder must know it
                raise _damaged("PNG", f"its chunk {kind.decode('ascii')} is unknown")
            continue
        if len(data) > _CHUNK_BYTES[kind] or (kind in _CHUNKS_ANYWHERE_ONCE and kind in types):
            raise _damaged("PNG", f"its chunk {kind.decode('ascii')} is too long or repeated")
        if kind == b"IHDR":
            colour_type = _png_header(data)
        if kind == b"PLTE" and (not data or len(data) % 3 or colour_type in _GREYS or b"IDAT" in types):
            raise _damaged("PNG", "its palette is invalid")
        if kind == b"IDAT" and b"IDAT" in types and types[-1] != b"IDAT":
            raise _damaged("PNG", "its chunks IDAT do not follow one another")
        types.append(kind)
        kept.append(whole)
    if b"IDAT" not in types or (colour_type == _PALETTE and b"PLTE" not in types):
        raise _damaged("PNG", "it has no pixels or no palette")
    return b"".join(kept)


def _chunks(image: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield type, data and raw bytes of each chunk up to IEND; bytes after it are ignored."""
    start = len(_PNG)
    for _ in range(MAXIMUM_PARTS):
        if start + 12 > len(image):
            raise _damaged("PNG", "the file ends before its chunk IEND")
        length, kind = struct.unpack_from(">I4s", image, start)
        end = start + 12 + length
        if end > len(image) or not (kind.isascii() and kind.isalpha()):
            raise _damaged("PNG", "one of its chunks is longer than the file or has an invalid type")
        whole = image[start:end]
        data = whole[8:-4]
        if zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:]):
            raise _damaged("PNG", f"the checksum of its chunk {kind.decode('ascii')} is wrong")
        yield kind, data, whole
        if kind == b"IEND":
            return
        start = end
    raise _damaged("PNG", f"it has more than {MAXIMUM_PARTS:,} chunks")


def _png_header(data: bytes) -> int:
    """Check the header and return its colour type."""
    if len(data) != _CHUNK_BYTES[b"IHDR"]:
        raise _damaged("PNG", "its header is too short")
    width, height, depth, colour_type, compression, filtering, interlace = struct.unpack(">II5B", data)
    _refuse_size(width, height)
    if depth not in _BIT_DEPTHS.get(colour_type, ()) or compression or filtering or interlace > 1:
        raise _damaged("PNG", "its header has an unknown colour type or method")
    return int(colour_type)


def _jpeg(image: bytes) -> bytes:
    kept, frames, scans = [_SOI], 0, 0
    for marker, data, pixels in _segments(image):
        if marker in _LEFT_OUT:
            kept.extend(_app_segment(marker, data))
            continue
        if marker in _FRAMES:
            _check_frame(data)
            frames += 1
        elif marker == _SOS and frames:
            scans += 1
        elif marker not in _TABLES:
            raise _damaged("JPEG", f"its segment {marker:02X} is not supported")
        kept += [_segment(marker, data), pixels]
    if frames > 1 or not scans:
        raise _damaged("JPEG", "it has no pixels or two frames")
    return b"".join([*kept, b"\xff\xd9"])


def _segments(image: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield marker, data and the pixels after a scan header, up to EOI; bytes after it are ignored."""
    position = len(_SOI)
    for _ in range(MAXIMUM_PARTS):
        if (found := _MARKER.match(image, position)) is None:
            raise _damaged("JPEG", "there is no marker where a segment ends")
        marker, start = found[1][0], found.end()
        if marker == _EOI:
            return
        length = int.from_bytes(image[start : start + 2])
        position = start + length
        data = image[start + 2 : position]
        if length < 2 or len(data) != length - 2:
            raise _damaged("JPEG", "one of its segments is longer than the file or has no length")
        pixels = b""
        if marker == _SOS:
            if (ended := _END_OF_SCAN.search(image, position)) is None:
                raise _damaged("JPEG", "it ends before its end marker")
            pixels = image[position : ended.start()]
            position = ended.start()
        yield marker, data, pixels
    raise _damaged("JPEG", f"it has more than {MAXIMUM_PARTS:,} segments")


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _app_segment(marker: int, data: bytes) -> Iterator[bytes]:
    """Yield the parts of an APPn or COM segment that are kept: colour interpretation and orientation."""
    if marker == 0xE0 and data.startswith(b"JFIF\x00") and len(data) >= _JFIF_HEADER_BYTES + 2:
        yield _segment(marker, data[:_JFIF_HEADER_BYTES] + b"\x00\x00")  # without its thumbnail
    elif marker == 0xEE and data.startswith(b"Adobe") and len(data) >= _ADOBE_BYTES:
        yield _segment(marker, data[:_ADOBE_BYTES])
    elif marker == 0xE1 and data.startswith(b"Exif\x00\x00") and (orientation := _orientation(data[6:])):
        entry = struct.pack(">HHIHHI", _ORIENTATION, _SHORT, 1, orientation, 0, 0)
        yield _segment(marker, b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry)


def _orientation(tiff: bytes) -> int | None:
    """Return the EXIF orientation, 2 to 8; None if the pixels need no rotation or it is unreadable. (EXIF 2.32)"""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (number,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(min(number, 100)):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * entry)
            if tag == _ORIENTATION and (kind, count) == (_SHORT, 1):
                return int(value) if 2 <= value <= 8 else None
    except struct.error:
        return None
    return None


def _check_frame(data: bytes) -> None:
    if len(data) < 6 or len(data) != 6 + 3 * data[5] or data[5] not in (1, 3, 4) or data[0] != 8:
        raise _damaged("JPEG", "its frame header is invalid, or it has more than 8 bits a colour")
    height, width = struct.unpack_from(">HH", data, 1)
    _refuse_size(width, height)


def _refuse_size(width: int, height: int) -> None:
    if not (0 < width <= MAXIMUM_PIXELS and 0 < height <= MAXIMUM_PIXELS):
        raise InvalidImage(
            f"must be at most {MAXIMUM_PIXELS:,} pixels wide and high, not {width:,} × {height:,}; send a smaller image"
        )


def _damaged(kind: str, what: str) -> InvalidImage:
    return InvalidImage(
        f"is a {kind} that cannot be read: {what}; send the original, or save the image again as {kind}"
    )
