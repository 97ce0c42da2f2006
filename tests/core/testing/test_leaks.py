"""A secret is found however it was written down, and nothing is found where there is none."""

import base64
import json
import logging
import urllib.parse

import pytest
from fakes import picture
from hypothesis import given
from hypothesis import strategies as st

from facematch_core.testing import find_leaks, noise, picture_samples, told_by
from facematch_core.testing._leaks import captured_log

SECRET = b"k\xffe'y/\xfb+\x00\n~1"

secrets = st.binary(min_size=6, max_size=40)
around = st.binary(max_size=7)


def test_nothing_is_found_in_nothing():
    """No text, no leak."""
    assert find_leaks(SECRET, "", b"", "something else entirely") == ()


def test_short_secrets_are_refused():
    """They occur by chance."""
    with pytest.raises(ValueError, match="5 bytes is too short"):
        find_leaks("12345", "12345")


def test_the_secret_is_not_in_the_finding():
    """What is found is named by its form."""
    assert find_leaks("open sesame", "open sesame, please") == ("as it is",)


@given(secrets, around, around)
def test_bytes_as_they_are(secret, before, after):
    """In bytes, in text of any decoding, in what `repr` and JSON make of them."""
    text = (before + secret + after).decode("latin-1")
    assert "as it is" in find_leaks(secret, before + secret + after)
    assert find_leaks(secret, text)
    assert find_leaks(secret, repr(before + secret + after))
    assert find_leaks(secret, json.dumps(text))
    assert find_leaks(secret, json.dumps(text, ensure_ascii=False))


@given(secrets, around, around)
def test_encoded(secret, before, after):
    """Hexadecimal in both cases, base64 of both alphabets at any offset, escaped for a URL."""
    whole = before + secret + after
    for text in (whole.hex(), whole.hex().upper(), whole.hex(" ")):
        assert "hexadecimal" in find_leaks(secret, text)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert "base64" in find_leaks(secret, encode(whole))
        assert "base64" in find_leaks(secret, encode(whole).rstrip(b"=").decode())
    for escape in (urllib.parse.quote, urllib.parse.quote_plus):
        escaped = escape(whole)
        assert find_leaks(secret, escaped)
        assert find_leaks(secret, escaped.replace("%FF", "%ff"))


def test_picture_samples_are_its_own():
    """Pieces of one picture are found in it and not in another one."""
    one, other = noise(1), noise(2)
    assert len(picture_samples(one)) >= 4
    for sample in picture_samples(one):
        assert find_leaks(sample, one.data)
        assert not find_leaks(sample, other.data)


def test_plain_pictures_have_no_samples():
    """What would be found anywhere is no sample."""
    assert picture_samples(picture(kind="BMP")) == ()


def test_told_by_includes_frames_and_causes():
    """Local variables of every frame, the cause, and attributes."""

    def fails():
        hidden = "local-secret"
        assert hidden
        raise ValueError("outer") from KeyError("cause-secret")

    with pytest.raises(ValueError, match="outer") as caught:
        fails()
    caught.value.note = "attribute-secret"
    for secret in ("local-secret", "cause-secret", "attribute-secret"):
        assert find_leaks(secret, told_by(caught.value))


def test_log_is_captured_from_debug_up():
    """Whatever level a logger is set to, and that level is put back."""
    logger = logging.getLogger("some.library")
    logger.setLevel(logging.ERROR)
    with captured_log() as log:
        logger.debug("key %s", "abc")
    assert "some.library DEBUG key abc" in log.getvalue()
    assert logger.level == logging.ERROR
    logger.setLevel(logging.NOTSET)
