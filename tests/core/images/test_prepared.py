"""From and to Pillow; what one vendor takes, and how pictures are made to fit."""

import io
import sys

import PIL.features
import PIL.Image
import pytest
from hypothesis import given, settings
from kit.strategies_images import (
    CANARY,
    PHOTOGRAPHS,
    SMALL_FILES,
    corners,
    encoded,
    limits,
    pictures,
    quartered,
)

from facematch_core.errors import InvalidImage, InvalidRequest
from facematch_core.images.image import MAX_FILE_BYTES, Image, ImageFormat, ImageLimits

#: 512 x 600 pixels in 70,295 bytes.
FACE = Image.read(next(path for path in PHOTOGRAPHS if path.stem == "grace-hopper"))


def only(*forms, **limits):
    return ImageLimits(formats=frozenset(map(ImageFormat, forms)), **limits)


def refusal(image, *args, **kwargs):
    """The sentence that `image` is refused with."""
    with pytest.raises(InvalidImage) as refused:
        image.prepared(*args, **kwargs)
    return refused.value.message


# --- How it is made to fit ---


@pytest.mark.parametrize("name", SMALL_FILES)
def test_picture_is_converted_to_an_accepted_format(name):
    image = Image.from_bytes(SMALL_FILES[name])
    for form in ("jpeg", "png", "webp", "tiff", "bmp"):
        sent = image.prepared(only(form))
        assert sent.format == form
        assert corners(sent.to_pil()) == corners(image.to_pil())
    if image.format not in ("jpeg", "webp", "png"):
        assert image.prepared().format == "jpeg"


@pytest.mark.parametrize("fit", [True, False])
def test_too_few_pixels_or_bytes_are_refused(fit):
    few = ImageLimits(min_side_px=513)
    assert "512 x 600 pixels, but its shorter side needs at least 513" in refusal(
        FACE, few, fit=fit
    )
    assert FACE.prepared(ImageLimits(min_side_px=512), fit=fit).width == 512
    most = FACE.prepared().size_bytes
    few = ImageLimits(min_bytes=most + 1)
    assert f"but at least {most + 1} are needed" in refusal(FACE, few, fit=fit)
    assert FACE.prepared(ImageLimits(min_bytes=most), fit=fit).size_bytes == most


LONG = Image.from_pil(PIL.Image.new("L", (70_000, 20)))
TIFF = Image.from_bytes(SMALL_FILES["tiff"])


@pytest.mark.parametrize(
    ("image", "few", "fit", "says"),
    [
        (FACE, only("png"), False, "is a JPEG, but only PNG can be sent; change it first"),
        (FACE, ImageLimits(max_bytes=70_294), False, "has 70295 bytes, but only 70294"),
        (FACE, ImageLimits(max_pixels=307_199), False, "has 307200 pixels, but only 307199"),
        (FACE, ImageLimits(max_side_px=599), False, "is 600 pixels long, but only 599"),
        (TIFF, only("tiff"), False, "can only be removed by re-encoding"),
        (FACE, only("heic", "gif"), True, "none of GIF, HEIC can be written"),
        (FACE, ImageLimits(max_bytes=100), True, "cannot be brought within 100 bytes"),
        (FACE, ImageLimits(min_bytes=9000, max_side_px=20), True, "at least 9000 are needed"),
        (FACE, ImageLimits(min_side_px=500, max_pixels=250_000), True, "falling below 500 pixels"),
        (LONG, only("webp", min_side_px=20), True, "falling below 20 pixels"),
    ],
)
def test_picture_that_cannot_meet_the_limits_is_refused(image, few, fit, says):
    assert says in refusal(image, few, fit=fit)


def test_prepared_picture_never_exceeds_the_file_size_limit():
    large = Image.from_pil(PIL.Image.new("L", (4000, 3000)))
    sent = large.prepared(only("bmp"))
    assert MAX_FILE_BYTES / 2 < sent.size_bytes <= MAX_FILE_BYTES


def test_heic_needs_its_extra(monkeypatch):
    pytest.importorskip("pillow_heif")
    image = Image.from_bytes(encoded(quartered(), ImageFormat.HEIC))
    assert image.prepared().format == "jpeg"
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert 'pip install "pillow-heif' in refusal(image)
    assert (image.width, image.height) == (48, 32)


