"""Images of prospects: what is kept of them, and what is refused."""

import struct
import time

import pytest

from officepro.prospects.images import InvalidImage, without_metadata
from tests.prospects.images import (
    ADOBE,
    COMMENT,
    EXIF,
    JFIF,
    MARK,
    TABLES,
    chunk,
    exif,
    frame,
    header,
    jpeg,
    pixels,
    png,
    scan,
    segment,
)

MEBIBYTE = 1024 * 1024
MOST_SECONDS = 0.02  # of the processor, for any image of 1 MiB; at most 5 ms on a quiet machine (decision record 21)
TURNED = exif(6)
SIGNATURE, END = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")
HTML = b"<html><script>alert(1)</script></html>"
COLOURS = (chunk(b"sRGB", b"\x00"), chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"tRNS", b"\x00" * 6))


@pytest.mark.parametrize(
    "image",
    [
        png(3, 2),
        png(3, 2, *COLOURS),
        png(4096, 1),
        jpeg(24, 16),
        jpeg(24, 16, JFIF, ADOBE),
        jpeg(4096, 4096),
    ],
    ids=["PNG", "its colours", "a wide PNG", "JPEG", "its colours", "a large JPEG"],
)
def test_an_image_without_metadata_comes_back_as_it_is(image: bytes) -> None:
    assert without_metadata(image) == image


