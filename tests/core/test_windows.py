"""What Windows has not, or does otherwise, as far as another system can play it."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

#: Takes away what Python has on POSIX alone, once its own library and others have looked.
WITHOUT_POSIX = """
import platformdirs, requests, rich.console, sqlalchemy.dialects.sqlite
import asyncio, concurrent.futures.process, multiprocessing.connection, multiprocessing.util
import importlib.metadata, os, pkgutil, shutil, signal, socket, subprocess, sys, tempfile
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


def python(code, folder, *options, **variables):
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env=os.environ | paths | variables,
        cwd=folder,
        capture_output=True,
        timeout=300,
        check=False,
    )


@pytest.mark.long
def test_every_module_is_imported_without_what_posix_has(tmp_path):
    done = python(
        "import dask, distributed, hypothesis, cv2, pandas, pytest, responses, trio"
        + WITHOUT_POSIX
        + """
for top in ("facematch_azure", "facematch_comparison", "facematch_compreface", "facematch_core",
            "facematch_deepvue", "facematch_didit", "facematch_local", "facematch_mock_server",
            "facematch_rekognition"):
    for module in pkgutil.walk_packages(importlib.import_module(top).__path__, f"{top}."):
        if "new_backend_template" not in module.name and "._" not in module.name[-10:]:
            importlib.import_module(module.name)
""",
        tmp_path,
        ORT_DISABLE_TELEMETRY="1",
    )
    assert done.returncode == 0, done.stderr.decode()


#: What is printed with a code page, by commands in a console.
COMMANDS = [
    ["--help"],
    ["doctor"],
    ["mock", "--help"],
    ["new-backend", "acme-ü"],
]
PROBE = f"""
{WITHOUT_POSIX}
import contextlib, io, json, pathlib
from facematch_core import BudgetExceeded, open_verifier
from facematch_core.cli import main
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_mock_server import MockServer, make_card
import facematch_core.cli.options, facematch_core.cli.text
import facematch_core.config.opening, facematch_core.verifier.verifier
import facematch_didit.backend
sys.platform = "win32"
calls, ends = [], []
for _ in range(2):
    with MockServer(vendor="didit") as mock:
        budget = Budget(1, name="all", store=SqlStore("sqlite:///budget.sqlite3"))
        with open_verifier(
            "didit", api_key=mock.live_key, base_url=mock.url, policies=[budget], threshold=50
        ) as verifier:
            try:
                result = verifier.verify(make_card("ada"), make_card("ada", quality=70))
                calls.append(result.decision)
            except BudgetExceeded:
                calls.append("refused")
        calls.append(len(mock.control.charges()))
config = pathlib.Path("facematch.toml")
config.write_text('[profiles.a]\\nbackend = "local"\\n', encoding="utf-8")
with open_verifier(profile="a", config=config) as verifier:
    calls.append(verifier.backend.name)

for words in {COMMANDS!r}:
    page = io.TextIOWrapper(io.BytesIO(), encoding="cp437")
    sys.argv[1:] = words
    with contextlib.redirect_stdout(page), contextlib.redirect_stderr(page):
        try:
            main()
        except SystemExit as error:
            ends.append(error.code)
print(json.dumps([calls, ends]), flush=True)

def broken(*_, **__):
    raise OSError(22, "Invalid argument")
sys.stdout.write = broken
sys.argv[1:] = ["doctor", "--json"]
main()
"""


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    options = ("-X", "warn_default_encoding", "-W", "error::EncodingWarning")
    return python(PROBE, tmp_path_factory.mktemp("probe"), *options)


def test_a_call_a_budget_and_a_mock_need_nothing_that_posix_has_alone(probe):
    assert probe.stdout, probe.stderr.decode()
    assert json.loads(probe.stdout)[0] == ["match", 1, "refused", 0, "local"]


def test_no_command_fails_at_the_code_page_of_a_console_or_reads_a_file_by_it(probe):
    ends = json.loads(probe.stdout)[1]
    assert len(ends) == len(COMMANDS)
    assert {*ends} <= {None, 0, 2}


def test_a_reader_that_has_ended_is_no_bug_of_ours(probe):
    """Windows calls a closed pipe an invalid argument."""
    assert (probe.returncode, probe.stderr) == (141, b"")
