"""The kit's own pictures."""

import pytest

from facematch_core import ImageFormat, InvalidImage
from facematch_core.backend import ImageLimits
from facematch_core.testing import noise, pictures_beyond

LIMITS = {
    "nothing but formats": ImageLimits(formats={ImageFormat.JPEG}),
    "the usual": ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=500_000, max_pixels=1_000_000
    ),
    "PNG, large faces": ImageLimits(
        formats={ImageFormat.PNG},
        max_bytes=200_000,
        max_pixels=250_000,
        min_side_px=200,
        max_side_px=2_000,
        min_bytes=150_000,
    ),
    "small": ImageLimits(formats={ImageFormat.JPEG}, max_bytes=2_000, min_bytes=1_000),
    "what only others write": ImageLimits(formats={ImageFormat.HEIC}),
}


def test_noise_is_the_same_everywhere():
    """One seed, one picture; another seed, another picture."""
    noise.cache_clear()
    first = noise(1)
    noise.cache_clear()
    assert noise(1) == first
    assert noise(2) != first


@pytest.mark.parametrize("name", LIMITS)
def test_each_is_beyond_its_limit(name):
    """Each picture is valid, and refused by the limits alone."""
    beyond = pictures_beyond(LIMITS[name])
    assert any(what.startswith("format ") for what in beyond)
    for picture in beyond.values():
        with pytest.raises(InvalidImage):
            picture.prepared(LIMITS[name], fit=False)


def test_there_is_one_for_every_limit():
    """Every limit that is set has its picture."""
    kinds = {f"format {kind}" for kind in ("jpeg", "png", "webp", "bmp", "gif", "tiff")}
    others = kinds - {"format png"}
    found = set(pictures_beyond(LIMITS["PNG, large faces"]))
    assert found == others | {"bytes", "few bytes", "pixels", "side", "long side"}
    assert set(pictures_beyond(LIMITS["what only others write"])) == kinds


@pytest.mark.parametrize(
    "kind", [ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF]
)
def test_it_is_beyond_its_limit_by_a_little(kind):
    """Who takes kibibytes for kilobytes takes it."""
    limits = ImageLimits(formats={kind}, max_bytes=400_000, max_side_px=4096)
    beyond = pictures_beyond(limits)
    assert 400_000 < beyond["bytes"].size_bytes <= 400 * 1024
    assert (beyond["long side"].width, beyond["long side"].height) == (4097, 1)


def test_one_of_too_few_bytes_is_beyond_by_a_little():
    """Who counts 1,000 as a kilobyte takes it; where a side alone makes it larger there is none."""
    light = pictures_beyond(ImageLimits(formats={ImageFormat.PNG}, min_bytes=10 * 1024))
    assert 10_000 < light["few bytes"].size_bytes < 10 * 1024
    wide = ImageLimits(formats={ImageFormat.PNG}, min_bytes=1024, min_side_px=36)
    assert "few bytes" not in pictures_beyond(wide)


def test_limits_beyond_the_cores_own_are_left_out():
    """What the core refuses by itself cannot show what the backend declares."""
    huge = ImageLimits(formats=set(ImageFormat), max_bytes=1 << 30, max_pixels=1 << 30)
    assert pictures_beyond(huge) == {}
