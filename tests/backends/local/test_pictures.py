import io
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facematch_core.errors import InvalidImage
from facematch_local import _pictures


def encode(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def quarters(width=40, height=20):
    image = Image.new("RGB", (width, height))
    for colour, left, top in (("red", 0, 0), ("lime", 1, 0), ("blue", 0, 1)):
        part = Image.new("RGB", (width // 2, height // 2), colour)
        image.paste(part, (left * width // 2, top * height // 2))
    return image


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_whatever_pixels_are_stored_as_they_come_out_as_rgb(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    picture = _pictures.decode(encode(Image.new(mode, (30, 20)), kind))
    assert (picture.pixels.mode, picture.pixels.size, picture.size) == ("RGB", (30, 20), (30, 20))


def test_a_palette_loses_its_transparency_alone_and_16_bits_keep_their_shades():
    palette = encode(quarters().quantize(8), transparency=bytes([128] * 8))
    assert _pictures.decode(palette).pixels.getpixel((0, 0)) == (255, 0, 0)
    grey = encode(Image.new("I;16", (4, 4), 0x8000))
    assert _pictures.decode(grey).pixels.getpixel((0, 0)) == pytest.approx((128,) * 3, abs=1)


@pytest.mark.parametrize(
    ("kind", "orientation"), [("PNG", 0), *(("JPEG", number) for number in range(10))]
)
def test_a_large_picture_is_worked_on_at_1024_pixels_upright_and_its_full_size_known(
    kind, orientation
):
    data = encode(quarters(1500, 750), kind, exif=exif(orientation))
    picture = _pictures.decode(data)
    lies = orientation in (5, 6, 7, 8)
    assert picture.size == ((750, 1500) if lies else (1500, 750))
    assert picture.pixels.size == ((512, 1024) if lies else (1024, 512))


@pytest.mark.parametrize(
    ("angle", "corner"), [(0, "red"), (90, "blue"), (180, "black"), (270, "lime")]
)
def test_turns_are_clockwise(angle, corner):
    turned = _pictures.decode(encode(quarters())).turn(angle)
    assert turned.pixels.getpixel((0, 0)) == Image.new("RGB", (1, 1), corner).getpixel((0, 0))
    assert turned.size == turned.pixels.size


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused_with_none_of_its_bytes(data):
    with pytest.raises(InvalidImage, match=r"^The picture cannot be decoded \(\w+\)\.$") as caught:
        _pictures.decode(data)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    *_, (frame, _line) = traceback.walk_tb(caught.value.__traceback__)
    assert data not in frame.f_locals.values()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # Pillow's, of damage
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3),
)
def test_a_damaged_picture_is_a_picture_or_refused(kind, cut, flips):
    data = bytearray(encode(quarters(), kind))
    for at, bits in flips:
        data[int(at * len(data))] ^= bits
    try:
        picture = _pictures.decode(bytes(data[: int(cut * len(data)) + 1]))
    except InvalidImage:
        return
    assert picture.pixels.mode == "RGB"
    assert max(picture.pixels.size) <= _pictures.WORKING_SIDE
