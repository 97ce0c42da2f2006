"""The real program: in a pipe, on a terminal, stopped, and with nobody reading."""

import json
import os
import pty
import re
import signal
import subprocess

import pytest

from facematch_core.cli.common import print_table
from facematch_core.cli.demo import KNOWN_LIMIT as LIMIT

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-9]|9[0-7])(?:;[0-9]+)*m")

SLOW = """
    import os, pathlib, time
    from facematch_core import Billing, Charged, Decision, Environment, MatchResult, Score
    from facematch_core.backend import Backend, Capabilities

    class Slow(Backend):
        name = "slow"
        capabilities = Capabilities(default_threshold=50.0, score_scale="slow/v1")

        @property
        def environment(self):
            return Environment.LOCAL

        def match(self, call):
            if "STARTED" in os.environ:
                pathlib.Path(os.environ["STARTED"]).touch()
                while not pathlib.Path(os.environ["GO_ON"]).exists():
                    time.sleep(0.01)
            return MatchResult(decision=Decision.MATCH, score=Score(97.53, "slow/v1"),
                               backend="slow", billing=Billing(Charged.NO))
"""


@pytest.fixture
def site(plugin):
    """A folder with the plug-in `slow`, for another process."""
    return [plugin(SLOW, {"facematch.backends": {"slow": "Slow"}})]


@pytest.fixture
def on_terminal(started, site):
    """Run with stdout and stderr on a terminal of 80 columns; answers code and text."""

    def start(*words, env=None):
        master, slave = pty.openpty()
        plain = {"TERM": "xterm-256color", "COLUMNS": "80", **(env or {})}
        running = started(
            *words,
            path=site,
            run=subprocess.Popen,
            env=plain,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        text = b""
        try:
            while part := os.read(master, 65536):
                text += part
        except OSError:  # how Linux says that the other side has closed
            pass
        os.close(master)
        return running.wait(60), text.decode()

    return start


def test_pipe_is_plain(started, site, photos):
    """In a pipe there are no colours, no frames, no progress."""
    answer = started("verify", *photos, "--backend", "slow", path=site)
    assert answer.returncode == 0
    assert answer.stderr == ""
    assert answer.stdout.startswith("MATCH  score 97.53 (slow/v1, threshold at least 50")
    assert answer.stdout.isascii()
    listed = started("backends", path=site)
    assert listed.stdout.isascii()


def test_errors_in_a_pipe(started, photos):
    """An error of the real program: one sentence on stderr, its code, nothing on stdout."""
    answer = started("verify", "selfie.jpg", "missing.jpg")
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: ")
    assert "Traceback" not in answer.stderr


def test_terminal_has_colours(on_terminal, photos):
    """On a terminal the decision is coloured, and tables have a frame."""
    code, text = on_terminal("verify", *photos, "--backend", "slow")
    assert code == 0
    assert COLOUR.search(text)
    assert "MATCH  score" in ANSI.sub("", text)
    _, table = on_terminal("backends")
    assert "\u2500" in table


def test_no_color(on_terminal, tmp_path, photos):
    """NO_COLOR is no escape sequence at all: no bold, no bar, no frame that needs one."""
    (tmp_path / "p.csv").write_text("probe,reference\nselfie.jpg,id.jpg\n")
    for words in (
        ("verify", *photos, "--backend", "slow"),
        ("verify", "--pairs", "p.csv", "--out", "o.jsonl", "--backend", "slow"),
        ("backends",),
        ("conformance", "slow"),
        ("verify", "nothing.jpg", "id.jpg"),
    ):
        _, text = on_terminal(*words, env={"NO_COLOR": "1"})
        assert "\x1b" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_word_is_broken(width, capsys, monkeypatch):
    """Prose is wrapped between words; where that is not enough, lines are longer than the width."""
    header = ("pair", "shows", "expected", "decision", "score", "right?")
    row = ("1", "a portrait, another's card", "different", "INCONCLUSIVE", "98.49", LIMIT)
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(header, [row], prose=("shows",))
    lines = capsys.readouterr().out.splitlines()
    assert {"portrait,", "another's", "card", "INCONCLUSIVE", "98.49"} <= {*" ".join(lines).split()}
    assert any(LIMIT in line for line in lines)
    assert width < 80 or max(map(len, lines)) <= width


def test_progress_on_a_terminal(on_terminal, tmp_path, photos):
    """A batch shows its progress on a terminal, and leaves the summary."""
    (tmp_path / "p.csv").write_text("probe,reference\nselfie.jpg,id.jpg\n")
    words = ("verify", "--pairs", "p.csv", "--out", "o.jsonl", "--backend", "slow")
    code, text = on_terminal(*words)
    assert code == 0
    assert "1/1" in ANSI.sub("", text)
    assert "1 pair: 1 answered" in ANSI.sub("", text)


def test_nobody_reads(started, site, photos):
    """With the reader gone the program ends quietly, and not with the code of a mismatch."""
    read, write = os.pipe()
    os.close(read)
    for words in (["--json"], []):
        answer = started(
            "verify", *photos, "--backend", "slow", *words,
            path=site, capture_output=False, stdout=write, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert answer.returncode == 141
        assert answer.stderr == ""
    helped = started("-h", capture_output=False, stdout=write, stderr=subprocess.PIPE)
    assert (helped.returncode, helped.stderr) == (141, "")
    os.close(write)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_batch_is_stopped(number, started, site, tmp_path, photos):
    """A signal during a batch: the call under way is waited for and written."""
    (tmp_path / "p.csv").write_text("probe,reference\n" + "selfie.jpg,id.jpg\n" * 100)
    words = ("--pairs", "p.csv", "--out", "o.jsonl", "--backend", "slow", "--workers", 1)
    env = {"STARTED": str(tmp_path / "started"), "GO_ON": str(tmp_path / "go-on")}
    with started(
        "verify", *words, path=site, run=subprocess.Popen, env=env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        _wait(tmp_path / "started", running)
        running.send_signal(number)
        (tmp_path / "go-on").touch()
        out, err = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    written = (tmp_path / "o.jsonl").read_text().splitlines()
    assert 1 <= len(written) < 100
    assert all(json.loads(line)["result"] for line in written)
    assert "not compared" in out
    assert "stopping: waiting for the calls that have begun" in err


def _wait(path, running):
    import threading

    moment = threading.Event()
    for _ in range(6000):
        if path.exists() or running.poll() is not None:
            return
        moment.wait(0.005)


def test_odd_terminal(started, site, tmp_path):
    """A file name that the terminal cannot write does not end in a traceback."""
    answer = started("verify", "é\udcff\u6a21.jpg", "x.jpg", env={"PYTHONIOENCODING": "ascii"})
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
