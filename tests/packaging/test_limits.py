import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PLANTED = """
import signal, subprocess, sys, threading
import pytest

def test_a_process():
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == -signal.SIGINT

def test_a_wait():
    threading.Event().wait()

@pytest.fixture
def clean_up():
    yield
    threading.Event().wait()

def test_a_wait_whose_clean_up_waits_too(clean_up):
    threading.Event().wait()

def test_what_hears_no_alarm():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    threading.Event().wait()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="in the background nothing is ignored there")
def test_a_run_in_the_background_hears_ctrl_c_and_ends_though_a_test_waits_for_ever(tmp_path):
    (tmp_path / "test_planted.py").write_text(PLANTED)
    settings = [
        f"--override-ini=faulthandler_{text}" for text in ("timeout=8", "exit_on_timeout=1")
    ]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "kit.limits", "-p", "no:xdist", *settings],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 1
    assert "test_a_process PASSED" in run.stdout
    assert "test_a_wait FAILED" in run.stdout
    assert "test_a_wait_whose_clean_up_waits_too ERROR" in run.stdout
    assert "in test_what_hears_no_alarm" in run.stderr
