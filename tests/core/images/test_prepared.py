"""What one vendor takes, and how pictures are made to fit."""

import hashlib
import io
import sys

import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.strategies_images import (
    CANARY,
    PHOTOGRAPHS,
    SMALL_FILES,
    corners,
    encoded,
    icc_profile,
    jpeg_with_secrets,
    limits,
    pictures,
    quartered,
)

from facematch_core import _imaging
from facematch_core.errors import InvalidImage, InvalidRequest
from facematch_core.images import Image, ImageFormat, ImageLimits

FACE = Image.read(next(path for path in PHOTOGRAPHS if path.stem == "grace-hopper"))
PNG_ONLY = ImageLimits(formats=frozenset({ImageFormat.PNG}))


def refusal(image, *args, **kwargs):
    """The sentence that `image` is refused with."""
    with pytest.raises(InvalidImage) as refused:
        image.prepared(*args, **kwargs)
    return refused.value.message


def test_what_needs_no_change_is_returned_itself():
    """No copy, and both digests are one."""
    image = FACE.prepared()
    assert image.prepared() is image
    assert FACE.prepared(ImageLimits(max_bytes=FACE.size_bytes)) is image
    assert image.digest == image.sent_digest == hashlib.sha256(image.data).hexdigest()


def test_digest_is_of_what_was_given():
    """Through stripping and fitting, however often."""
    data = jpeg_with_secrets(quartered())
    image = Image.from_bytes(data)
    sent = image.prepared()
    smaller = sent.prepared(ImageLimits(max_pixels=100))
    for made in (image, sent, smaller):
        assert made.digest == hashlib.sha256(data).hexdigest()
        assert made.sent_digest == hashlib.sha256(made.data).hexdigest()
    assert len({image.sent_digest, sent.sent_digest, smaller.sent_digest}) == 3
    assert len({image, sent, smaller}) == 3


def test_is_repeatable():
    """The same picture and limits give the same bytes."""
    few = ImageLimits(max_bytes=9_000, max_pixels=90_000)
    assert FACE.prepared(few).data == FACE.prepared(few).data
    assert FACE.prepared(few) == FACE.prepared(few)


def test_stripping_can_be_enough():
    """The limit counts for what is sent, not for what was given."""
    data = jpeg_with_secrets(quartered())
    image = Image.from_bytes(data)
    sent = image.prepared(ImageLimits(max_bytes=len(data) - 100), fit=False)
    assert sent.size_bytes < len(data) - 100


@pytest.mark.parametrize("name", SMALL_FILES)
def test_converts_to_what_is_taken(name):
    """Any file to any format that can be written, the best for a photograph first."""
    image = Image.from_bytes(SMALL_FILES[name])
    for form in ("jpeg", "png", "webp", "tiff", "bmp"):
        sent = image.prepared(ImageLimits(formats=frozenset({ImageFormat(form)})))
        assert sent.format == form
        assert corners(sent.to_pil()) == corners(image.to_pil())
    if image.format not in ("jpeg", "webp", "png"):
        assert image.prepared().format == "jpeg"


def test_without_fit_nothing_is_encoded_anew():
    """Format, bytes, pixels: refused with the value, the limit and the way out."""
    kinds = "is a JPEG, but only PNG can be sent; change it first, or let facematch change it."
    assert refusal(FACE, PNG_ONLY, fit=False) == f"The picture {kinds}"
    assert "has 70295 bytes, but only 70294" in refusal(
        FACE, ImageLimits(max_bytes=70_294), fit=False
    )
    assert "has 307200 pixels, but only 307199" in refusal(
        FACE, ImageLimits(max_pixels=307_199), fit=False
    )
    assert "is 600 pixels long, but only 599" in refusal(
        FACE, ImageLimits(max_side_px=599), fit=False
    )
    tiff = Image.from_bytes(SMALL_FILES["tiff"])
    taken = ImageLimits(formats=frozenset({ImageFormat.TIFF}))
    assert "can only be removed by encoding it again" in refusal(tiff, taken, fit=False)


