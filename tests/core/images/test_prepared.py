"""From and to Pillow; what one vendor takes, and how pictures are made to fit."""

import hashlib
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


ANY_LIMITS = ImageLimits()


def only(*forms, **limits):
    return ImageLimits(formats=frozenset(map(ImageFormat, forms)), **limits)


def refusal(image, image_limits=ANY_LIMITS, *, fit=True):
    """The sentence that `image` is refused with."""
    with pytest.raises(InvalidImage) as refused:
        image.prepared(image_limits, fit=fit)
    return refused.value.message


# --- How it is made to fit ---


@pytest.mark.parametrize("name", SMALL_FILES)
def test_picture_is_converted_to_an_accepted_format(name):
    image = Image.from_bytes(SMALL_FILES[name])
    original = hashlib.sha256(SMALL_FILES[name]).hexdigest()
    for form in ("jpeg", "png", "webp", "tiff", "bmp"):
        prepared = image.prepared(only(form))
        assert prepared.format == form
        assert corners(prepared.to_pil()) == corners(image.to_pil())
        assert prepared.sent_digest == hashlib.sha256(prepared.data).hexdigest()
        # The second time from a cache.
        assert [prepared.digest, prepared.digest] == [original, original]
    if image.format not in ("jpeg", "webp", "png"):
        assert image.prepared().format == "jpeg"


LONG = Image.from_pil(PIL.Image.new("L", (70_000, 20)))
TIFF = Image.from_bytes(SMALL_FILES["tiff"])


@pytest.mark.parametrize(
    ("image", "image_limits", "fit", "says"),
    [
        (FACE, ImageLimits(min_side_px=513), False, "512 x 600 pixels, but its shorter side needs"),
        (FACE, ImageLimits(min_side_px=513), True, "at least 513"),
        (FACE, ImageLimits(min_bytes=10**6), False, "but at least 1000000 are needed"),
        (FACE, only("png"), False, "is a JPEG, but only PNG can be sent; change it first"),
        (FACE, ImageLimits(max_bytes=46_551), False, "has 46552 bytes, but only 46551"),
        (FACE, ImageLimits(max_side_px=599), False, "is 600 pixels long, but only 599"),
        (TIFF, only("tiff"), False, "can only be removed by re-encoding"),
        (FACE, only("heic", "gif"), True, "none of GIF, HEIC can be written"),
        (FACE, ImageLimits(max_bytes=100), True, "cannot be brought within 100 bytes"),
        (FACE, ImageLimits(min_bytes=9000, max_side_px=20), True, "at least 9000 are needed"),
        (FACE, ImageLimits(min_side_px=500, max_side_px=510), True, "falling below 500 pixels"),
        (LONG, only("webp", min_side_px=20), True, "falling below 20 pixels"),
    ],
)
def test_picture_that_cannot_meet_the_limits_is_refused(image, image_limits, fit, says):
    assert says in refusal(image, image_limits, fit=fit)


def test_picture_at_the_limits_is_sent():
    at_limits = ImageLimits(min_side_px=512, min_bytes=FACE.prepared().size_bytes)
    assert FACE.prepared(at_limits) == FACE.prepared()


def test_prepared_picture_never_exceeds_the_file_size_limit():
    large = Image.from_pil(PIL.Image.new("L", (4000, 3000)))
    prepared = large.prepared(only("bmp"))
    assert MAX_FILE_BYTES / 2 < prepared.size_bytes <= MAX_FILE_BYTES


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
@given(picture=pictures(), image_limits=limits())
def test_prepared_picture_is_within_the_limits(picture, image_limits):
    image = Image.from_pil(picture)
    try:
        prepared = image.prepared(image_limits)
    except InvalidImage:
        return
    assert prepared.format in image_limits.formats
    assert image_limits.max_bytes is None or prepared.size_bytes <= image_limits.max_bytes
    longer_side_px = max(prepared.width, prepared.height)
    assert image_limits.max_side_px is None or longer_side_px <= image_limits.max_side_px
    assert image_limits.min_bytes <= prepared.size_bytes
    assert image_limits.min_side_px <= min(prepared.width, prepared.height)
    assert prepared.width <= image.width
    assert prepared.height <= image.height
    assert prepared.to_pil().size == prepared.upright_size
    assert CANARY not in prepared.data
    if prepared.format in ("jpeg", "png", "webp"):
        assert prepared.prepared(image_limits) is prepared


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"formats": frozenset()}, "formats"),
        ({"formats": frozenset({"jpeg"})}, "formats"),
        ({"max_bytes": 0}, "max_bytes must"),
        ({"max_side_px": True}, "max_side_px must"),
        ({"min_side_px": None}, "min_side_px must"),
        ({"min_side_px": 11, "max_side_px": 10}, "max_side_px is 10"),
        ({"min_bytes": 2, "max_bytes": 1}, "max_bytes is 1"),
    ],
)
def test_invalid_image_limits_are_refused(options, says):
    with pytest.raises(InvalidRequest, match=says):
        ImageLimits(**options)


# --- From and to Pillow ---


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_16_bit_pictures_are_converted_to_8_bits(mode):
    order = "big" if mode == "I;16B" else "little"
    bytes_per_pixel = 4 if mode == "I" else 2
    pixels = b""
    for brightness in (65535, 32896, 0):
        pixels += brightness.to_bytes(bytes_per_pixel, order)
    converted = Image.from_pil(PIL.Image.frombytes(mode, (3, 1), pixels)).to_pil()
    reds = [converted.getpixel((column, 0))[0] for column in range(3)]
    assert reds == [255, 128, 0]


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (PIL.Image.new("RGB", (0, 4)), r"has no pixels \(0 x 4\)"),
        (PIL.Image.new("1", (9000, 8000)), "claims 9000 x 8000 pixels"),
        (PIL.Image.new("F", (4, 4), 0.5), "floating-point"),
        (PIL.Image.open(io.BytesIO(SMALL_FILES["jpeg"][:-40])), "cannot be encoded as PNG"),
        (b"bytes", "must be a PIL.Image.Image, not bytes"),
    ],
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
