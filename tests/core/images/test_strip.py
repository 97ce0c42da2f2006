"""Private data goes out, and not one pixel changes."""

import io
import zlib

import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.strategies_images import (
    CANARY,
    PHOTOGRAPHS,
    UPRIGHT,
    WITH_SECRETS,
    chunk,
    corners,
    encoded,
    icc_profile,
    jpeg_with_secrets,
    pictures,
    png_with_secrets,
    quartered,
    segment,
)

from facematch_core import _containers
from facematch_core.images import Image, ImageFormat, ImageLimits

ANYTHING = ImageLimits(formats=frozenset(ImageFormat))
PROFILE = icc_profile(b"RGB ")


def decoded(data):
    """The pixels as Pillow decodes them, with the palette and transparency that belong to them."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.mode, picture.size, picture.convert("RGBA").tobytes()


def markers(data):
    """The markers of a JPEG's segments, in order."""
    return [marker for marker, *_ in _containers._segments(data)]


def names(data):
    """The names of a PNG's chunks, in order."""
    found, at = [], 8
    while at < len(data):
        found.append(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return found


@pytest.mark.parametrize("form", WITH_SECRETS)
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_no_secret_survives(form, orientation):
    """Wherever the canary was planted it is gone, and the picture is seen as it was."""
    data, seen = WITH_SECRETS[form](quartered(), orientation), UPRIGHT[orientation]
    assert data.count(CANARY) >= 4
    image = Image.from_bytes(data)
    sent = image.prepared(ANYTHING)
    assert CANARY not in sent.data
    assert (sent.format, sent.upright_size) == (form, image.upright_size)
    # A new file holds it upright; a JPEG is no new one.
    orientation = orientation if form is ImageFormat.JPEG else 1
    assert sent.orientation == orientation
    assert corners(sent.to_pil()) == corners(image.to_pil()) == seen
    with PIL.Image.open(io.BytesIO(sent.data)) as picture:
        assert dict(picture.getexif()) == ({} if orientation == 1 else {0x112: orientation})
        assert not {"xmp", "comment", "photoshop", "mp"} & picture.info.keys()
        assert getattr(picture, "n_frames", 1) == 1


@pytest.mark.parametrize("form", WITH_SECRETS)
@settings(max_examples=25)
@given(data=st.data())
def test_pixels_stay_equal(form, data):
    """For any mode and size, and stripping twice is stripping once."""
    modes = {"jpeg": ("RGB", "L", "CMYK"), "webp": ("RGB", "RGBA")}
    picture = data.draw(pictures(modes.get(form, ("RGB", "L", "RGBA", "LA", "P", "1"))))
    options = data.draw(
        st.fixed_dictionaries({"quality": st.integers(1, 100), "progressive": st.booleans()})
        if form is ImageFormat.JPEG and picture.mode != "CMYK"
        else st.just({"lossless": True} if form is ImageFormat.WEBP else {})
    )
    make = WITH_SECRETS[form] if picture.mode != "CMYK" else encoded
    given_file = make(picture, form, **options) if make is encoded else make(picture, **options)
    sent = Image.from_bytes(given_file).prepared(ANYTHING)
    assert CANARY not in sent.data
    assert decoded(sent.data) == decoded(given_file)
    assert Image.from_bytes(sent.data).prepared(ANYTHING).data == sent.data


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_photographs_keep_their_pixels(path):
    """Files of cameras and of Photoshop, with Adobe's marker and profiles."""
    image = Image.read(path)
    sent = image.prepared()
    assert decoded(sent.data) == decoded(image.data)
    for text in (b"Photoshop", b"ns.adobe.com", b"Exif"):
        assert text not in sent.data
    assert (b"ICC_PROFILE" in sent.data) == (b"ICC_PROFILE" in image.data)


def test_jpeg_keeps_what_colours_need():
    """JFIF without its thumbnail, the profile, Adobe's marker without what follows it."""
    profile = b"ICC_PROFILE\0\1\1" + PROFILE
    data = encoded(quartered(mode="CMYK"), ImageFormat.JPEG)
    at = data.index(b"\xff\xee")
    data = (
        data[:at]
        + segment(0xE2, profile)
        + segment(0xE2, b"FPXR\0")
        + segment(0xEE, b"Adobe" + b"\0\x64\0\0\0\0\0" + CANARY)
        + segment(0xEE, b"Other" + b"\0" * 20)
        + data[at + 16 :]
    )
    sent = Image.from_bytes(data).prepared().data
    assert profile in sent
    assert CANARY not in sent
    assert [m for m in markers(sent) if m >= 0xE0] == [0xE2, 0xEE]
    assert decoded(sent) == decoded(data)


def test_jpeg_orientation_stands_behind_jfif():
    """JFIF wants to be first; without it EXIF is first."""
    data = jpeg_with_secrets(quartered(), 6)
    assert markers(Image.from_bytes(data).prepared().data)[:2] == [0xE0, 0xE1]
    block = segment(
        0xE1,
        b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x08\0\0\0\0\0\0",
    )
    plain = encoded(quartered(), ImageFormat.JPEG)
    sent = Image.from_bytes(plain[:2] + block + plain[20:]).prepared().data
    assert sent == plain[:2] + block + plain[20:]


def test_png_keeps_what_colours_need():
    """Profile and transparency stay; gamma, resolution, time and unknown chunks do not."""
    data = png_with_secrets(quartered(mode="P"), icc_profile=PROFILE, transparency=1)
    data = data[:33] + chunk(b"gAMA", b"\0\0\xb1\x8f") + data[33:]
    sent = Image.from_bytes(data).prepared().data
    assert names(sent) == [b"IHDR", b"iCCP", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    assert decoded(sent) == decoded(data)


def test_png_orientation_counts_wherever_it_stands():
    """Behind the pixels, too, where Pillow finds it only when it has decoded them."""
    plain = encoded(quartered(), ImageFormat.PNG)
    block = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\3\0\0\0\0\0\0")
    image = Image.from_bytes(plain[:-12] + block + plain[-12:])
    assert image.orientation == 3
    assert corners(image.prepared().to_pil()) == UPRIGHT[3]


def test_sixteen_bits_stay_where_nothing_has_to_be_written_anew():
    """Metadata beside the pixels goes without Pillow, which reduces colours to eight bits."""
    grey = encoded(PIL.Image.new("I;16", (4, 4), 32897), ImageFormat.PNG)
    header = chunk(b"IHDR", grey[16:24] + b"\x10\2\0\0\0")
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + b"\x80\x81" * 12) * 4))
    plain = grey[:8] + header + pixels + grey[-12:]
    sent = Image.from_bytes(plain[:33] + chunk(b"tIME", b"1234567") + plain[33:]).prepared()
    assert sent.data == plain


