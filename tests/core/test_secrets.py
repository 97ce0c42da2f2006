import copy
import logging
import pickle

import pytest

from facematch_core import ConfigurationError, Secret
from facematch_core.http import without_secrets

KEY = "sk-canary-71f0"


def test_a_secret_never_shows_itself():
    secret = Secret(KEY, origin="$DIDIT_API_KEY")
    shown = f"{secret} {secret!r} {secret!s} {[secret]} {logging.makeLogRecord({'args': secret})}"
    assert KEY not in shown
    assert "from $DIDIT_API_KEY" in shown
    assert secret.reveal() == KEY


def test_a_short_secret_blacks_out_no_vendors_sentence():
    """The key of a test may be a letter: what has it in a word stays readable."""
    sentence = "The security token (key=e, e) expired."
    assert without_secrets(sentence, (Secret("e"),)) == "The security token (key=***, ***) expired."
    assert without_secrets(f"x{KEY}x", (Secret(KEY), Secret("e"))) == "x***x"
    assert without_secrets(f"x{KEY}x", (Secret(KEY[:8]), Secret(KEY))) == "x***x"


@pytest.mark.parametrize("act", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_not_pickled(act):
    with pytest.raises(TypeError):
        act(Secret(KEY))


def test_a_secret_of_a_variable_or_a_file_says_where_it_is_from(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    assert Secret.from_environment("SOME_KEY").origin == "$SOME_KEY"
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    assert Secret.from_file(path).reveal() == KEY


def test_a_secret_that_is_missing_or_none_is_one_sentence(tmp_path, monkeypatch):
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
