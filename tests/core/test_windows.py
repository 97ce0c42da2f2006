"""What Windows has not, or does otherwise, as far as another system can play it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from facematch_core import kinds
from facematch_mock_server import MockServer
from facematch_mock_server import cli as mock_cli

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "docs/photographs"

#: Takes away what Python has on POSIX alone, once its own library and others have looked.
WITHOUT_POSIX = """
import platformdirs, requests, rich.console, sqlalchemy.dialects.sqlite
import asyncio, concurrent.futures.process, multiprocessing.connection, multiprocessing.util
import importlib, os, pkgutil, signal, socket, subprocess, sys, tempfile
for name in ("fork", "register_at_fork", "getuid", "geteuid", "getgid", "getegid", "fchmod",
             "fchown", "chown", "killpg", "getpgid", "setsid", "uname", "sysconf", "O_NONBLOCK",
             "O_CLOEXEC", "O_NOFOLLOW", "sched_getaffinity", "WNOHANG"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGALRM", "setitimer",
             "pthread_kill", "pthread_sigmask", "alarm", "pause"):
    if hasattr(signal, name):
        delattr(signal, name)

for name in ("fcntl", "resource", "grp", "termios", "tty", "pty", "readline", "syslog"):
    sys.modules[name] = None
"""


def python(code, *options, **variables):
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@pytest.mark.long
def test_every_module_is_imported_without_what_posix_has(tmp_path):
    """No module needs fork, users, groups, locks of fcntl, or signals that Windows has not."""
    python(
        "import dask, distributed, hypothesis, onnxruntime, pandas, pytest, responses, trio"
        + WITHOUT_POSIX
        + """
for top in ("facematch_azure", "facematch_comparison", "facematch_compreface", "facematch_core",
            "facematch_deepvue", "facematch_didit", "facematch_local", "facematch_mock_server",
            "facematch_rekognition"):
    for module in pkgutil.walk_packages(importlib.import_module(top).__path__, f"{top}."):
        if "new_backend_template" not in module.name and "._" not in module.name[-10:]:
            importlib.import_module(module.name)
""",
        HOME=str(tmp_path),
        ORT_DISABLE_TELEMETRY="1",
    )


def test_a_call_a_budget_and_a_mock_without_what_posix_has(tmp_path):
    """A verification by HTTP, counted in a file, against a mock."""
    said = (
        python(
            WITHOUT_POSIX
            + f"""
import pathlib
from facematch_core import BudgetExceeded, open_verifier
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_mock_server import MockServer, make_card
import facematch_core.verifier, facematch_core.cli.common, facematch_didit.backend, requests
sys.platform = "win32"
folder = pathlib.Path({str(tmp_path)!r})
for _ in range(2):
    with MockServer(vendor="didit") as mock:
        budget = Budget(1, name="all", store=SqlStore(f"sqlite:///{{folder}}/budget.sqlite3"))
        with open_verifier(
            "didit", api_key=mock.live_key, base_url=mock.url, policies=[budget], threshold=50
        ) as verifier:
            try:
                print(verifier.verify(make_card("ada"), make_card("ada", quality=70)).decision)
            except BudgetExceeded:
                print("refused")
        print(len(mock.control.charges()))
config = folder / "facematch.toml"
config.write_text('[profiles.a]\\nbackend = "local"\\n', encoding="utf-8")
with open_verifier(profile="a", config=config) as verifier:
    print(verifier.backend.name)
""",
            HOME=str(tmp_path),
        )
        .decode()
        .split()
    )
    assert said == ["match", "1", "refused", "0", "local"]


def test_the_mock_brings_a_loop_that_watches_sockets(monkeypatch):
    """The loop that Windows has by default cannot."""

    class Proactor(asyncio.SelectorEventLoop):
        def add_reader(self, *_):
            raise NotImplementedError

    monkeypatch.setattr(asyncio, "new_event_loop", Proactor)
    with MockServer() as mock:
        answer = requests.get(f"{mock.url}/system/healthcheck", timeout=10)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["backends"],
        ["mock", "explain", "didit.upload.extension"],
        ["new-backend", "acme-ü"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_the_code_page_of_a_windows_console(tmp_path, words):
    """Whatever letters it has not, no command fails; and none reads a file by its code page."""
    code = f"import sys; sys.argv[1:] = {words!r}; from facematch_core.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning", "-c", code],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "cp437"}
        | {"HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    said = (done.stdout + done.stderr).decode("cp437")
    assert "Traceback" not in said, said
    assert "EncodingWarning" not in said, said
    assert done.returncode in (0, 2), said


def test_a_command_is_quoted_for_the_shell_of_the_system(monkeypatch):
    """Windows' knows no single quotes, and its paths need none."""
    words = ["facematch", "doctor", r"C:\Users\Ada Byron\facematch.toml"]
    assert kinds.typed(words) == r"facematch doctor 'C:\Users\Ada Byron\facematch.toml'"
    monkeypatch.setattr(kinds.os, "name", "nt")
    assert kinds.typed(words) == r'facematch doctor "C:\Users\Ada Byron\facematch.toml"'
    assert kinds.typed([r"C:\facematch.toml"]) == r"C:\facematch.toml"


def test_ctrl_c_ends_the_mock_on_windows(monkeypatch):
    """A wait without an end would not hear it there."""
    waited = []

    class Event:
        def wait(self, timeout):
            waited.append(timeout)
            return len(waited) == 3

    monkeypatch.setattr("sys.platform", "win32")
    mock_cli.wait_for(Event())
    assert waited == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("words", [["--version"], ["backends", "--json"]])
def test_a_reader_that_has_ended_on_windows(words):
    """Windows calls a closed pipe an invalid argument; it is no bug of ours."""
    # What imports a module of Windows' own is imported while this is no Windows.
    code = f"""
import importlib.metadata, shutil, subprocess, sys
import click
import facematch_core.config
from facematch_core.cli import main
def broken(*_, **__):
    raise OSError(22, "Invalid argument")
sys.stdout.write = broken
sys.argv[1:] = {words!r}
sys.platform = "win32"
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (141, b"")


def test_names_in_a_file_of_pairs_have_slashes(tmp_path):
    """A file that was drawn on Windows is read elsewhere."""
    for person in ("ada", "bob"):
        for number in "12":
            file = tmp_path / "people" / person / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes((PHOTOS / "no-face-cat.jpg").read_bytes() + number.encode())
    words = ["compare", "draw", str(tmp_path / "people"), "--out", str(tmp_path / "pairs.csv")]
    python(f"import sys; sys.argv[1:] = {words!r}; from facematch_core.cli import main; main()")
    text = (tmp_path / "pairs.csv").read_text("utf-8")
    assert "people/ada/1.jpg" in text
    assert "\\" not in json.dumps(text.replace("\r\n", "").replace("\n", ""))
