"""A test card that goes to a real vendor is told, because it costs money and proves nothing."""

import pytest
from fakes import FakeBackend, picture

from facematch_core import Environment, FaceVerifier, Image
from facematch_core._cards import looks_like_card
from facematch_mock_server import make_card


def test_a_card_is_known_by_its_text():
    """As made; encoded anew, or any other picture, is not one."""
    assert looks_like_card(make_card("p1"))
    assert not looks_like_card(make_card("p1", kind="JPEG"))
    assert not looks_like_card(picture(kind="PNG").data)


@pytest.mark.parametrize(
    ("environment", "told"),
    [(Environment.PRODUCTION, True), (Environment.SANDBOX, True), (Environment.LOCAL, False)],
)
def test_a_card_for_a_real_vendor_is_told(environment, told, caplog):
    """A warning in the log; what never leaves the machine needs none."""
    backend = FakeBackend(environment=environment)
    FaceVerifier(backend).verify(make_card("p1"), picture())
    assert ("test card" in caplog.text) is told
    caplog.clear()
    FaceVerifier(backend).verify(picture(), picture())
    assert "test card" not in caplog.text


def test_a_card_keeps_its_text_on_the_way():
    """Private texts are removed before sending; what a card says of itself is not private."""
    sent = Image.from_bytes(make_card("p7")).prepared()
    assert looks_like_card(sent.data)
