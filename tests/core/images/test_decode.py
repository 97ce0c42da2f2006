"""From and to Pillow."""

import io
import warnings

import PIL.Image
import pytest
from hypothesis import given, settings
from kit.strategies_images import (
    CANARY,
    SMALL_FILES,
    UPRIGHT,
    corners,
    encoded,
    exif,
    icc_profile,
    pictures,
    quartered,
)

from facematch_core.errors import InvalidImage
from facematch_core.images import Image, ImageFormat

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")


def in_mode(mode):
    """The quartered picture in any mode."""
    return quartered(mode="P").convert("PA") if mode == "PA" else quartered(mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_takes_pictures_of_any_mode(mode):
    """As PNG without loss, or as RGB where PNG has no such mode."""
    picture = in_mode(mode)
    image = Image.from_pil(picture)
    assert (image.format, image.width, image.height) == ("png", 48, 32)
    seen = image.to_pil()
    assert (seen.mode, seen.size) == ("RGB", (48, 32))
    if mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        with PIL.Image.open(io.BytesIO(image.data)) as stored:
            assert stored.mode == mode
            assert stored.convert("RGBA").tobytes() == picture.convert("RGBA").tobytes()
    if mode not in ("1", "L", "LA"):
        assert corners(seen) == "RGBY"


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_takes_sixteen_bits(mode):
    """They are scaled to eight, not cut off at 255."""
    grey = PIL.Image.new("I", (4, 4), 0)
    grey.paste(65535, (0, 0, 2, 4))
    grey.paste(32896, (2, 0, 3, 4))
    if mode == "I;16B":
        raw = grey.convert("I;16").tobytes()
        swapped = b"".join(raw[i : i + 2][::-1] for i in range(0, len(raw), 2))
        grey = PIL.Image.frombytes("I;16B", (4, 4), swapped)
    elif mode == "I;16":
        grey = grey.convert("I;16")
    assert grey.mode == mode
    seen = Image.from_pil(grey).to_pil()
    assert [seen.getpixel((x, 0))[0] for x in range(4)] == [255, 255, 128, 0]


def test_reads_sixteen_bit_files():
    """PNG and TIFF with 16 bits of grey."""
    grey = PIL.Image.new("I;16", (4, 4), 32896)
    for form in (ImageFormat.PNG, ImageFormat.TIFF):
        image = Image.from_bytes(encoded(grey, form))
        assert image.to_pil().getpixel((1, 1)) == (128, 128, 128)
        assert image.prepared().to_pil().getpixel((1, 1)) == (128, 128, 128)


def test_refuses_floating_point():
    """Nobody knows where white is."""
    picture = PIL.Image.new("F", (4, 4), 0.5)
    with pytest.raises(InvalidImage, match="floating-point"):
        Image.from_pil(picture)
    with pytest.raises(InvalidImage, match="floating-point"):
        Image.from_bytes(encoded(picture, ImageFormat.TIFF)).to_pil()


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("form", ["jpeg", "tiff", "png"])
def test_from_pil_turns_upright_and_drops_metadata(form, orientation):
    """Whether Pillow has turned the picture already (TIFF) or not."""
    data = encoded(quartered(), ImageFormat(form), orientation=orientation)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        image = Image.from_pil(picture)
    assert corners(image.to_pil()) == UPRIGHT[orientation]
    assert image.orientation == 1
    assert image.upright_size == (image.width, image.height)
    assert CANARY not in image.data
    assert image.prepared() is image


def test_from_pil_keeps_colours_only():
    """Profile and transparency come along, the comment does not; the picture stays as it was."""
    profile = icc_profile(b"RGB ")
    picture = quartered()
    picture.info |= {"icc_profile": profile, "comment": CANARY, "exif": exif(1), "dpi": (1, 1)}
    picture.info |= {"transparency": (220, 20, 20)}
    before = dict(picture.info)
    image = Image.from_pil(picture)
    assert picture.info == before
    assert CANARY not in image.data
    seen = image.to_pil()
    assert seen.info == {"icc_profile": profile}
    assert seen.getpixel((2, 2)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        (PIL.Image.new("RGB", (0, 4)), r"has no pixels \(0 x 4\)"),
        (b"bytes", "must be a PIL.Image.Image, not bytes"),
        (None, "not NoneType"),
    ],
)
def test_from_pil_refuses(picture, told):
    """What is empty or no picture."""
    with pytest.raises(InvalidImage, match=told):
        Image.from_pil(picture)


def test_from_pil_refuses_too_many_pixels():
    """Before they are encoded."""
    with pytest.raises(InvalidImage, match="claims 9000 x 8000 pixels"):
        Image.from_pil(PIL.Image.new("1", (9000, 8000)))


def test_from_pil_refuses_a_damaged_file():
    """Pillow opens it lazily, so the damage shows only now."""
    picture = PIL.Image.open(io.BytesIO(SMALL_FILES["jpeg"][:-40]))
    with picture, pytest.raises(InvalidImage, match="cannot be encoded as PNG"):
        Image.from_pil(picture)


@pytest.mark.parametrize("name", SMALL_FILES)
def test_decodes_upright_rgb(name):
    """The same four colours from every format."""
    image = Image.from_bytes(SMALL_FILES[name])
    picture = image.to_pil()
    assert picture.mode == "RGB"
    assert picture.size == image.upright_size
    assert corners(picture) == UPRIGHT[image.orientation]


@pytest.mark.parametrize("form", ["heic", "avif"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_decodes_modern_formats_upright(form, orientation):
    """Their decoders turn (HEIC) or do not turn (AVIF) the picture: once in either case."""
    if form == "heic":
        pytest.importorskip("pillow_heif")
    image = Image.from_bytes(encoded(quartered(), ImageFormat(form), orientation=orientation))
    assert image.to_pil().size == image.upright_size
    assert corners(image.to_pil()) == UPRIGHT[orientation]


def test_damage_in_the_pixels_is_one_sentence():
    """The structure is whole, so it is noticed only here; the decoder's words are not repeated."""
    data = bytearray(SMALL_FILES["lossless webp"])
    data[-20:] = b"\xff" * 20
    image = Image.from_bytes(data)
    with pytest.raises(InvalidImage, match="whose pixels cannot be decoded") as refused:
        image.to_pil()
    assert refused.value.__suppress_context__


def test_a_decoder_that_finds_another_size_is_not_trusted(monkeypatch):
    """The size that was checked is the one that is decoded."""
    image = Image.from_bytes(SMALL_FILES["png"])
    monkeypatch.setattr(PIL.PngImagePlugin, "PngImageFile", lambda _: quartered((49, 32)))
    with pytest.raises(InvalidImage, match="cannot be decoded"):
        image.to_pil()


def test_no_warning_up_to_our_limit():
    """Pillow warns of bombs only above it (here every warning is an error)."""
    picture = PIL.Image.new("1", (8000, 8000))
    assert Image.from_pil(picture).to_pil().size == (8000, 8000)


def test_a_warning_that_was_given_is_not_given_again():
    """What a program was warned of once, it was: decoding leaves the state of warnings alone."""

    def warn():
        warnings.warn("once", UserWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as given_warnings:
        warnings.simplefilter("default")
        for _ in range(3):
            warn()
            Image.from_bytes(SMALL_FILES["tiff"]).prepared()
    assert len(given_warnings) == 1


@settings(max_examples=30)
@given(pictures(modes=("RGB", "L", "1")))
def test_round_trip_without_loss(picture):
    """What goes in comes out."""
    assert Image.from_pil(picture).to_pil().tobytes() == picture.convert("RGB").tobytes()