def test_nothing_is_enlarged():
    """Too small is refused, fit or not, and also if it would become too small."""
    few = ImageLimits(min_side_px=513)
    for fit in (True, False):
        assert "512 x 600 pixels, but its shorter side needs at least 513" in refusal(
            FACE, few, fit=fit
        )
    assert FACE.prepared(ImageLimits(min_side_px=512)).width == 512
    strict = ImageLimits(min_side_px=500, max_pixels=250_000)
    assert "shorter side falling below 500 pixels" in refusal(FACE, strict)


def test_the_longest_side_is_brought_within_its_limit():
    sent = FACE.prepared(ImageLimits(max_side_px=300))
    assert (sent.width, sent.height) == (256, 300)
    assert FACE.prepared(ImageLimits(max_side_px=600)).data == FACE.prepared().data


def test_a_file_of_too_few_bytes_is_refused():
    """As given, and as it would be sent: nothing is made larger."""
    many = FACE.prepared().size_bytes
    for fit in (True, False):
        assert f"but at least {many + 1} are needed" in refusal(
            FACE, ImageLimits(min_bytes=many + 1), fit=fit
        )
    assert FACE.prepared(ImageLimits(min_bytes=many)).size_bytes == many
    assert "at least 9000 are needed" in refusal(FACE, ImageLimits(min_bytes=9000, max_side_px=20))


def test_quality_goes_before_size():
    """A little too many bytes cost quality, many cost pixels."""
    sent = FACE.prepared(ImageLimits(max_bytes=60_000))
    assert (sent.width, sent.height) == (512, 600)
    smaller = FACE.prepared(ImageLimits(max_bytes=10_000))
    assert 5_000 < smaller.size_bytes <= 10_000
    assert smaller.width < 512
    assert smaller.width / smaller.height == pytest.approx(512 / 600, rel=0.02)


@pytest.mark.parametrize("size", [(4000, 1), (1, 4000), (1, 1), (3000, 2000)])
def test_odd_shapes_fit(size):
    """One pixel is the least a side can have."""
    image = Image.from_pil(PIL.Image.new("RGB", size, "teal"))
    sent = image.prepared(ImageLimits(max_pixels=10, max_bytes=700))
    assert sent.width * sent.height <= 10


def test_fits_what_the_encoder_can_hold():
    """A side may be longer than WebP or JPEG allow."""
    long = Image.from_pil(PIL.Image.new("L", (70_000, 20)))
    for form, most in {"webp": 16_383, "jpeg": 65_500}.items():
        sent = long.prepared(ImageLimits(formats=frozenset({ImageFormat(form)})))
        assert sent.width == most
    assert "shorter side falling below 20" in refusal(
        long, ImageLimits(formats=frozenset({ImageFormat.WEBP}), min_side_px=20)
    )


def test_impossible_limits_are_refused():
    """No picture has 100 bytes; no encoder writes HEIC here."""
    assert "cannot be brought within 100 bytes" in refusal(FACE, ImageLimits(max_bytes=100))
    only = ImageLimits(formats=frozenset({ImageFormat.HEIC, ImageFormat.GIF}))
    assert "none of GIF, HEIC can be written" in refusal(FACE, only)


def test_result_is_never_more_than_is_read(monkeypatch):
    """An uncompressed format could otherwise make a file that we refuse ourselves."""
    monkeypatch.setattr(_imaging, "MAX_FILE_BYTES", 50_000)
    sent = FACE.prepared(ImageLimits(formats=frozenset({ImageFormat.BMP})))
    assert sent.size_bytes <= 50_000


def test_transparency_is_laid_on_white():
    """JPEG has none, and black would look like a dark photograph."""
    picture = PIL.Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image = Image.from_pil(picture)
    sent = image.prepared(ImageLimits(formats=frozenset({ImageFormat.JPEG})))
    assert sent.to_pil().getpixel((4, 4)) == (255, 255, 255)


def profile_of(image):
    """The colour profile in a file."""
    with PIL.Image.open(io.BytesIO(image.data)) as picture:
        return picture.info.get("icc_profile")


