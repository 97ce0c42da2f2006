"""The pictures that are made of the owner's."""

import io
from typing import get_args

import pytest
from drift_targets import STEPS
from PIL import Image as Pillow

from facematch_core import InvalidImage
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_mock_server.drift.pictures import cards, pictures_of
from facematch_mock_server.drift.script import Picture

LIMITS = ImageLimits(formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG}), max_bytes=5_000_000)


@pytest.fixture
def files(tmp_path):
    """Two pictures of other sizes, the first one with an orientation."""
    paths = tmp_path / "p.jpg", tmp_path / "r.png"
    tags = Pillow.Exif()
    tags[0x0112] = 6
    Pillow.new("RGB", (300, 200), "red").save(paths[0], exif=tags)
    Pillow.new("RGB", (960, 1280), "blue").save(paths[1])
    return paths


def opened(pictures, name):
    """One of them, decoded."""
    return Pillow.open(io.BytesIO(pictures[name][1]))


def test_every_picture_that_is_sent_is_there(files):
    """That of another person only if there is one."""
    with_other = pictures_of(*files, files[1], LIMITS)
    assert set(with_other) == set(get_args(Picture))
    assert set(pictures_of(*files, None, LIMITS)) == set(get_args(Picture)) - {"other"}
    assert {file.picture for step in STEPS.values() for file in step.files} == set(
        get_args(Picture)
    )


def test_two_faces_stand_below_one_another(files):
    """As wide as 480 pixels each, upright, so that the lower one lies deeper than the width."""
    pictures = pictures_of(*files, None, LIMITS)
    two = opened(pictures, "two")
    assert two.size == (480, 640 + 720)
    blue, red = two.getpixel((240, 100)), two.getpixel((240, 1300))
    assert blue[2] > 200 > blue[0]
    assert red[0] > 200 > red[2]


def test_the_turned_picture_lies_on_its_side(files):
    """Of the upright probe; and it is no larger than it need be."""
    assert opened(pictures_of(*files, None, LIMITS), "turned").size == (300, 200)
    Pillow.new("RGB", (4000, 3000)).save(files[0])
    assert max(opened(pictures_of(*files, None, LIMITS), "turned").size) == 1600


def test_what_is_made_is_a_jpeg_and_what_is_given_stays(files):
    """The ending says what it is."""
    made = pictures_of(*files, None, LIMITS)
    for name in ("two", "turned", "blank"):
        assert made[name][0] == "jpg"
        assert made[name][1].startswith(b"\xff\xd8")
    assert made["reference"] == ("png", files[1].read_bytes())
    assert made["empty"][1] == b""
    assert len(made["nearly"][1]) < 5 * 1024 * 1024 < len(made["big"][1])


def test_the_cards_of_the_model_are_all_different():
    """A mock that digests them takes none for another one."""
    assert set(cards()) == set(get_args(Picture))
    assert len({data for _, data in cards().values()}) == len(get_args(Picture))


def test_no_picture_is_refused(tmp_path, files):
    """Before anything is sent."""
    (tmp_path / "x.jpg").write_text("no picture")
    with pytest.raises(InvalidImage):
        pictures_of(tmp_path / "x.jpg", files[1], None, LIMITS)
