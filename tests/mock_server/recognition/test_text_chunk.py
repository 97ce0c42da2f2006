"""The text chunk: read without Pillow, and believed only for its own pixels."""

import io
import subprocess
import sys
import zlib

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL.PngImagePlugin import PngInfo

from facematch_core import Image
from facematch_mock_server.recognition.cards import KEYWORD, card_in_text, read_card
from facematch_mock_server.recognition.sheet import make_card

PNG = make_card("p7", faces=2, score=61.5, turned=90)


def chunk(name, content):
    """One PNG chunk."""
    checksum = zlib.crc32(name + content)
    return len(content).to_bytes(4, "big") + name + content + checksum.to_bytes(4, "big")


def test_text_tells_what_pixels_tell():
    """Both ways give the same card."""
    card = card_in_text(PNG)
    assert card is not None
    assert card == read_card(make_card("p7", faces=2, score=61.5, turned=90, kind="TIFF"))


def test_text_is_read_without_pillow(tmp_path):
    """A card as it was made costs no picture library."""
    (tmp_path / "p7.png").write_bytes(PNG)
    code = (
        "import sys; from facematch_mock_server.recognition.cards import read_card; "
        "card = read_card(open(sys.argv[1], 'rb').read()); "
        "print(card.person, 'PIL' in sys.modules)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "p7.png")]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == ["p7", "False"]


def test_text_of_other_pixels_does_not_count():
    """Turned by a program that keeps texts, the card lies as its pixels say."""
    with PIL.Image.open(io.BytesIO(PNG)) as picture:
        info = PngInfo()
        info.add_text(KEYWORD.decode(), picture.text[KEYWORD.decode()])
        file = io.BytesIO()
        picture.transpose(PIL.Image.Transpose.ROTATE_90).save(file, "PNG", pnginfo=info)
    assert KEYWORD in file.getvalue()
    assert card_in_text(file.getvalue()) is None
    assert read_card(file.getvalue()).turned == 0


def test_text_survives_another_chunk_in_front():
    """An orientation that a client adds does not take the text's worth away."""
    before = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0\0\0\0\0")
    assert card_in_text(PNG[:33] + before + PNG[33:]) == card_in_text(PNG)


def test_text_is_found_whether_the_library_sends_it_or_not():
    """Prepared for a vendor, the picture still is the card."""
    assert read_card(Image.from_bytes(PNG).prepared().data) == card_in_text(PNG)


@pytest.mark.parametrize("text", [b"", b"x" * 45, b"g" * 32 + b".090.00000000", b"\xff" * 45])
def test_other_texts_are_no_cards(text):
    """A text under our keyword that we did not write is passed over."""
    plain = PNG[:33] + PNG[33 + len(chunk(b"tEXt", KEYWORD + b"\0" + b"x" * 45)) :]
    assert card_in_text(plain) is None
    assert card_in_text(plain[:33] + chunk(b"tEXt", KEYWORD + b"\0" + text) + plain[33:]) is None


@given(st.binary(max_size=200), st.integers(0, len(PNG)))
def test_no_bytes_raise(noise, at):
    """Cut off or with noise inside, it is a card or none."""
    for data in (noise, PNG[:at] + noise, PNG[:at] + noise + PNG[at + len(noise) :]):
        assert card_in_text(data) in (None, card_in_text(PNG))
        read_card(data)
