"""What a picture's bytes tell without being decoded, and what they are refused for."""

import io

import PIL.Image
import pytest
from kit.strategies_images import (
    SMALL_FILES,
    UPRIGHT,
    chunk,
    encoded,
    jpeg_with_secrets,
    quartered,
    riff,
    segment,
)

from facematch_core import _containers
from facematch_core.errors import InvalidImage
from facematch_core.images import MAX_PIXELS, Image, ImageFormat

JPEG, PNG, WEBP = (SMALL_FILES[name] for name in ("jpeg", "png", "webp"))
ALL = [*ImageFormat]
#: Those that are walked through from the first part to the last.
WALKED = ("jpeg", "png", "webp")


def refusal(data):
    """The sentence that `data` is refused with."""
    with pytest.raises(InvalidImage) as refused:
        Image.from_bytes(data)
    message = refused.value.message
    assert message.startswith("The picture ")
    assert message.endswith(".")
    assert message.count(". ") == 0
    return message


def file_of(form, **options):
    """A file of any format, if this installation can write it."""
    if form is ImageFormat.HEIC:
        pytest.importorskip("pillow_heif")
    return encoded(quartered((50, 30)), form, **options)


@pytest.mark.parametrize("form", ALL)
def test_tells_format_and_size(form):
    """Each format with its media type and the ending that vendors judge by."""
    image = Image.from_bytes(file_of(form))
    assert (image.format, image.width, image.height) == (form, 50, 30)
    assert image.media_type == f"image/{form}"
    assert image.extension == {"jpeg": "jpg"}.get(form, form)


@pytest.mark.parametrize("form", [form for form in ALL if form not in ("gif", "bmp")])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_tells_the_orientation(form, orientation):
    """EXIF in JPEG, PNG, WebP, TIFF and AVIF; the decoder of HEIC turns the picture itself."""
    image = Image.from_bytes(file_of(form, orientation=orientation))
    assert image.upright_size == ((30, 50) if orientation > 4 else (50, 30))
    if form is not ImageFormat.HEIC:
        assert (image.width, image.height, image.orientation) == (50, 30, orientation)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [(3, 6, 6), (4, 6, 6), (1, 6, 6), (3, 0, 1), (3, 9, 1), (7, 6, 1)],
)
def test_reads_orientations_of_any_number_type(order, kind, value, expected):
    """Values that are none, or not numbers, count as upright."""
    size = {1: 1, 3: 2, 4: 4, 7: 1}[kind]
    numbers = [(42, 2), (8, 4), (1, 2), (0x112, 2), (kind, 2), (1, 4), (value, size)]
    block = b"".join(number.to_bytes(length, order) for number, length in numbers)
    block = (b"II" if order == "little" else b"MM") + block.ljust(30, b"\0")
    assert _containers.orientation_of(block) == expected
    for end in range(len(block)):
        assert _containers.orientation_of(block[:end]) in (1, expected)


@pytest.mark.parametrize("name", [name for name in SMALL_FILES if name.split()[-1] in WALKED])
def test_every_beginning_is_refused(name):
    """However much of a JPEG, PNG or WebP is missing, it is noticed when it is given."""
    data = SMALL_FILES[name]
    step = 1 if len(data) < 2000 else 37
    for end in [*range(0, len(data), step), len(data) - 1]:
        refusal(data[:end])
    assert "is cut off" in refusal(data[:-1])


@pytest.mark.parametrize("form", [form for form in ImageFormat if form.value not in WALKED])
def test_no_beginning_of_another_kind_is_sent(form):
    """It is refused when it is given, or when it is prepared; or nothing of the pixels misses."""
    data = file_of(form)
    whole = Image.from_bytes(data).prepared().data
    for end in range(0, len(data), 1 if len(data) < 2000 else 37):
        try:
            sent = Image.from_bytes(data[:end]).prepared().data
        except InvalidImage:
            continue
        assert sent == whole


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty (0 bytes)"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\0\0%PDF-1.7\n", "a PDF document"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><title>404</title>", "an HTML page"),
        (b"  <HTML>", "an HTML page"),
        (b'{"detail": "not found"}', "JSON"),
        (b"[1, 2]", "JSON"),
        (b"https://host/face.jpg", "a URL"),
        (b"data:image/png;base64,iVBORw0KGgo=", "base64 text; use Image.from_base64"),
        (b"/9j/4AAQSkZJRg==", "base64 text; use Image.from_base64"),
        (b"iVBORw0KGgoAAAAN", "base64 text; use Image.from_base64"),
        (b"pictures/selfie.jpg\r\n", "plain text"),
        (b"BMW 320d", "plain text"),
        (b"\0\0\0\x18ftypmp42", "a video"),
        (b"\x1a\x45\xdf\xa3\x9f", "a video"),
        (b"\xff", "of no known kind"),
        (b"\x00\x01\x02", "of no known kind"),
        (b"\xe4\xf6\xfc", "of no known kind"),
    ],
)
def test_says_what_was_given_instead(data, told):
    """A page, a document or a text is named, with what to do."""
    message = refusal(data)
    assert told in message
    assert ";" in message


def several(form):
    """A file of this format with two different pictures."""
    file = io.BytesIO()
    first, second = quartered(), quartered().transpose(PIL.Image.Transpose.ROTATE_180)
    if form is ImageFormat.HEIC:
        return b"\0\0\0\x18ftyphevc\0\0\0\0msf1heic"
    first.save(file, form.value.upper(), save_all=True, append_images=[second])
    return file.getvalue()


