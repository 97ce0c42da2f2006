"""What a picture's bytes say without being decoded, and what they are refused for."""

import base64
import io

import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.strategies_images import (
    SMALL_FILES,
    chunk,
    encoded,
    jpeg_with_secrets,
    quartered,
    riff,
    segment,
)

from facematch_core.errors import InvalidImage
from facematch_core.images.image import MAX_PIXELS, Image, ImageFormat, ImageLimits

#: First bytes that name a format.
MAGICS = (
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0",
    b"GIF89a",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
    b"\0\0\0\x18ftypheic",
    b"\0\0\0\x18ftypavif",
)


@st.composite
def flipped(draw):
    """A file with one to six bytes changed, mostly near its beginning where the headers are."""
    data = bytearray(draw(st.sampled_from(list(SMALL_FILES.values()))))
    last_index = len(data) - 1
    indices = st.integers(0, min(last_index, 120)) | st.integers(0, last_index)
    values = st.sampled_from([0, 1, 0x7F, 0xFF]) | st.integers(0, 255)
    for _ in range(draw(st.integers(1, 6))):
        data[draw(indices)] = draw(values)
    return bytes(data)


JPEG, PNG, WEBP = (SMALL_FILES[name] for name in ("jpeg", "png", "webp"))
#: Those that are walked through from the first part to the last.
WALKED = ("jpeg", "png", "webp")


def refused(act):
    """The one sentence that it is refused with; None if it is not. Nothing else is raised."""
    try:
        act()
    except InvalidImage as error:
        message = error.message
    else:
        return None
    assert message.startswith("The picture ")
    assert message.endswith(".")
    assert message.count(". ") == 0
    return message


def refusal(data):
    message = refused(lambda: Image.from_bytes(data))
    assert message
    return message


def file_of(form, **options):
    if form is ImageFormat.HEIC:
        pytest.importorskip("pillow_heif")
    return encoded(quartered((50, 30)), form, **options)


def replaced(data, old, new):
    assert old in data
    return data.replace(old, new, 1)


# --- Several pictures in one file ---


def several(form, **options):
    """A file with two different pictures."""
    if form == "heic":
        return b"\0\0\0\x18ftyphevc\0\0\0\0msf1heic"
    file = io.BytesIO()
    turned = quartered().transpose(PIL.Image.Transpose.ROTATE_180)
    turned.encoderinfo = options
    quartered().save(file, form.upper(), save_all=True, append_images=[turned])
    return file.getvalue()


@pytest.mark.parametrize("form", ["gif", "png", "webp", "tiff", "avif", "heic"])
def test_file_with_several_pictures_is_refused(form):
    assert "with several pictures" in refusal(several(form))


def test_thumbnail_is_not_a_second_picture():
    assert Image.from_bytes(several("tiff", tiffinfo={254: 1})).width == 48
    image = Image.from_bytes(jpeg_with_secrets(quartered(), orientation=6))
    assert (image.width, image.height, image.orientation) == (48, 32, 6)


# --- What is none, or contradicts itself ---


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty (0 bytes)"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><title>404</title>", "an HTML page"),
        (b'{"detail": "not found"}', "JSON"),
        (b"/9j/4AAQSkZJRg==", "base64 text"),
        (b"pictures/selfie.jpg\r\n", "text"),
        (b"BMW 320d", "text"),
        (b"\0\0\0\x18ftypmp42", "a video"),
        (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000"),
        (b"\x00\x01\x02", "has an unknown format"),
    ],
)
def test_non_picture_is_named_with_a_remedy(data, says):
    message = refusal(data)
    assert says in message
    assert ";" in message


@pytest.mark.parametrize("name", [name for name in SMALL_FILES if name.split()[-1] in WALKED])
def test_truncated_jpeg_png_or_webp_is_refused(name):
    data = SMALL_FILES[name]
    for end in range(0, len(data), 1 if len(data) < 2000 else 37):
        refusal(data[:end])
    assert "is truncated" in refusal(data[:-1])


@pytest.mark.parametrize("form", [form for form in ImageFormat if form not in WALKED])
def test_truncated_file_of_other_formats_is_refused_or_complete(form):
    data = file_of(form)
    whole = Image.from_bytes(data).prepared().data
    for end in range(0, len(data), 3 if len(data) < 2000 else 97):
        try:
            prepared = Image.from_bytes(data[:end]).prepared().data
        except InvalidImage:
            continue
        assert prepared == whole


def with_size(width, height):
    """A JPEG that claims this size."""
    start = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:start] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + JPEG[start + 4 :]


