"""Secrets do not show, pickle or come from nowhere."""

import copy
import logging
import os
import pickle

import pytest

from facematch_core import ConfigurationError, Secret

KEY = "sk-canary-71f0"


def test_a_secret_never_shows_itself():
    """Not in repr, str, format, a log line or the vars of an object."""
    secret = Secret(KEY, origin="$DIDIT_API_KEY")
    shown = f"{secret} {secret!r} {secret!s} {[secret]} {logging.makeLogRecord({'args': secret})}"
    assert KEY not in shown
    assert "from $DIDIT_API_KEY" in shown
    assert secret.reveal() == KEY


@pytest.mark.parametrize("act", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_not_pickled(act):
    """A queue or a cache would write it to disk."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        act(Secret(KEY))


def test_equal_by_value():
    """Compared in constant time, and usable as a key of a dictionary."""
    assert Secret(KEY) == Secret(KEY, origin="elsewhere")
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY)}) == 1


def test_from_environment_and_file(tmp_path, monkeypatch):
    """The origin is told, the value is not; the line end does not belong to a key."""
    monkeypatch.setenv("SOME_KEY", KEY)
    assert Secret.from_environment("SOME_KEY").origin == "$SOME_KEY"
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    assert Secret.from_file(path).reveal() == KEY


@pytest.mark.skipif(os.name != "posix", reason="the system has no such rights")
@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, False)])
def test_a_key_file_that_all_may_read(tmp_path, caplog, mode, warned):
    """It is used, its first line alone, and the log says how to hide it."""
    path = tmp_path / "key"
    path.write_text(f"{KEY}\na note\n")
    path.chmod(mode)
    assert Secret.from_file(path).reveal() == KEY
    assert ("chmod o-r" in caplog.text) is warned
    assert KEY not in caplog.text


def test_what_is_missing_is_one_sentence(tmp_path, monkeypatch):
    """Unset, empty, a folder, not text."""
    monkeypatch.delenv("NO_SUCH", raising=False)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for act in (
        lambda: Secret.from_environment("NO_SUCH"),
        lambda: Secret.from_file(tmp_path / "nothing"),
        lambda: Secret.from_file(tmp_path),
        lambda: Secret.from_file(tmp_path / "empty"),
        lambda: Secret.from_file(tmp_path / "binary"),
        lambda: Secret.from_file("a\0b"),
        lambda: Secret(b"bytes"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            act()
        assert "\n" not in str(caught.value)
