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

def test_a_fixture(clean_up):
    pass
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="in the background nothing is ignored there")
def test_a_run_in_the_background_hears_ctrl_c_and_ends_though_a_test_waits_for_ever(tmp_path):
    (tmp_path / "test_planted.py").write_text(PLANTED)
    settings = [
        f"--override-ini=faulthandler_{text}" for text in ("timeout=12", "exit_on_timeout=1")
    ]
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-v", "-p", "kit.limits", "-p", "no:xdist", *settings],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, handler)
    printed, stacks = process.communicate(timeout=200)
    assert process.returncode == 1
    assert "test_a_process PASSED" in printed
    assert "test_a_wait FAILED" in printed
    assert "in clean_up" in stacks
