"""A secret is found however it was written down, and nothing is found where there is none."""

import base64
import json
import logging
import re
import urllib.parse

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import picture

from facematch_core.testing import find_leaks, noise, picture_samples, told_by
from facematch_core.testing.leaks import captured_log

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
        assert find_leaks(secret, re.sub("%..", lambda found: found[0].lower(), escaped))


@given(secrets, around, around, st.lists(st.sampled_from([repr, ascii, json.dumps]), max_size=3))
def test_written_inside_of_what_was_written(secret, before, after, ways):
    """As `repr` has it inside of a `repr` or of JSON, up to three deep."""
    for text in (repr(before + secret + after), repr((before + secret + after).decode("latin-1"))):
        for way in ways:
            text = way(text)  # noqa: PLW2901 - each around the one before
        assert find_leaks(secret, text)
        assert find_leaks(secret, text.encode(errors="surrogateescape"))


def test_bytes_that_were_taken_for_text():
    """Letters beyond ASCII stay letters in a `repr`, in a file of either encoding."""
    text = repr("x" + SECRET.decode("latin-1"))
    assert "\xff" in text
    assert find_leaks(SECRET, text)
    assert find_leaks(SECRET, text.encode("latin-1"))


def test_text_that_was_no_text():
    """Bytes of a file name, and halves of a letter, which UTF-8 cannot have."""
    name = b"/tmp/\xff-open sesame".decode(errors="surrogateescape")
    assert find_leaks("open sesame", name)
    assert find_leaks(b"\xff-open sesame", name)
    assert find_leaks("open sesame", "\ud800 open sesame")


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


def test_told_by_follows_every_error_behind():
    """One that was hidden by `from None`, and the members of a group."""
    with pytest.raises(ValueError, match="outer") as caught:
        try:
            raise KeyError("hidden-secret")
        except KeyError:
            raise ValueError("outer") from None
    assert find_leaks("hidden-secret", told_by(caught.value))
    group = ExceptionGroup("two", [ValueError("first-secret"), OSError("second-secret")])
    assert find_leaks("first-secret", told_by(group))
    assert find_leaks("second-secret", told_by(group))


def test_told_by_survives_what_cannot_be_shown():
    """An object that is not whole yet, and a text that fails; the rest is told."""

    @attrs.frozen
    class Half:
        first: str
        second: int = attrs.field(converter=int)

    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    with pytest.raises(ValueError, match="invalid literal") as caught:
        Half("first-secret", "second-secret")
    told = told_by(caught.value)
    assert "self = <AttributeError>" in told
    assert find_leaks("first-secret", told)
    assert "<RuntimeError>" in told_by(Mute("hidden-secret"))


def test_log_is_captured_from_debug_up():
    """Whatever level a logger is set to, and that level is put back."""
    logger = logging.getLogger("some.library")
    logger.setLevel(logging.ERROR)
    with captured_log() as log:
        logger.debug("key %s", "abc")
    assert "some.library DEBUG key abc" in log.getvalue()
    assert logger.level == logging.ERROR
    logger.setLevel(logging.NOTSET)


def test_log_is_captured_where_it_is_kept_from_the_root(monkeypatch):
    """A logger with `propagate=False`, known before or silenced meanwhile, is heard once, and its
    own handlers as ever.
    """
    own = []
    before, meanwhile = (logging.getLogger(f"silent.{name}") for name in ("before", "meanwhile"))
    monkeypatch.setattr(before, "propagate", False)
    monkeypatch.setattr(before, "handlers", [logging.NullHandler()])
    monkeypatch.setattr(before.handlers[0], "handle", own.append)
    with captured_log() as log:
        before.debug("key %s", "abc")
        monkeypatch.setattr(meanwhile, "propagate", False)
        meanwhile.debug("key %s", "def")
    before.warning("too late")
    assert log.getvalue().splitlines() == [
        "silent.before DEBUG key abc ('abc',)",
        "silent.meanwhile DEBUG key def ('def',)",
    ]
    assert [record.getMessage() for record in own] == ["key abc", "too late"]


def test_what_a_filter_stops_is_not_captured(monkeypatch):
    """It reaches nobody."""
    logger = logging.getLogger("some.library")
    monkeypatch.setattr(logger, "filters", [lambda _: False])
    with captured_log() as log:
        logger.warning("key abc")
    assert log.getvalue() == ""


def test_log_is_captured_with_what_it_carries():
    """A log in JSON writes the extra of a record, too; one without an extra stays as it is."""
    with captured_log() as log:
        logging.getLogger("some.library").info("asked", extra={"headers": {"X-Key": "abc"}})
        logging.getLogger("some.library").info("asked")
    first, second = log.getvalue().splitlines()
    assert first == "some.library INFO asked () {'headers': {'X-Key': 'abc'}}"
    assert second == "some.library INFO asked ()"