def test_colour_profiles_stay_where_they_apply():
    """An RGB profile comes along; one for CMYK or a very large one does not."""
    few = ImageLimits(max_pixels=400)
    rgb, cmyk = icc_profile(b"RGB "), icc_profile(b"CMYK")
    image = Image.from_bytes(encoded(quartered(), ImageFormat.JPEG, icc_profile=rgb))
    assert profile_of(image.prepared()) == profile_of(image.prepared(few)) == rgb
    assert profile_of(image.prepared(ImageLimits(max_pixels=400, max_bytes=1000))) == rgb
    large = encoded(quartered(), ImageFormat.JPEG, icc_profile=icc_profile(b"RGB ", b"\0" * 1000))
    sent = Image.from_bytes(large).prepared(ImageLimits(max_bytes=1200))
    assert profile_of(sent) is None
    printed = encoded(quartered(mode="CMYK"), ImageFormat.JPEG, icc_profile=cmyk)
    assert profile_of(Image.from_bytes(printed).prepared()) == cmyk
    assert profile_of(Image.from_bytes(printed).prepared(few)) is None


def test_heic_needs_its_extra(monkeypatch):
    """Without pillow-heif it can be read and described, but not converted."""
    pytest.importorskip("pillow_heif")
    image = Image.from_bytes(encoded(quartered(), ImageFormat.HEIC))
    assert image.prepared().format == "jpeg"
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert 'pip install "facematch-core[heif]"' in refusal(image)
    with pytest.raises(InvalidImage, match="facematch-core"):
        image.to_pil()
    assert (image.width, image.height) == (48, 32)


def test_avif_needs_a_pillow_that_has_it(monkeypatch):
    """Older ones do not."""
    import PIL.features

    if not PIL.features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    image = Image.from_bytes(encoded(quartered(), ImageFormat.AVIF))
    assert image.prepared().format == "jpeg"
    monkeypatch.setattr(PIL.features, "check", lambda name: False)
    assert "is an AVIF, which the installed Pillow cannot read" in refusal(image)


@settings(max_examples=60)
@given(picture=pictures(), few=limits())
def test_the_result_is_within_the_limits(picture, few):
    """Whatever the limits: a picture within them, or one sentence."""
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
    ("wrong", "told"),
    [
        ({"formats": frozenset()}, "at least one"),
        ({"formats": "jpeg"}, "must be a set"),
        ({"formats": frozenset({"jpeg"})}, "must be a set"),
        ({"max_bytes": 0}, "max_bytes must be a whole number, at least 1, not 0"),
        ({"max_bytes": 1.5}, "max_bytes must be a whole number"),
        ({"max_pixels": True}, "max_pixels must be a whole number"),
        ({"min_side_px": None}, "min_side_px must be a whole number"),
        ({"min_side_px": 11, "max_pixels": 120}, "needs more pixels"),
        ({"min_side_px": 11, "max_side_px": 10}, "min_side_px 11 is more than max_side_px 10"),
        ({"min_bytes": 2, "max_bytes": 1}, "min_bytes 2 is more than max_bytes 1"),
        ({"max_side_px": 0}, "max_side_px must be a whole number"),
        ({"min_bytes": 0}, "min_bytes must be a whole number"),
    ],
)
def test_limits_are_checked(wrong, told):
    """A backend's mistake shows when it is made."""
    with pytest.raises(InvalidRequest, match=told):
        ImageLimits(**wrong)


def test_limits_by_default():
    """What nearly every vendor takes; equal limits are equal and can be keys."""
    assert ImageLimits().formats == {"jpeg", "png", "webp"}
    assert ImageLimits() == ImageLimits(formats=[*ImageLimits().formats])
    assert len({ImageLimits(), ImageLimits(max_bytes=1)}) == 2


def test_a_digest_that_nobody_asks_for_is_not_computed(monkeypatch):
    """Sending needs none, and hashing costs more than all the rest of preparing."""
    hashed = []
    sha256 = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", lambda data: hashed.append(data) or sha256(data))
    image = Image.from_bytes(jpeg_with_secrets(quartered()))
    sent = image.prepared()
    assert sent is not image
    assert not hashed
    assert sent.digest == image.digest != sent.sent_digest
    assert len(hashed) == 2


@given(pictures(modes=["RGB", "L"]), st.integers(1, 8))
def test_what_is_known_of_a_stripped_jpeg_is_what_its_bytes_say(picture, orientation):
    """It is not read anew, so nothing may have changed but what was taken out."""
    data = encoded(picture, ImageFormat.JPEG, orientation=orientation)
    sent = Image.from_bytes(data).prepared()
    anew = Image.from_bytes(sent.data)
    assert sent._header == anew._header
    assert anew.prepared() is anew