@pytest.mark.parametrize(
    ("image", "bare"),
    [
        (
            png(
                3, 2, *COLOURS, *(chunk(kind, MARK) for kind in (b"tEXt", b"iTXt", b"eXIf", b"tIME", b"iCCP", b"prVt"))
            ),
            png(3, 2, *COLOURS),
        ),
        (png(3, 2) + MARK + HTML, png(3, 2)),
        (jpeg(24, 16, JFIF, EXIF, COMMENT, ADOBE), jpeg(24, 16, JFIF, ADOBE)),
        (jpeg(24, 16, *(segment(0xE0 + number, MARK) for number in range(16))), jpeg(24, 16)),
        (jpeg(24, 16, segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x05\x01" + MARK)), jpeg(24, 16, JFIF)),
        (jpeg(24, 16, ADOBE.replace(b"\x00\x0e", b"\x00\x1d") + MARK), jpeg(24, 16, ADOBE)),
        (jpeg(24, 16) + MARK + HTML, jpeg(24, 16)),
        (jpeg(24, 16, b"\xff\xff" + COMMENT), jpeg(24, 16)),
    ],
    ids=["PNG chunks", "PNG polyglot", "camera", "every APPn", "thumbnail", "Adobe", "JPEG polyglot", "filling"],
)
def test_metadata_and_what_follows_the_image_are_removed(image: bytes, bare: bytes) -> None:
    assert MARK in image
    assert without_metadata(image) == bare
    assert MARK not in bare


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(10))
def test_of_exif_only_the_orientation_stays(orientation: int, order: str) -> None:
    stripped = without_metadata(jpeg(24, 16, exif(orientation, order)))

    assert MARK not in stripped
    if orientation in range(2, 9):
        assert stripped[2:4] == b"\xff\xe1"
        assert len(stripped) == len(jpeg(24, 16)) + 36
        assert struct.unpack(">HHIH", stripped[22:32]) == (0x0112, 3, 1, orientation)
        assert without_metadata(stripped) == stripped
    else:
        assert stripped == jpeg(24, 16)


@pytest.mark.parametrize("cut", range(8, len(TURNED)))
def test_exif_that_breaks_off_does_no_harm(cut: int) -> None:
    stripped = without_metadata(jpeg(24, 16, segment(0xE1, TURNED[4:cut])))
    assert len(stripped) - len(jpeg(24, 16)) in (0, 36)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "neither": (b"GIF89a", "PNG or a JPEG"),
    "PNG too wide": (png(4097, 1), "4,097 × 1; send a smaller"),
    "PNG huge": (SIGNATURE + header(2**31 - 1, 2**31 - 1) + END, "send a smaller"),
    "PNG of no width": (SIGNATURE + header(0, 1) + pixels(1, 1) + END, "send a smaller"),
    "PNG without header": (SIGNATURE + pixels(1, 1) + END, "IHDR"),
    "PNG with two headers": (png(1, 1, header(1, 1)), "IHDR"),
    "PNG without pixels": (SIGNATURE + header(1, 1) + END, "no pixels"),
    "PNG without palette": (SIGNATURE + header(1, 1, 8, 3) + pixels(1, 1) + END, "no pixels or no palette"),
    "PNG with half a palette": (png(1, 1, chunk(b"PLTE", b"1234")), "palette"),
    "PNG with an unknown colour type": (SIGNATURE + header(1, 1, 8, 5) + pixels(1, 1) + END, "colour type"),
    "PNG with an unknown depth": (SIGNATURE + header(1, 1, 3) + pixels(1, 1) + END, "colour type"),
    "PNG with an unknown critical chunk": (png(1, 1, chunk(b"EVIL", HTML)), "EVIL"),
    "PNG with a chunk that is no word": (png(1, 1, chunk(b"<b>!", HTML)), "invalid type"),
    "PNG with much in its gamma": (png(1, 1, chunk(b"gAMA", HTML)), "gAMA"),
    "PNG with pixels apart": (
        SIGNATURE + header(1, 1) + pixels(1, 1) + chunk(b"tRNS", b"\x00" * 6) + pixels(1, 1) + END,
        "IDAT",
    ),
    "PNG with a wrong checksum": (png(1, 1).replace(b"IDAT", b"IDAT\x00", 1), "checksum"),
    "PNG with a length that lies": (png(1, 1).replace(b"\x00\x00\x00\x0dIHDR", b"\x7f\xff\xff\xffIHDR"), "longer"),
    "PNG of empty chunks": (SIGNATURE + header(1, 1) + chunk(b"tEXt", b"") * 80_000 + END, "2,000 chunks"),
    "JPEG too high": (jpeg(1, 4097), "1 × 4,097; send a smaller"),
    "JPEG huge": (b"\xff\xd8" + TABLES + frame(65535, 65535) + scan(8, 8) + b"\xff\xd9", "send a smaller"),
    "JPEG of no height": (jpeg(8, 0), "send a smaller"),
    "JPEG with two frames": (jpeg(8, 8, frame(1, 1)), "two frames"),
    "JPEG with a large frame first": (jpeg(8, 8, frame(5000, 5000)), "send a smaller"),
    "JPEG without frame": (b"\xff\xd8" + TABLES + scan(8, 8) + b"\xff\xd9", "DA"),
    "JPEG without pixels": (b"\xff\xd8" + TABLES + frame(8, 8) + b"\xff\xd9", "no pixels"),
    "JPEG that is lossless": (b"\xff\xd8" + TABLES + frame(8, 8, 0xC3) + scan(8, 8) + b"\xff\xd9", "C3"),
    "JPEG with a frame that lies": (jpeg(8, 8, segment(0xC0, b"\x08\x00\x08\x00\x08\x03")), "frame header"),
    "JPEG with a segment that lies": (b"\xff\xd8\xff\xe1\xff\xff" + jpeg(8, 8)[2:], "longer"),
    "JPEG with a segment without length": (b"\xff\xd8\xff\xe1\x00\x01" + jpeg(8, 8)[2:], "no length"),
    "JPEG with HTML for a segment": (b"\xff\xd8" + HTML + jpeg(8, 8)[2:], "marker"),
    "JPEG without end": (jpeg(8, 8)[:-2] + b"\xff\x00" * 9, "end marker"),
    "JPEG of filling": (b"\xff\xd8" + b"\xff" * (MEBIBYTE - 2), "marker"),
    "JPEG of empty segments": (b"\xff\xd8" + segment(0xFE, b"") * 262_000, "2,000 segments"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_image_is_refused_with_what_to_do(name: str) -> None:
    image, message = HOSTILE[name]
    with pytest.raises(InvalidImage) as refused:
        without_metadata(image)

    assert message in str(refused.value)
    assert "; send" in str(refused.value) or name == "neither"


@pytest.mark.parametrize("image", [png(3, 2, *COLOURS), jpeg(24, 16, JFIF, EXIF)], ids=["PNG", "JPEG"])
def test_an_image_that_breaks_off_anywhere_is_refused(image: bytes) -> None:
    for cut in range(len(image)):
        with pytest.raises(InvalidImage):
            without_metadata(image[:cut])


SLOW: dict[str, bytes] = {
    "PNG of a mebibyte": png(590, 590, noise=True),
    "PNG of many chunks": png(1, 1, *[chunk(b"tEXt", b"x" * 510)] * 1990),
    "JPEG of stuffed bytes": jpeg(8, 8)[:-2] + b"\xff\x00" * (MEBIBYTE // 2 - 200) + b"\xff\xd9",
    "JPEG of many segments": jpeg(8, 8, *[segment(0xFE, b"x" * 510)] * 1990),
    **{name: image for name, (image, _) in HOSTILE.items() if len(image) > MEBIBYTE // 2},
}


@pytest.mark.parametrize("name", SLOW)
def test_no_image_of_a_mebibyte_holds_up_the_process(name: str) -> None:
    """The best of five: how long it takes beside others is the machine's affair."""
    image, took = SLOW[name], []
    for _ in range(5):
        began = time.thread_time()
        try:
            without_metadata(image)
        except InvalidImage:
            assert name in HOSTILE
        took.append(time.thread_time() - began)

    assert len(image) > MEBIBYTE // 2
    assert min(took) < MOST_SECONDS
