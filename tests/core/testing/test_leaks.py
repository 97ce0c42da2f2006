import base64
import json
import logging
import re
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.fakes import picture

from facematch_core.testing import find_leaks, noise, picture_samples, told_by
from facematch_core.testing.leaks import capture_log

SECRET = b"k\xffe'y/\xfb+\x00\n~1"

secrets = st.binary(min_size=6, max_size=40)
around = st.binary(max_size=7)


@settings(max_examples=40)
@given(secrets, around, around)
def test_plain_secret_is_found_in_bytes_and_text(secret, before, after):
    text = (before + secret + after).decode("latin-1")
    assert "as it is" in find_leaks(secret, before + secret + after)
    assert find_leaks(secret, text)
    assert find_leaks(secret, repr(before + secret + after))
    assert find_leaks(secret, json.dumps(text))
    assert find_leaks(secret, json.dumps(text, ensure_ascii=False))


@settings(max_examples=40)
@given(secrets, around, around)
def test_hex_base64_and_url_encoded_secret_is_found(secret, before, after):
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
        assert find_leaks(secret, re.sub("%..", lambda match: match[0].lower(), escaped))


@settings(max_examples=40)
@given(secrets, around, around, st.lists(st.sampled_from([repr, ascii, json.dumps]), max_size=3))
def test_secret_is_found_in_nested_repr_and_json(secret, before, after, encoders):
    for text in (repr(before + secret + after), repr((before + secret + after).decode("latin-1"))):
        for encode in encoders:
            text = encode(text)  # noqa: PLW2901 - each around the one before
        assert find_leaks(secret, text)
        assert find_leaks(secret, text.encode(errors="surrogateescape"))


def test_leak_is_named_by_its_encoding():
    assert find_leaks(SECRET, "", b"", "something else entirely") == ()
    assert find_leaks("open sesame", "open sesame, please") == ("as it is",)
    with pytest.raises(ValueError, match="5 bytes is too short"):
        find_leaks("12345", "12345")


def test_secret_is_found_in_wrongly_decoded_text():
    """Letters beyond ASCII in a `repr`, bytes of a file name, and halves of a letter."""
    text = repr("x" + SECRET.decode("latin-1"))
    assert "\xff" in text
    assert find_leaks(SECRET, text)
    assert find_leaks(SECRET, text.encode("latin-1"))
    name = b"/tmp/\xff-open sesame".decode(errors="surrogateescape")
    assert find_leaks("open sesame", name)
    assert find_leaks(b"\xff-open sesame", name)
    assert find_leaks("open sesame", "\ud800 open sesame")


def test_picture_samples_are_found_only_in_their_own_picture():
    image = noise(1)
    other_image = noise(2)
    assert len(picture_samples(image)) >= 4
    for sample in picture_samples(image):
        assert find_leaks(sample, image.data)
        assert not find_leaks(sample, other_image.data)
    assert picture_samples(picture(kind="BMP")) == ()  # it would be found anywhere


def test_frames_causes_and_attributes_of_an_error_are_searched():
    """Frames, attributes, causes, what `from None` hides, and the members of a group."""

    def fails():
        hidden = "local-secret"
        assert hidden
        try:
            raise KeyError("hidden-secret")
        except KeyError:
            raise ValueError("outer") from None

    with pytest.raises(ValueError, match="outer") as caught:
        fails()
    caught.value.note = "attribute-secret"
    caught.value.__cause__ = KeyError("cause-secret")
    # Before a variable of this frame, which is looked at as well, holds any of them.
    texts = told_by(caught.value)
    for secret in ("local-secret", "cause-secret", "hidden-secret", "attribute-secret"):
        assert find_leaks(secret, texts)
    group = ExceptionGroup("two", [ValueError("first-secret"), OSError("second-secret")])
    assert find_leaks("first-secret", told_by(group))
    assert find_leaks("second-secret", told_by(group))


def test_all_log_records_are_captured(monkeypatch):
    """From DEBUG up, with its extra, also kept from the root; others hear what they always do."""
    plain, strict, mute = map(logging.getLogger, ("some.library", "some.other", "some.third"))
    before, meanwhile = (logging.getLogger(f"silent.{name}") for name in ("before", "meanwhile"))
    records = []
    strict.setLevel(logging.ERROR)
    monkeypatch.setattr(mute, "filters", [lambda _: False])
    monkeypatch.setattr(before, "propagate", False)
    monkeypatch.setattr(before, "handlers", [logging.NullHandler()])
    monkeypatch.setattr(before.handlers[0], "handle", records.append)
    with capture_log() as log:
        plain.info("asked", extra={"headers": {"X-Key": "abc"}})
        strict.debug("key %s", "abc")
        mute.warning("key abc")
        before.debug("key %s", "abc")
        before.warning("too early")
        monkeypatch.setattr(meanwhile, "propagate", False)
        meanwhile.debug("key %s", "def")
    before.warning("too late")
    lines = log.getvalue().splitlines()
    starts = ["asked", "key abc", "key abc", "too early", "key def"]
    assert [line.partition(" {")[0] for line in lines] == starts
    assert "{'X-Key': 'abc'}" in lines[0]
    assert all("'name': 'some." in line or "'name': 'silent." in line for line in lines)
    assert [record.getMessage() for record in records] == ["too early", "too late"]
    assert strict.level == logging.ERROR
    strict.setLevel(logging.NOTSET)
