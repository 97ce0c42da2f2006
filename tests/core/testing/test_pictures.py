import pytest

from facematch_core import InvalidImage
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.testing import noise, pictures_beyond
from facematch_core.testing.pictures import turn

LIMITS = {
    "nothing but formats": ImageLimits(formats={ImageFormat.JPEG}),
    "PNG, large faces": ImageLimits(
        formats={ImageFormat.PNG},
        max_bytes=200_000,
        max_pixels=250_000,
        min_side_px=200,
        max_side_px=2_000,
        min_bytes=150_000,
    ),
    "what only others write": ImageLimits(formats={ImageFormat.HEIC}),
}


@pytest.mark.parametrize("name", LIMITS)
def test_each_picture_violates_its_limit(name):
    beyond = pictures_beyond(LIMITS[name])
    assert any(what.startswith("format ") for what in beyond)
    for picture in beyond.values():
        with pytest.raises(InvalidImage):
            picture.prepared(LIMITS[name], fit=False)


def test_there_is_a_picture_for_every_limit():
    kinds = {f"format {kind}" for kind in ("jpeg", "png", "webp", "bmp", "gif", "tiff")}
    others = kinds - {"format png"}
    beyond = set(pictures_beyond(LIMITS["PNG, large faces"]))
    assert beyond == others | {"bytes", "few bytes", "pixels", "side", "long side"}
    assert set(pictures_beyond(LIMITS["what only others write"])) == kinds


def test_pictures_exceed_their_limit_only_slightly():
    limits = ImageLimits(formats={ImageFormat.JPEG}, max_bytes=400_000, max_side_px=4096)
    beyond = pictures_beyond(limits)
    assert 400_000 < beyond["bytes"].size_bytes <= 400 * 1024
    assert noise(0, (64, 64), ImageFormat.PNG).size_bytes > 3 * 64 * 64, "compressed"
    least = noise(0, (64, 64), ImageFormat.JPEG).size_bytes
    small = pictures_beyond(ImageLimits(formats={ImageFormat.JPEG}, max_bytes=least))
    assert small["bytes"].size_bytes > least
    assert (beyond["long side"].width, beyond["long side"].height) == (4097, 1)


def test_rotated_picture_is_decoded_upright():
    held = noise(7, (120, 80))
    size = held.width, held.height
    for orientation in range(2, 9):
        lying = turn(held, orientation)
        assert lying.upright_size == lying.to_pil().size == size
        assert (lying.width, lying.height) == (size[::-1] if orientation > 4 else size)
