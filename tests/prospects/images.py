"""Real images, made here: a PNG of noise or of one colour, a grey baseline JPEG. Chromium opens them."""

import random
import struct
import zlib

MARK = b"geo:52.52,13.40"  # what metadata must not carry through


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, depth: int = 8, colour_type: int = 2) -> bytes:
    return chunk(b"IHDR", struct.pack(">II5B", width, height, depth, colour_type, 0, 0, 0))


def pixels(width: int, height: int, depth: int = 8, *, noise: bool = False) -> bytes:
    """Of an image in colours without a palette."""
    row, dice = width * 3 * depth // 8, random.Random(1)
    lines = b"".join(b"\x00" + (dice.randbytes(row) if noise else b"\x80" * row) for _ in range(height))
    return chunk(b"IDAT", zlib.compress(lines, 1))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, noise: bool = False) -> bytes:
    """With these chunks before its pixels."""
    parts = [header(width, height, depth), *chunks, pixels(width, height, depth, noise=noise), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def frame(width: int, height: int, marker: int = 0xC0) -> bytes:
    return segment(marker, struct.pack(">BHH4B", 8, height, width, 1, 1, 0x11, 0))


def exif(orientation: int, order: str = "<") -> bytes:
    """Of a camera that wrote an orientation and a place, which is `MARK`."""
    entries = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    entries += struct.pack(order + "HHII", 0x8825, 2, len(MARK), 8 + 2 + 24 + 4)
    tiff = {"<": b"II*\x00", ">": b"MM\x00*"}[order] + struct.pack(order + "IH", 8, 2) + entries + b"\x00" * 4 + MARK
    return segment(0xE1, b"Exif\x00\x00" + tiff)


JFIF = segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
EXIF = exif(1)
COMMENT = segment(0xFE, MARK)
ADOBE = segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x00")
_ONE_CODE = bytes([1, *[0] * 15, 0])  # of one bit, for a difference of nothing or the end of a block
TABLES = segment(0xDB, b"\x00" + b"\x01" * 64) + segment(0xC4, b"\x00" + _ONE_CODE) + segment(0xC4, b"\x10" + _ONE_CODE)


def scan(width: int, height: int) -> bytes:
    """Two bits for each block of 8 \u00d7 8."""
    blocks = -(-width // 8) * -(-height // 8)
    whole, rest = divmod(2 * blocks, 8)
    data = b"\x00" * whole + (bytes([0xFF >> rest]) if rest else b"")
    return segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + data


def jpeg(width: int, height: int, *segments: bytes) -> bytes:
    """With these segments at its beginning."""
    return b"\xff\xd8" + b"".join(segments) + TABLES + frame(width, height) + scan(width, height) + b"\xff\xd9"