def camera_tiff(tag):
    """A TIFF with this tag, too."""
    file = io.BytesIO()
    tags = PIL.TiffImagePlugin.ImageFileDirectory_v2()
    tags[tag] = b"\1\4\0\0"
    tags.tagtype[tag] = 1
    quartered().save(file, "TIFF", tiffinfo=tags)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (with_size(0, 5), "has no pixels (0 x 5)"),
        (with_size(8000, 8001), "claims 8000 x 8001 pixels"),
        (replaced(JPEG, b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), "not of 8 bits per colour"),
        (replaced(JPEG, b"\xff\xc0", b"\xff\xc3"), "lossless"),
        (replaced(JPEG, b"\xff\xc0\0\x11", b"\xff\xc0\0\2"), "frame header is too short"),
        (JPEG[:2] + JPEG[JPEG.index(b"\xff\xc0") :][:19] + JPEG[2:], "two frame headers"),
        (JPEG[:2] + JPEG, "a second picture"),
        (b"\xff\xd8\xff\xd9", "no picture in it"),
        (b"\xff\xd8" + segment(0xFE, b"") * 100_001, "more than 100000 parts"),
        (JPEG[:-2] + JPEG[JPEG.index(b"\xff\xda") : -2] * 100 + b"\xff\xd9", "more than 100 scans"),
        (b"\xff\xd8\xff\xfe\0\1\xff\xd9", "shorter than its own length"),
        (PNG[:8] + chunk(b"CgBI", b"\0\0\0\0") + PNG[8:], "does not begin with its header"),
        (PNG[:33] + PNG[8:], "or has two"),
        (PNG[:8] + chunk(b"IHDR", b"\0" * 12) + PNG[33:], "does not begin with its header"),
        (PNG[:8] + chunk(b"IHDR", b"\0" * 8 + b"\x08\2\0\0\0") + PNG[33:], "no pixels (0 x 0)"),
        (replaced(PNG, b"IDAT", b"IDAU"), "no picture in it"),
        (PNG[:-1] + b"\0", "checksum of its IEND chunk"),
        (replaced(WEBP, b"VP8 ", b"VP9 "), "no picture in it"),
        (b"RIFF\x20\0\0\0WEBP" + b"VP8 \xff\0\0\0" + b"\0" * 20, "longer than the file"),
        (b"RIFF\x16\0\0\0WEBP" + riff(b"VP8X", b"") + riff(b"VP8 ", b"\0\0"), "truncated"),
        (camera_tiff(50706), "raw data of a camera"),
        (b"II*\0\x08\0\0\0\xff\xff", "cannot be decoded"),
        (replaced(SMALL_FILES["bmp"], b"\1\0\x18\0", b"\1\0\x19\0"), "cannot be decoded"),
        (b"\0\0\0\x14ftypheic\0\0\0\0mif1", "cannot be decoded"),
    ],
)
def test_inconsistent_or_oversized_file_is_refused(data, says):
    assert says in refusal(data)
    assert Image.from_bytes(with_size(8000, 8000)).width ** 2 == MAX_PIXELS


def test_jpeg_of_100_scans_is_a_picture():
    scan = JPEG[JPEG.index(b"\xff\xda") : -2]
    assert Image.from_bytes(JPEG[:-2] + scan * 99 + JPEG[-2:]).format == "jpeg"


@pytest.mark.parametrize(
    "data",
    [
        PNG[:8] + chunk(b"IHDR", PNG[16:24] + b"\7\2\0\0\0") + PNG[33:],
        replaced(WEBP, b"\x9d\x01\x2a", b"\x9d\x01\x2b"),
        replaced(WEBP, b"\x2f\0\0\x1f\0\0", b"\x30\0\0\x1f\0\0"),
    ],
    ids=["PNG header", "WebP frame", "WebP canvas of another size than its frame"],
)
def test_undecodable_file_is_never_sent(data):
    image = Image.from_bytes(data)
    for act in (image.prepared, image.to_pil):
        assert "cannot be decoded" in refused(act)


# --- Whatever the bytes: an Image or InvalidImage, and never anything else ---

FEW = ImageLimits(max_bytes=900, max_side_px=26)
FILES = st.sampled_from(list(SMALL_FILES.values()))
PLACES = st.integers(0, 400)


def survives(data):
    """Do everything that can be done with a picture."""
    images = []
    if refused(lambda: images.append(Image.from_bytes(data))):
        return
    (image,) = images
    assert image.width * image.height > 0
    assert len(repr(image)) < 100
    for act in (image.to_pil, image.prepared, lambda: image.prepared(FEW)):
        refused(act)


@settings(max_examples=settings().max_examples * 3)
@given(
    st.one_of(
        # Three times, because most is found by it.
        flipped(),
        flipped(),
        flipped(),
        st.builds(bytes.__add__, st.sampled_from(MAGICS), st.binary(max_size=200)),
        st.binary(max_size=300),
        st.builds(bytes.__add__, FILES, st.binary(min_size=1, max_size=60)),
        st.builds(
            lambda data, start, size: data[:start] + data[start + size :], FILES, PLACES, PLACES
        ),
    )
)
def test_any_bytes_are_a_picture_or_raise_invalid_image(data):
    survives(data)


@pytest.mark.parametrize("form", ["heic", "avif"])
def test_corrupted_heic_or_avif_raises_only_invalid_image(form):
    data = file_of(ImageFormat(form))
    for index in range(0, len(data), 11):
        for value in (0, 0xFF):
            survives(data[:index] + bytes([value]) + data[index + 1 :])


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60), flipped().map(base64.b64encode)))
def test_any_base64_text_is_a_picture_or_raises_invalid_image(text):
    refused(lambda: Image.from_base64(text))
