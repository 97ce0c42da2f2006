"""`facematch didit setup`: from nothing to a profile that works."""

import os
import pty
import re
import select
import stat
import subprocess
import sys
import time

import click
import pytest

from facematch_core import Secret, open_verifier
from facematch_mock_server import make_card

START = "from facematch_core.cli import main; main()"


@pytest.fixture
def folder(tmp_path):
    """The user's own folder of configuration."""
    return tmp_path / "config" / "facematch"


@pytest.fixture
def answers(monkeypatch, at_terminal):
    """Answers the questions in turn; an answer may be a function of nothing."""

    def script(*told):
        waiting = list(told)

        def prompt(_question, **_options):
            answer = waiting.pop(0)
            return answer() if callable(answer) else answer

        monkeypatch.setattr(click, "prompt", prompt)
        monkeypatch.setattr(click, "confirm", prompt)
        return waiting

    return script


def private(path):
    return stat.S_IMODE(path.stat().st_mode) == 0o600


def test_from_nothing(run, mock, answers, folder, person):
    """An account, a private key file, and a profile that compares faces."""
    left = answers("nothing", person.email, person.password, person.code)
    answer = run("setup")
    assert answer.exit_code == 0, answer.output
    assert left == []
    key = Secret.from_file(folder / "didit.key").reveal()
    assert private(folder / "didit.key")
    assert not [text for text in (key, person.password) if text in answer.output]
    with open_verifier(profile="didit") as verifier:
        assert verifier.verify(make_card("p1"), make_card("p1", quality=60)).is_match
    assert "facematch verify selfie.jpg id.jpg --profile didit\n" in answer.stdout
    assert "Credit: 100.0000 USD" in answer.stdout
    assert run("balance", here=False).exit_code == 0, "the only profile is found"


def test_mistakes_on_the_way(run, mock, answers, folder, person):
    """A weak password is not sent; a wrong code may be typed again, and another one asked for."""

    def again():
        mock.control.advance(61)
        return "again"

    answers(person.email, "weak", person.password, "again", "nope00", again, person.code)
    answer = run("setup", "--have", "nothing")
    assert answer.exit_code == 0, answer.output
    assert "lacks: at least 8 characters" in answer.stderr
    assert answer.stderr.count("Try again.") == 1
    assert "Another code is on its way." in answer.stdout
    assert len(mock.control.mailbox.mails(person.email)) == 2


def test_three_wrong_codes_end_it(run, mock, answers, folder, person):
    """And leave neither a key file nor a profile; the account waits for --have code."""
    answers(person.email, person.password, "nope00", "nope01", "nope02")
    answer = run("setup", "--have", "nothing")
    assert answer.exit_code == 5
    assert not any(folder.iterdir())
    answers(person.code)
    answer = run("setup", "--have", "code", "--email", person.email)
    assert answer.exit_code == 0, answer.output
    assert private(folder / "didit.key")


def test_with_a_key(run, mock, answers, folder):
    """The key is asked for, tried, and shown only if asked for."""
    answers("key", mock.live_key)
    answer = run("setup", "--environment", "mock", "--show-key")
    assert answer.exit_code == 0, answer.output
    assert mock.live_key in answer.stdout.splitlines()
    assert private(folder / "didit.key")
    assert 'environment = "mock"' in (folder / "facematch.toml").read_text()
    with open_verifier(profile="didit") as verifier:
        assert verifier.backend.api_key.reveal() == mock.live_key


def test_a_key_that_is_not_taken(run, answers, folder):
    """Nothing is written unless somebody insists: it may lack the right to see the credit."""
    answers("wrong-key", False)
    assert run("setup", "--have", "key").exit_code == 130
    assert not any(folder.iterdir())
    answers("wrong-key", True)
    answer = run("setup", "--have", "key")
    assert answer.exit_code == 0
    assert Secret.from_file(folder / "didit.key").reveal() == "wrong-key"
    assert "wrong-key" not in answer.output


def test_a_key_file_that_is_there(run, mock, answers, folder):
    """`verify-email` wrote it: it is used as it is, and its rights are looked at."""
    folder.mkdir(parents=True)
    (folder / "didit.key").write_text(mock.live_key)
    (folder / "didit.key").chmod(0o644)
    answers(True)
    answer = run("setup", "--have", "key")
    assert answer.exit_code == 0, answer.output
    assert "chmod 600" in answer.stderr
    assert (folder / "didit.key").read_text() == mock.live_key


@pytest.mark.parametrize("wanted", [True, False])
def test_a_key_file_is_not_overwritten_without_asking(run, mock, answers, folder, wanted):
    """Neither for a new account; a no ends it before anything is sent."""
    folder.mkdir(parents=True)
    (folder / "didit.key").write_text("old")
    answers(False, wanted, mock.live_key)
    answer = run("setup", "--have", "key")
    assert answer.exit_code == (0 if wanted else 130), answer.output
    assert (folder / "didit.key").read_text() == (f"{mock.live_key}\n" if wanted else "old")


def test_a_project_keeps_its_file(run, mock, answers, folder, tmp_path):
    """The profile joins the file that is named; the key stays out of the project."""
    project = tmp_path / "facematch.toml"
    project.write_text('# ours\ndefault_profile = "desk"\n[profiles.desk]\nbackend = "local"\n')
    answers(mock.live_key)
    words = ("--profile", "work", "--config", str(project))
    answer = run("setup", "--have", "key", *words)
    assert answer.exit_code == 0, answer.output
    assert project.read_text().startswith("# ours\n")
    assert str(folder / "work.key") in project.read_text()
    assert not (folder / "facematch.toml").exists()
    with open_verifier(profile="work", config=project) as verifier:
        assert verifier.backend.api_key.reveal() == mock.live_key


def test_a_name_that_is_taken(run, mock, answers, tmp_path):
    """Told before anything is asked or sent."""
    project = tmp_path / "facematch.toml"
    project.write_text('[profiles.didit]\nbackend = "local"\n')
    left = answers("never asked")
    answer = run("setup", "--config", str(project))
    assert answer.exit_code == 4
    assert "profile didit already" in answer.stderr
    assert left == ["never asked"]


def on_terminal(words, replies, home):
    """Run the real program on a terminal; answers exit code and all that was shown."""
    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "HOME": str(home)}
    running = subprocess.Popen(
        [sys.executable, "-c", START, "didit", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        start_new_session=True,
    )
    os.close(slave)
    shown, seen, waiting, end = "", 0, list(replies), time.monotonic() + 30
    while time.monotonic() < end:
        if select.select([master], [], [], 0.1)[0]:
            try:
                piece = os.read(master, 4096)
            except OSError:
                break
            shown += piece.decode()
        if waiting and re.search(waiting[0][0], shown[seen:]):
            _, reply = waiting.pop(0)
            seen = len(shown)
            os.write(master, f"{reply() if callable(reply) else reply}\n".encode())
    os.close(master)
    return running.wait(10), shown


def test_on_a_real_terminal(mock, tmp_path, folder, person):
    """As somebody sees it: passwords and key do not appear, and it ends with what to do next."""
    code, shown = on_terminal(
        ["setup", "--base-url", mock.url],
        [
            (r"What do you have\?.*: ", ""),
            (r"E-mail address: ", person.email),
            (r"Password .*: ", person.password),
            (r"Repeat for confirmation: ", person.password),
            (r"Code .*: ", person.code),
        ],
        tmp_path,
    )
    assert code == 0, shown
    assert "Next:" in shown
    assert person.password not in shown
    assert Secret.from_file(folder / "didit.key").reveal() not in shown
    assert private(folder / "didit.key")