@pytest.mark.parametrize("form", ["gif", "png", "webp", "tiff", "avif", "heic"])
def test_refuses_several_pictures(form):
    """Animations and pages: which picture would be the face?"""
    assert "with several pictures" in refusal(several(ImageFormat(form)))


def test_takes_a_tiff_whose_second_page_is_a_thumbnail():
    """Cameras store one beside the picture."""
    file = io.BytesIO()
    small = quartered((6, 4))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    quartered().save(file, "TIFF", save_all=True, append_images=[small])
    assert Image.from_bytes(file.getvalue()).width == 48


def test_takes_a_phone_picture_with_further_pictures_behind_it():
    """Motion photos and multi-picture files are one JPEG for us."""
    image = Image.from_bytes(jpeg_with_secrets(quartered(), orientation=6))
    assert (image.width, image.height, image.orientation) == (48, 32, 6)


def with_size(width, height):
    """A JPEG that claims this size."""
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + JPEG[at + 4 :]


def test_refuses_more_pixels_than_are_decoded():
    """The claim is enough: nothing is decoded to find out."""
    assert "claims 65535 x 65535 pixels" in refusal(with_size(65535, 65535))
    assert Image.from_bytes(with_size(8000, 8000)).width == 8000
    assert MAX_PIXELS == 8000 * 8000
    assert "claims 8000 x 8001 pixels" in refusal(with_size(8000, 8001))


def camera_tiff(tag):
    """A TIFF with this tag, too."""
    file = io.BytesIO()
    tags = PIL.TiffImagePlugin.ImageFileDirectory_v2()
    tags[tag] = b"\1\4\0\0"
    tags.tagtype[tag] = 1
    quartered().save(file, "TIFF", tiffinfo=tags)
    return file.getvalue()


def replaced(data, old, new):
    """`data` with one piece replaced that occurs in it."""
    assert old in data
    return data.replace(old, new, 1)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (with_size(0, 5), "has no pixels (0 x 5)"),
        (with_size(5, 0), "has no pixels (5 x 0)"),
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
        (PNG[:8] + chunk(b"tEXt", b"a\0b") + PNG[8:], "does not begin with its header"),
        (PNG[:33] + PNG[8:], "or has two"),
        (PNG[:33] + chunk(b"IEND", b""), "no picture in it"),
        (PNG[:8] + chunk(b"IHDR", b"\0" * 12) + PNG[33:], "does not begin with its header"),
        (PNG[:8] + chunk(b"IHDR", b"\0" * 8 + b"\x08\2\0\0\0") + PNG[33:], "no pixels (0 x 0)"),
        (replaced(PNG, b"IDAT", b"IDAU"), "no picture in it"),
        (PNG[:-1] + b"\0", "checksum of its IEND chunk"),
        (replaced(WEBP, b"VP8 ", b"VP9 "), "no picture in it"),
        (b"RIFF\x20\0\0\0WEBP" + b"VP8 \xff\0\0\0" + b"\0" * 20, "longer than the file"),
        (b"RIFF\x04\0\0\0WEBP", "no picture in it"),
        (b"RIFF\x0c\0\0\0WEBP" + riff(b"VP8X", b""), "no picture in it"),
        (camera_tiff(50706), "raw data of a camera"),
        (b"II*\0\x08\0\0\0\xff\xff", "cannot be decoded"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "cannot be decoded"),
        (replaced(SMALL_FILES["bmp"], b"\1\0\x18\0", b"\1\0\x19\0"), "cannot be decoded"),
        (b"\0\0\0\x14ftypheic\0\0\0\0mif1", "cannot be decoded"),
    ],
)
def test_refuses_what_contradicts_itself(data, told):
    """Damage that can be seen without decoding, each with its own words."""
    assert told in refusal(data)


@pytest.mark.parametrize(
    "data",
    [
        PNG[:8] + chunk(b"IHDR", PNG[16:24] + b"\7\2\0\0\0") + PNG[33:],
        replaced(WEBP, b"\x9d\x01\x2a", b"\x9d\x01\x2b"),
        replaced(WEBP, b"\x2f\0\0\x1f\0\0", b"\x30\0\0\x1f\0\0"),
    ],
    ids=["PNG header", "WebP frame", "WebP canvas of another size than its frame"],
)
def test_never_sends_what_no_decoder_reads(data):
    """What a walk over the parts does not see, Pillow does, before anything is sent."""
    image = Image.from_bytes(data)
    for act in (image.prepared, image.to_pil):
        with pytest.raises(InvalidImage, match="cannot be decoded"):
            act()


def test_reads_the_oldest_bmp_header():
    """Twelve bytes, with sizes of 16 bits (OS/2)."""
    numbers = [(12, 4), (3, 2), (2, 2), (1, 2), (24, 2)]
    header = b"".join(number.to_bytes(size, "little") for number, size in numbers)
    data = b"BM" + b"\0" * 8 + (26).to_bytes(4, "little") + header + b"\x80" * 24
    image = Image.from_bytes(data)
    assert (image.format, image.width, image.height) == ("bmp", 3, 2)
    assert image.to_pil().getpixel((2, 1)) == (128, 128, 128)
    with pytest.raises(InvalidImage, match="cannot be decoded"):
        Image.from_bytes(data[:-20]).prepared()


def test_an_endless_chain_of_pages_ends():
    """A TIFF page that names itself as the next one."""
    data = bytearray(SMALL_FILES["tiff"])
    start = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[start : start + 2], "little")
    at = start + 2 + 12 * entries
    data[at : at + 4] = data[4:8]
    Image.from_bytes(data)
