"""Cards after what clients do to pictures, pictures that are no cards, and the text of a PNG.

The text is read without Pillow, and believed only for its own pixels.
"""

import io
import random
import subprocess
import sys
import zlib
from pathlib import Path

import attrs
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.PngImagePlugin import PngInfo

from facematch_core import Image
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_mock_server.recognition.cards import KEYWORD, Card, read_card, read_text
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
ENCODINGS = [
    *(("JPEG", {"quality": 50}), ("JPEG", {"quality": 50, "progressive": True})),
    *(("JPEG", {"quality": 95, "subsampling": 0}), ("WEBP", {"quality": 50})),
    *(("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {}), ("GIF", {}), ("BMP", {})),
]


def pixels(**more):
    with PIL.Image.open(io.BytesIO(make_card(**{**FACTS, **more}))) as picture:
        return picture.convert("RGB")


def saved(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "options", "turned"),
    [(*encoding, 90 * (place % 4)) for place, encoding in enumerate(ENCODINGS)],
    ids=str,
)
def test_any_encoding_in_any_turn(kind, options, turned):
    data = saved(pixels(turned=turned), kind, **options)
    assert read_card(data) == attrs.evolve(CARD, turned=turned)


@settings(max_examples=15)
@given(st.integers(120, 900), st.integers(120, 900), st.integers(20, 95))
def test_a_card_may_be_stretched_to_any_shape(width, height, quality):
    data = saved(pixels().resize((width, height)), "JPEG", quality=quality)
    assert read_card(data) == CARD


@pytest.mark.parametrize("formats", [{ImageFormat.JPEG}, {ImageFormat.WEBP}])
def test_a_card_fitted_to_narrow_limits_is_still_the_card(formats):
    limits = ImageLimits(formats=formats, max_bytes=20_000, max_pixels=100_000)
    data = Image.from_bytes(make_card(**FACTS)).prepared(limits).data
    assert read_card(data) == CARD


def test_photographs_are_no_cards_neither_as_they_are_nor_small():
    paths = sorted(PHOTOGRAPHS.glob("*.jpg"))[::8]
    if not paths:
        pytest.skip("the sample photographs are not part of this copy of the project")
    for path in paths:
        assert read_card(path.read_bytes()) is None
        with PIL.Image.open(path) as picture:
            for size in ((160, 213), (640, 480)):
                assert read_card(saved(picture.resize(size))) is None


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([(84, 42), (120, 160), (480, 640), (640, 480), (300, 300)]),
    coarse=st.sampled_from([1, 4, 16]),
    mode=st.sampled_from(["L", "RGB", "1"]),
)
def test_noise_is_no_card(seed, size, coarse, mode):
    width, height = size[0] // coarse, size[1] // coarse
    dice = random.Random(seed)
    noise = PIL.Image.frombytes("L", (width, height), dice.randbytes(width * height))
    picture = noise.resize(size, PIL.Image.Resampling.NEAREST).convert(mode)
    assert read_card(saved(picture)) is None


def test_rather_no_card_than_half_of_one():
    whole, jpeg = pixels(), make_card(kind="JPEG")
    for size in ((1, 1), (63, 640), (640, 63)):
        assert read_card(saved(whole.resize(size))) is None
    assert read_card(saved(whole.crop((0, 0, 480, 400)))) is None
    for part in (0.02, 0.3, 0.6):
        assert read_card(jpeg[: int(len(jpeg) * part)]) is None


PNG = make_card("p7", faces=2, score=61.5, turned=90)


def chunk(name, content):
    checksum = zlib.crc32(name + content)
    return len(content).to_bytes(4, "big") + name + content + checksum.to_bytes(4, "big")


def test_the_text_says_what_the_pixels_say():
    card = read_text(PNG)
    assert card is not None
    assert card == read_card(make_card("p7", faces=2, score=61.5, turned=90, kind="TIFF"))


def test_text_is_read_without_pillow(tmp_path):
    (tmp_path / "p7.png").write_bytes(PNG)
    code = (
        "import sys; from facematch_mock_server.recognition.cards import read_card; "
        "card = read_card(open(sys.argv[1], 'rb').read()); "
        "print(card.person, 'PIL' in sys.modules)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "p7.png")]
    ran = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == ["p7", "False"]


def test_text_of_other_pixels_does_not_count():
    with PIL.Image.open(io.BytesIO(PNG)) as picture:
        info = PngInfo()
        info.add_text(KEYWORD.decode(), picture.text[KEYWORD.decode()])
        file = io.BytesIO()
        picture.transpose(PIL.Image.Transpose.ROTATE_90).save(file, "PNG", pnginfo=info)
    assert KEYWORD in file.getvalue()
    assert read_text(file.getvalue()) is None
    assert read_card(file.getvalue()).turned == 0


def test_text_is_found_whether_the_library_sends_it_or_not():
    assert read_card(Image.from_bytes(PNG).prepared().data) == read_text(PNG)


@pytest.mark.parametrize("text", [b"", b"x" * 45, b"g" * 32 + b".090.00000000", b"\xff" * 45])
def test_other_texts_are_no_cards(text):
    plain = PNG[:33] + PNG[33 + len(chunk(b"tEXt", KEYWORD + b"\0" + b"x" * 45)) :]
    assert read_text(plain) is None
    assert read_text(plain[:33] + chunk(b"tEXt", KEYWORD + b"\0" + text) + plain[33:]) is None


@given(st.binary(max_size=200), st.integers(0, len(PNG)))
def test_no_bytes_raise(noise, at):
    for data in (noise, PNG[:at] + noise, PNG[:at] + noise + PNG[at + len(noise) :]):
        assert read_text(data) in (None, read_text(PNG))
        read_card(data)
