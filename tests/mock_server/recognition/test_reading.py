"""Cards after what clients do to pictures, and pictures that are no cards."""

import io

import attrs
import PIL.Image
import PIL.ImageEnhance
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.extras import PHOTOS

from facematch_mock_server.recognition.cards import Card
from facematch_mock_server.recognition.reading import read_card
from facematch_mock_server.recognition.sheet import make_card

FACTS = {
    "person": "Zoe-12_x",
    "faces": 3,
    "quality": 31,
    "luminance": 77,
    "liveness": 30,
    "attack": True,
    "age": 41,
    "gender": "male",
    "review": True,
    "score": 41.5,
}
CARD = Card(**FACTS)
PHOTOGRAPHS = sorted(PHOTOS.glob("*.jpg"))[:6]


def pixels(**more):
    with PIL.Image.open(io.BytesIO(make_card(**{**FACTS, **more}))) as picture:
        return picture.convert("RGB")


def saved(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "options", "turned"),
    [
        ("JPEG", {"quality": 50}, 0),
        ("JPEG", {"quality": 50, "progressive": True}, 90),
        ("JPEG", {"quality": 95, "subsampling": 0}, 180),
        ("WEBP", {"quality": 50}, 270),
        ("WEBP", {"lossless": True}, 0),
        ("PNG", {}, 90),
        ("TIFF", {}, 180),
        ("GIF", {}, 270),
        ("BMP", {}, 0),
    ],
    ids=str,
)
def test_card_is_readable_in_any_encoding_and_rotation(kind, options, turned):
    data = saved(pixels(turned=turned), kind, **options)
    assert read_card(data) == attrs.evolve(CARD, turned=turned)


@settings(max_examples=15)
@given(st.integers(120, 900), st.integers(120, 900), st.integers(20, 95))
def test_card_is_readable_at_any_size_and_aspect_ratio(width, height, quality):
    data = saved(pixels().resize((width, height)), "JPEG", quality=quality)
    assert read_card(data) == CARD


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
@pytest.mark.parametrize("brightness", [0.4, 1.5])
def test_card_is_readable_after_a_change_of_brightness(turned, brightness):
    changed = PIL.ImageEnhance.Brightness(pixels(turned=turned)).enhance(brightness)
    assert read_card(saved(changed, "JPEG", quality=50)) == attrs.evolve(CARD, turned=turned)


@pytest.mark.parametrize("quality", [10, 95])
def test_photograph_is_no_card(quality):
    for path in PHOTOGRAPHS:
        with PIL.Image.open(path) as photograph:
            assert read_card(saved(photograph.convert("RGB"), "JPEG", quality=quality)) is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(1, 1), (63, 640), (640, 63)])
def test_tiny_card_is_not_read(size, kind):
    assert read_card(saved(pixels().resize(size), kind)) is None


def test_cropped_card_is_not_read():
    assert read_card(saved(pixels().crop((0, 0, 480, 400)))) is None


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_truncated_card_is_not_read(share):
    jpeg = make_card(kind="JPEG")
    assert read_card(jpeg[: int(len(jpeg) * share)]) is None


PNG = make_card("p7", faces=2, score=61.5)


@given(st.binary(max_size=200), st.integers(0, len(PNG)))
def test_reading_any_bytes_as_a_card_raises_no_error(noise, position):
    start = PNG[:position]
    read_card(noise)
    read_card(start + noise)
    read_card(start + noise + PNG[position + len(noise) :])