def test_lossy_webp_is_written_anew_as_webp():
    """At quality 95, on white where it was transparent, and once only."""
    image = Image.from_bytes(encoded(quartered(mode="RGBA"), ImageFormat.WEBP))
    sent = image.prepared()
    assert (sent.format, sent.prepared()) == ("webp", sent)
    assert corners(sent.to_pil()) == UPRIGHT[1]
    assert image.prepared(ImageLimits(max_bytes=sent.size_bytes - 1)).format == "webp"


def test_png_texts_of_test_cards_alone_stay():
    """In digits, and no other text: nobody's name is written in those."""
    data = png_with_secrets(quartered())
    card, told = (
        chunk(b"tEXt", b"facematch-card\0" + b"01.2f"),
        chunk(b"tEXt", b"facematch-card\0x"),
    )
    sent = Image.from_bytes(data[:33] + card + told + data[33:]).prepared().data
    assert names(sent).count(b"tEXt") == 1
    assert card in sent
    assert CANARY not in sent


def test_compressed_texts_are_gone():
    """The canary in a zTXt chunk cannot be seen in the bytes, so the chunk itself is looked for."""
    data = png_with_secrets(quartered())
    assert b"zTXt" in names(data)
    assert zlib.compress(CANARY)[2:-4] not in Image.from_bytes(data).prepared().data


@pytest.mark.parametrize("form", [f for f in ImageFormat if f not in WITH_SECRETS])
def test_other_formats_are_encoded_anew(form):
    """Their metadata is interleaved, so the pixels travel in a new JPEG, upright."""
    if form is ImageFormat.HEIC:
        pytest.importorskip("pillow_heif")
    turns = form not in ("gif", "bmp")
    data = encoded(quartered(), form, **({"orientation": 6} if turns else {"comment": CANARY}))
    image = Image.from_bytes(data)
    sent = image.prepared(ANYTHING)
    assert (sent.format, sent.orientation) == ("jpeg", 1)
    assert (sent.width, sent.height) == image.upright_size
    assert corners(sent.to_pil()) == UPRIGHT[6 if turns else 1]
    assert CANARY not in sent.data
    assert b"Exif" not in sent.data
