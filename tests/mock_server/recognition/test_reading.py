"""Cards after what clients and vendors do to pictures; and pictures that are no cards."""

import io
import random
from pathlib import Path

import attrs
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch_core import Image
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_mock_server.recognition.cards import Card, read_card
from facematch_mock_server.recognition.sheet import make_card

PHOTOGRAPHS = Path(__file__).parents[3] / "docs" / "photographs"
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
FILTERS = ["NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS"]
TURNS = {0: None, 90: "ROTATE_270", 180: "ROTATE_180", 270: "ROTATE_90"}
ENCODINGS = [
    *(("JPEG", {"quality": 50}), ("JPEG", {"quality": 50, "progressive": True})),
    *(("JPEG", {"quality": 95, "subsampling": 0}), ("WEBP", {"quality": 50})),
    *(("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {}), ("GIF", {}), ("BMP", {})),
]


def pixels(**more):
    """A drawn card, decoded."""
    with PIL.Image.open(io.BytesIO(make_card(**{**FACTS, **more}))) as picture:
        return picture.convert("RGB")


def saved(picture, kind="PNG", **options):
    """A picture as the bytes of a file, without a card's text."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "options"), ENCODINGS, ids=str)
@pytest.mark.parametrize("turned", TURNS)
def test_any_encoding_in_any_turn(kind, options, turned):
    """The pixels tell all of it, and how the card lies."""
    data = saved(pixels(turned=turned), kind, **options)
    assert read_card(data) == attrs.evolve(CARD, turned=turned)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("turned", TURNS)
def test_a_third_of_the_size_at_half_the_quality(name, kind, turned):
    """Shrunk to a third with any filter, turned, and encoded at quality 50."""
    small = pixels().resize((160, 213), PIL.Image.Resampling[name])
    if turned:
        small = small.transpose(PIL.Image.Transpose[TURNS[turned]])
    assert read_card(saved(small, kind, quality=50)) == attrs.evolve(CARD, turned=turned)


def test_one_treatment_after_the_other():
    """Encoded, enlarged, encoded, shrunk, turned, encoded: still the card."""
    picture = pixels()
    for kind, size in (("JPEG", (700, 933)), ("WEBP", (333, 444)), ("JPEG", (160, 213))):
        data = saved(picture.resize(size, PIL.Image.Resampling.BICUBIC), kind, quality=50)
        with PIL.Image.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGB").transpose(PIL.Image.Transpose.ROTATE_90)
    assert read_card(saved(picture, "JPEG", quality=50)) == attrs.evolve(CARD, turned=90)


@settings(max_examples=30)
@given(st.integers(120, 900), st.integers(120, 900), st.integers(20, 95))
def test_any_shape(width, height, quality):
    """Stretched to whatever shape a client wants."""
    data = saved(pixels().resize((width, height)), "JPEG", quality=quality)
    assert read_card(data) == CARD


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_any_mode(mode):
    """Grey, palette, transparency, print colours, black and white."""
    data = saved(pixels().convert(mode), "TIFF")
    assert read_card(data) == CARD


@pytest.mark.parametrize("size", [(120, 160), (300, 300), (1500, 2000)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_cards_of_any_size_and_kind(size, kind):
    """A card can be made small or large, and in each kind."""
    data = make_card(**FACTS, turned=270, size=size, kind=kind)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.size) == (kind, size[::-1])
    assert read_card(data) == attrs.evolve(CARD, turned=270)


@pytest.mark.parametrize("formats", [{ImageFormat.JPEG}, {ImageFormat.WEBP}])
def test_what_the_library_makes_of_it(formats):
    """Fitted to a vendor with narrow limits, it still is the card."""
    limits = ImageLimits(formats=formats, max_bytes=20_000, max_pixels=100_000)
    data = Image.from_bytes(make_card(**FACTS)).prepared(limits).data
    assert read_card(data) == CARD


def test_the_same_words_make_the_same_card():
    """Two cards of the same facts have the same bytes, so the same digest."""
    assert make_card(**FACTS) == make_card(**FACTS)
    assert make_card("p1") != make_card("p2")


def test_photographs_are_no_cards():
    """Neither as they are nor turned nor small."""
    paths = sorted(PHOTOGRAPHS.glob("*.jpg"))
    if not paths:
        pytest.skip("the sample photographs are not part of this copy of the project")
    for path in paths:
        assert read_card(path.read_bytes()) is None
        with PIL.Image.open(path) as picture:
            for size in ((160, 213), (640, 480)):
                assert read_card(saved(picture.resize(size))) is None


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([(84, 42), (120, 160), (480, 640), (640, 480), (300, 300)]),
    coarse=st.sampled_from([1, 4, 16]),
    mode=st.sampled_from(["L", "RGB", "1"]),
)
def test_noise_is_no_card(seed, size, coarse, mode):
    """Fine or in blocks, grey, coloured, black and white."""
    width, height = size[0] // coarse, size[1] // coarse
    dice = random.Random(seed)
    noise = PIL.Image.frombytes("L", (width, height), dice.randbytes(width * height))
    picture = noise.resize(size, PIL.Image.Resampling.NEAREST).convert(mode)
    assert read_card(saved(picture)) is None


@pytest.mark.parametrize("size", [(1, 1), (63, 640), (640, 63)])
def test_small_pictures_are_no_cards(size):
    """Below the size at which a code could be told, nothing is looked for."""
    assert read_card(saved(pixels().resize(size))) is None


def test_a_cropped_card_is_no_card():
    """The whole picture counts: rather none than half of one."""
    assert read_card(saved(pixels().crop((0, 0, 480, 400)))) is None


@given(st.binary(max_size=300))
def test_no_picture_is_no_card(data):
    """Bytes that are no picture are none, without an error."""
    assert read_card(data) is None


def test_broken_pictures_are_no_cards():
    """Cut off anywhere after its head, a JPEG is none."""
    data = make_card(kind="JPEG")
    for part in (0.02, 0.3, 0.6):
        assert read_card(data[: int(len(data) * part)]) is None