@pytest.mark.skipif("avif" not in PIL.features.get_supported(), reason="this Pillow has no AVIF")
def test_avif_needs_a_pillow_with_avif_support(monkeypatch):
    image = Image.from_bytes(encoded(quartered(), ImageFormat.AVIF))
    assert image.prepared().format == "jpeg"
    monkeypatch.setattr(PIL.features, "check", lambda name: False)
    assert "is an AVIF, which the installed Pillow cannot read" in refusal(image)


@settings(max_examples=30)
@given(picture=pictures(), few=limits())
def test_prepared_picture_is_within_the_limits(picture, few):
    image = Image.from_pil(picture)
    try:
        sent = image.prepared(few)
    except InvalidImage:
        return
    assert sent.format in few.formats
    assert few.max_bytes is None or sent.size_bytes <= few.max_bytes
    assert few.max_pixels is None or sent.width * sent.height <= few.max_pixels
    assert few.max_side_px is None or max(sent.width, sent.height) <= few.max_side_px
    assert few.min_bytes <= sent.size_bytes
    assert few.min_side_px <= min(sent.width, sent.height)
    assert sent.width <= image.width
    assert sent.height <= image.height
    assert sent.to_pil().size == sent.upright_size
    assert CANARY not in sent.data
    assert sent.prepared(few) is sent or sent.format not in ("jpeg", "png", "webp")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        *(({"formats": value}, "formats") for value in (frozenset(), "jpeg", frozenset({"jpeg"}))),
        *(({"max_bytes": value}, "max_bytes must") for value in (0, 1.5)),
        ({"max_pixels": True}, "max_pixels must"),
        ({"max_side_px": 0}, "max_side_px must"),
        ({"min_bytes": 0}, "min_bytes must"),
        ({"min_side_px": None}, "min_side_px must"),
        ({"min_side_px": 11, "max_pixels": 120}, "max_pixels is "),
        ({"min_side_px": 11, "max_side_px": 10}, "max_side_px is 10"),
        ({"min_bytes": 2, "max_bytes": 1}, "max_bytes is 1"),
    ],
)
def test_invalid_image_limits_are_refused(wrong, says):
    with pytest.raises(InvalidRequest, match=says):
        ImageLimits(**wrong)


# --- From and to Pillow ---


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_16_bit_pictures_are_converted_to_8_bits(mode):
    order = "big" if mode == "I;16B" else "little"
    values = [65535, 65535, 32896, 0]
    size = 4 if mode == "I" else 2
    row = b"".join(value.to_bytes(size, order) for value in values)
    seen = Image.from_pil(PIL.Image.frombytes(mode, (4, 4), row * 4)).to_pil()
    assert [seen.getpixel((x, 0))[0] for x in range(4)] == [255, 255, 128, 0]


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (PIL.Image.new("RGB", (0, 4)), r"has no pixels \(0 x 4\)"),
        (PIL.Image.new("1", (9000, 8000)), "claims 9000 x 8000 pixels"),
        (PIL.Image.new("F", (4, 4), 0.5), "floating-point"),
        (PIL.Image.open(io.BytesIO(SMALL_FILES["jpeg"][:-40])), "cannot be encoded as PNG"),
        (b"bytes", "must be a PIL.Image.Image, not bytes"),
        (None, "not NoneType"),
    ],
    ids=["no pixels", "too many", "floating point", "cut off", "bytes", "None"],
)
def test_from_pil_refuses_unusable_pictures(picture, says):
    with pytest.raises(InvalidImage, match=says):
        Image.from_pil(picture)


@pytest.mark.parametrize(
    "data",
    [
        SMALL_FILES["lossless webp"][:-20] + b"\xff" * 20,
        encoded(PIL.Image.new("F", (4, 4), 0.5), ImageFormat.TIFF),
    ],
    ids=["damaged", "floating point"],
)
def test_undecodable_pixels_raise_invalid_image(data):
    image = Image.from_bytes(data)
    with pytest.raises(InvalidImage) as refused:
        image.to_pil()
    assert refused.value.__suppress_context__


def test_picture_decoded_to_another_size_is_refused(monkeypatch):
    image = Image.from_bytes(SMALL_FILES["png"])
    monkeypatch.setattr(PIL.PngImagePlugin, "PngImageFile", lambda _: quartered((49, 32)))
    with pytest.raises(InvalidImage, match="cannot be decoded"):
        image.to_pil()
