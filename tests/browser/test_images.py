"""An image whose metadata was removed is one that a browser opens, of the same size, colours and right side up."""

import base64

import pytest
from playwright.sync_api import Browser

from officepro.prospects.images import without_metadata
from tests.prospects.images import COMMENT, JFIF, MARK, chunk, exif, jpeg, png

SIZE = """
    async address => {
        const image = new Image();
        image.src = address;
        await image.decode();
        const canvas = document.createElement('canvas');
        const paint = canvas.getContext('2d');
        paint.drawImage(image, 0, 0);
        return [image.naturalWidth, image.naturalHeight, paint.getImageData(1, 1, 1, 1).data[0]];
    }
"""
GREY = 128


@pytest.mark.parametrize(
    ("kind", "image", "size"),
    [
        ("png", png(30, 20, chunk(b"tEXt", b"Comment\x00" + MARK)) + MARK, [30, 20, GREY]),
        ("jpeg", jpeg(30, 20, JFIF, exif(1), COMMENT) + MARK, [30, 20, GREY]),
        ("jpeg", jpeg(30, 20, exif(6), COMMENT), [20, 30, GREY]),
    ],
    ids=["PNG", "JPEG", "JPEG turned"],
)
def test_a_browser_opens_an_image_without_its_metadata(
    browser: Browser, kind: str, image: bytes, size: list[int]
) -> None:
    page = browser.new_page()
    try:
        for one in (image, without_metadata(image)):
            assert page.evaluate(SIZE, f"data:image/{kind};base64,{base64.b64encode(one).decode()}") == size
    finally:
        page.close()
    assert MARK not in without_metadata(image)
