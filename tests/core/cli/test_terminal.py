import json
import os
import pty
import re
import signal
import subprocess
import threading

import pytest

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
    return [plugin(SLOW, {"facematch.backends": {"slow": "Slow"}})]


@pytest.fixture
def on_terminal(started, site):
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


def test_a_pipe_is_plain(started, site, photos):
    answer = started("verify", *photos, "--backend", "slow", path=site)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("MATCH  score 97.53 (slow/v1, threshold at least 50")
    assert answer.stdout.isascii()


def test_what_the_terminal_cannot_write_does_not_end_in_a_traceback(started, plugin, photos):
    path = [plugin(SLOW.replace("slow/v1", "slow/模"), {"facematch.backends": {"slow": "Slow"}})]
    words = ("verify", *photos, "--backend", "slow")
    answer = started(*words, path=path, env={"PYTHONIOENCODING": "latin-1"})
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith(r"MATCH  score 97.53 (slow/\u6a21,")
    odd = started("verify", "é\udcff\u6a21.jpg", "x.jpg", env={"PYTHONIOENCODING": "ascii"})
    assert (odd.returncode, odd.stdout) == (2, "")
    assert odd.stderr.startswith("error: ")
    assert "Traceback" not in odd.stderr


def test_a_terminal_has_colours_frames_and_progress(on_terminal, tmp_path, photos):
    (tmp_path / "p.csv").write_text("probe,reference\nselfie.jpg,id.jpg\n")
    words = ("verify", "--pairs", "p.csv", "--out", "o.jsonl", "--backend", "slow")
    code, text = on_terminal(*words)
    assert code == 0
    assert COLOUR.search(text)
    assert "1/1" in ANSI.sub("", text)
    assert "1 pair: 1 answered" in ANSI.sub("", text)


def test_no_color_is_no_escape_sequence_at_all(on_terminal, photos):
    _, text = on_terminal("verify", *photos, "--backend", "slow", env={"NO_COLOR": "1"})
    assert "\x1b" not in text


def test_with_the_reader_gone_it_ends_quietly_and_not_with_the_code_of_a_mismatch(
    started, site, photos
):
    read, write = os.pipe()
    os.close(read)
    words = ("verify", *photos, "--backend", "slow")
    answer = started(*words, path=site, capture_output=False, stdout=write, stderr=subprocess.PIPE)
    assert (answer.returncode, answer.stderr) == (141, "")
    os.close(write)


def test_a_batch_that_is_stopped_waits_for_the_call_under_way(started, site, tmp_path, photos):
    (tmp_path / "p.csv").write_text("probe,reference\n" + "selfie.jpg,id.jpg\n" * 100)
    words = ("--pairs", "p.csv", "--out", "o.jsonl", "--backend", "slow", "--workers", 1)
    env = {"STARTED": str(tmp_path / "started"), "GO_ON": str(tmp_path / "go-on")}
    with started(
        "verify", *words, path=site, run=subprocess.Popen, env=env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        moment = threading.Event()
        while not (tmp_path / "started").exists() and running.poll() is None:
            moment.wait(0.005)
        running.send_signal(signal.SIGINT)
        (tmp_path / "go-on").touch()
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    written = (tmp_path / "o.jsonl").read_text().splitlines()
    assert 1 <= len(written) < 100
    assert all(json.loads(line)["result"] for line in written)
    assert "not compared" in out
    assert "stopping: waiting for the calls that have begun" in err
