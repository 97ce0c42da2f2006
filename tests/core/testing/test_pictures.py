import pytest

from facematch_core import InvalidImage
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.testing import noise, photograph, pictures_beyond
from facematch_core.testing.pictures import pictures_within, turn

LIMITS = {
    "nothing but formats": ImageLimits(formats={ImageFormat.JPEG}),
    "PNG, large faces": ImageLimits(
        formats={ImageFormat.PNG},
        max_bytes=200_000,
        min_side_px=200,
        max_side_px=2_000,
        min_bytes=150_000,
    ),
    "what only others write": ImageLimits(formats={ImageFormat.HEIC}),
}


@pytest.mark.parametrize("name", LIMITS)
def test_each_picture_violates_its_limit(name):
    beyond = pictures_beyond(LIMITS[name])
    assert any(violation.startswith("format ") for violation in beyond)
    for picture in beyond.values():
        with pytest.raises(InvalidImage):
            picture.prepared(LIMITS[name], fit=False)


def test_there_is_a_picture_for_every_limit():
    formats = {"format jpeg", "format webp", "format bmp", "format gif", "format tiff"}
    beyond = set(pictures_beyond(LIMITS["PNG, large faces"]))
    assert beyond == formats | {"bytes", "few bytes", "side", "long side"}
    beyond = set(pictures_beyond(LIMITS["what only others write"]))
    assert beyond == formats | {"format png"}


def test_pictures_exceed_their_limit_only_slightly():
    limits = ImageLimits(formats={ImageFormat.JPEG}, max_bytes=400_000, max_side_px=4096)
    beyond = pictures_beyond(limits)
    assert 400_000 < beyond["bytes"].size_bytes <= 400 * 1024
    assert noise(0, (64, 64), ImageFormat.PNG).size_bytes > 3 * 64 * 64, "compressed"
    size_bytes = noise(0, (64, 64), ImageFormat.JPEG).size_bytes
    small = pictures_beyond(ImageLimits(formats={ImageFormat.JPEG}, max_bytes=size_bytes))
    assert small["bytes"].size_bytes > size_bytes
    assert beyond["long side"].upright_size == (4097, 1)


@pytest.mark.parametrize("accepted", [ImageFormat.JPEG, ImageFormat.PNG])
def test_pictures_about_a_size_have_an_accepted_format(accepted):
    """Else a vendor rejects or accepts them for their format, and its size limit is not tested."""
    limits = ImageLimits(formats={accepted}, max_bytes=20_000, max_side_px=200)
    beyond = pictures_beyond(limits)
    for violation in ("bytes", "long side"):
        assert beyond[violation].format is accepted
    for picture in pictures_within(limits).values():
        assert picture.format is accepted


def test_an_unknown_photograph_is_a_lookup_error_with_the_known_names():
    with pytest.raises(LookupError, match="grace-hopper-card"):
        photograph("ada-lovelace")


def test_rotated_picture_is_decoded_upright():
    picture = noise(7, (120, 80))
    for orientation in range(2, 9):
        lying = turn(picture, orientation)
        assert lying.upright_size == lying.to_pil().size == (120, 80)
        assert (lying.width > lying.height) is (orientation <= 4)
