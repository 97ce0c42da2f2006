"""Opening an account in single steps, for scripts and for people."""

import stat
from pathlib import Path

import pytest

from facematch_core import Secret
from facematch_mock_server import Fault, Kind, Stage


def key_of(path):
    return Secret.from_file(path).reveal()


def test_from_nothing_to_a_key(run, mock, registered):
    """Register, then the code: the key lands in a private file, and works."""
    code = registered.code()
    answer = run(
        "verify-email", registered.email, "--code-stdin", "--key-file", "a.key", typed=f"{code}\n"
    )
    assert answer.exit_code == 0, answer.output
    assert "a.key; only you can read it" in answer.stdout
    assert stat.S_IMODE(Path("a.key").stat().st_mode) == 0o600
    key = key_of("a.key")
    assert key not in answer.output
    assert code not in answer.output


def test_the_usual_place_is_not_the_project(run, registered, tmp_path):
    """Without --key-file the key does not land where a commit would take it along."""
    code = registered.code()
    assert run("verify-email", registered.email, "--code-stdin", typed=f"{code}\n").exit_code == 0
    assert (tmp_path / "config" / "facematch" / "didit.key").exists()


def test_the_key_is_shown_if_asked_for(run_json, registered):
    """And in JSON only then, too."""
    code = registered.code()
    words = ("verify-email", registered.email, "--code-stdin", "--key-file", "a.key", "--show-key")
    status, document = run_json(*words, typed=f"{code}\n")
    assert status == 0
    assert document["api_key"] == key_of("a.key")
    assert document["key_file"] == "a.key"


def test_without_a_terminal_a_file_is_not_overwritten(run, mock, registered):
    """--force is somebody's word; the code is not spent without it."""
    Path("a.key").write_text("old")
    code = registered.code()
    words = ("verify-email", registered.email, "--code-stdin", "--key-file", "a.key")
    answer = run(*words, typed=f"{code}\n")
    assert answer.exit_code == 2
    assert "--force" in answer.stderr
    assert Path("a.key").read_text() == "old"
    assert run(*words, "--force", typed=f"{code}\n").exit_code == 0
    assert key_of("a.key") != "old"


def test_a_wrong_code_leaves_no_file(run, registered):
    """The place was taken before the call, and is given back."""
    words = ("verify-email", registered.email, "--code-stdin", "--key-file", "a.key")
    assert run(*words, typed="nope00\n").exit_code == 5
    assert not Path("a.key").exists()


@pytest.mark.parametrize(
    ("words", "way"),
    [
        (("register", "me@firm.io"), "--password-stdin"),
        (("login", "me@firm.io"), "--password-stdin"),
        (("verify-email", "me@firm.io"), "--code-stdin"),
        (("setup",), "facematch didit register"),
    ],
)
def test_questions_without_a_terminal(run, words, way):
    """Wrong usage, with the way that needs no terminal."""
    answer = run(*words)
    assert answer.exit_code == 2
    assert "there is none" in answer.stderr
    assert way in answer.stderr


@pytest.mark.parametrize("typed", ["", "\n"])
def test_nothing_on_standard_input(run, person, typed):
    """An empty password is not sent."""
    answer = run("login", person.email, "--password-stdin", typed=typed)
    assert answer.exit_code == 2
    assert "No password came" in answer.stderr


def test_passwords_are_typed_twice_and_not_shown(run, at_terminal, person):
    """Who opens an account by hand gets a second look."""
    answer = run("register", person.email, typed=f"{person.password}\n{person.password}\n")
    assert answer.exit_code == 0
    assert person.password not in answer.output
    assert person.code()


def test_login(run, run_json, registered):
    """Says that it is right; the token is written only where it is wanted, and never printed."""
    code = registered.code()
    run("verify-email", registered.email, "--code-stdin", typed=f"{code}\n")
    answer = run("login", registered.email, "--password-stdin", typed=f"{registered.password}\n")
    assert answer.exit_code == 0
    words = ("login", registered.email, "--password-stdin", "--token-file", "t")
    status, document = run_json(*words, typed=f"{registered.password}\n")
    assert (status, document) == (0, {"expires_in_s": 86400, "token_file": "t"})
    assert stat.S_IMODE(Path("t").stat().st_mode) == 0o600
    assert key_of("t") not in answer.output


def test_a_wrong_password(run, registered):
    """The vendor's no, and nothing of the password."""
    answer = run("login", registered.email, "--password-stdin", typed="Secret-guess-1\n")
    assert answer.exit_code == 5
    assert "not accepted" in answer.stderr
    assert "Secret-guess-1" not in answer.output


def test_another_code(run, mock, registered):
    """Not at once, but after a minute."""
    first = mock.control.mailbox.code(registered.email)
    assert run("resend-code", registered.email).exit_code == 5
    mock.control.advance(61)
    assert run("resend-code", registered.email).exit_code == 0
    assert len(mock.control.mailbox.mails(registered.email)) == 2
    assert first in {mail.code for mail in mock.control.mailbox.mails(registered.email)}


def test_an_unknown_outcome_has_its_code(run, mock, person):
    """Nobody knows whether the account was opened: 6, and what to do."""
    mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.HTML, status=502))
    answer = run("register", person.email, "--password-stdin", typed=f"{person.password}\n")
    assert answer.exit_code == 6
    assert person.password not in answer.output
