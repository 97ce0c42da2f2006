import copy
import logging
import pickle

import pytest

from facematch_core import ConfigurationError, Secret
from facematch_core.http import without_secrets

KEY = "sk-canary-71f0"


def test_secret_is_never_shown():
    secret = Secret(KEY, origin="$DIDIT_API_KEY")
    text = f"{secret} {secret!r} {secret!s} {[secret]} {logging.makeLogRecord({'args': secret})}"
    assert KEY not in text
    assert "from $DIDIT_API_KEY" in text
    assert secret.reveal() == KEY


def test_short_secret_is_masked_only_as_a_whole_word():
    """The key of a test may be a letter: what has it in a word stays readable."""
    sentence = "The security token (key=e, e) expired."
    assert without_secrets(sentence, (Secret("e"),)) == "The security token (key=***, ***) expired."
    assert without_secrets(f"x{KEY}x", (Secret(KEY), Secret("e"))) == "x***x"
    assert without_secrets(f"x{KEY}x", (Secret(KEY[:8]), Secret(KEY))) == "x***x"


def test_secret_that_is_not_utf_8_is_masked():
    key = f"{KEY}\udce9"
    assert without_secrets(f"x{key}x", (Secret(key),)) == "x***x"


@pytest.mark.parametrize("act", [pickle.dumps, copy.copy, copy.deepcopy])
def test_secret_cannot_be_pickled_or_copied(act):
    with pytest.raises(TypeError):
        act(Secret(KEY))


def test_secret_is_read_from_a_variable_or_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    assert Secret.from_environment("SOME_KEY").origin == "$SOME_KEY"
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    assert Secret.from_file(path).reveal() == KEY


def test_missing_or_invalid_secret_is_a_one_line_error(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for act in (
        lambda: Secret.from_environment("NO_SUCH"),
        lambda: Secret.from_file(tmp_path / "nothing"),
        lambda: Secret.from_file(tmp_path / "empty"),
        lambda: Secret.from_file(tmp_path / "binary"),
        lambda: Secret.from_file("a\0b"),
        lambda: Secret(b"bytes"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            act()
        assert "\n" not in str(caught.value)
