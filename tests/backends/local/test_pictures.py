"""From bytes to pixels."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facematch_core.errors import InvalidImage
from facematch_local import _pictures


def encoded(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def quarters(width=40, height=20):
    """Red, green, blue and black corners, so that every turn can be told from every other."""
    image = Image.new("RGB", (width, height))
    for colour, left, top in (("red", 0, 0), ("lime", 1, 0), ("blue", 0, 1)):
        part = Image.new("RGB", (width // 2, height // 2), colour)
        image.paste(part, (left * width // 2, top * height // 2))
    return image


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_modes(mode):
    """Whatever the pixels are stored as, they come out as RGB."""
    kind = "TIFF" if mode == "CMYK" else "PNG"
    data = encoded(Image.new(mode, (30, 20)), kind)
    picture = _pictures.decode(data)
    assert (picture.pixels.mode, picture.pixels.size, picture.size) == ("RGB", (30, 20), (30, 20))


def test_palette_with_transparency():
    """A palette with transparency gives no warning and loses nothing but the transparency."""
    image = quarters().quantize(8)
    data = encoded(image, transparency=bytes([128] * 8))
    assert _pictures.decode(data).pixels.getpixel((0, 0)) == (255, 0, 0)


def test_sixteen_bits_keep_their_shades():
    """A middle grey of 16 bits stays a middle grey."""
    data = encoded(Image.new("I;16", (4, 4), 0x8000))
    assert _pictures.decode(data).pixels.getpixel((0, 0)) == pytest.approx((128,) * 3, abs=1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large(kind):
    """A large picture is worked on at 1024 pixels; its full size is remembered."""
    picture = _pictures.decode(encoded(quarters(3000, 1500), kind))
    assert picture.size == (3000, 1500)
    assert picture.pixels.size == (1024, 512)


@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_orientation(orientation):
    """The full size is that of the upright picture, as the turned pixels are."""
    data = encoded(quarters(3000, 1500), "JPEG", exif=exif(orientation))
    picture = _pictures.decode(data)
    lies = orientation in (5, 6, 7, 8)
    assert picture.size == ((1500, 3000) if lies else (3000, 1500))
    assert picture.pixels.size == ((512, 1024) if lies else (1024, 512))


@pytest.mark.parametrize(
    ("angle", "corner"), [(0, "red"), (90, "blue"), (180, "black"), (270, "lime")]
)
def test_turns_are_clockwise(angle, corner):
    """Turned clockwise by 90 degrees, the lower left corner comes to the upper left."""
    turned = _pictures.decode(encoded(quarters())).turned(angle)
    assert turned.pixels.getpixel((0, 0)) == Image.new("RGB", (1, 1), corner).getpixel((0, 0))
    assert turned.size == turned.pixels.size


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_no_picture(data):
    """What Pillow cannot read is an InvalidImage with one sentence and none of the bytes."""
    with pytest.raises(InvalidImage, match=r"^The picture cannot be decoded \(\w+\)\.$"):
        _pictures.decode(data)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # Pillow's, of damage
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3),
)
def test_damaged(kind, cut, flips):
    """Damage gives a picture or InvalidImage, nothing else."""
    data = bytearray(encoded(quarters(), kind))
    for at, bits in flips:
        data[int(at * len(data))] ^= bits
    try:
        picture = _pictures.decode(bytes(data[: int(cut * len(data)) + 1]))
    except InvalidImage:
        return
    assert picture.pixels.mode == "RGB"
    assert max(picture.pixels.size) <= _pictures.WORKING_SIDE
