"""What a start loads: a server that is there at once loads nothing that no answer needs."""

import subprocess
import sys

import pytest

STARTED = """
import sys
from facematch_mock_server import MockServer
with MockServer():
    print(*sys.modules)
"""
COMMAND = """
import sys, threading
threading.Event.wait = lambda *_: print(*sys.modules) or True
sys.argv = ["facematch", "mock"]
from facematch_core.cli import main
main()
"""
OF_DEEPVUE = STARTED.replace("MockServer()", "MockServer(vendor='deepvue')")
#: Each takes a millisecond or more, and few runs of a server need it.
LATER = {
    *("PIL", "requests", "numpy", "difflib", "html", "email.utils", "importlib.metadata"),
    *("importlib.resources", "facematch_mock_server.recognition.sheet", "facematch_local"),
    *("facematch_mock_server.simulators", "facematch_core.testing", "pytest"),
}


#: With what the mock is found among the commands of plug-ins.
READ = {"importlib.metadata", "importlib.resources", "email.utils"}


@pytest.mark.parametrize(
    ("code", "later"), [(STARTED, LATER), (COMMAND, LATER - READ)], ids=["object", "command"]
)
def test_a_start_loads_only_what_answers_need(code, later):
    """Decoders, hints, metadata and the sheet of cards wait until they are used."""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert "facematch_mock_server.http.server" in loaded
    assert not later & loaded


@pytest.mark.parametrize(
    ("code", "other"), [(STARTED, "deepvue"), (OF_DEEPVUE, "didit")], ids=["didit", "deepvue"]
)
def test_a_start_loads_no_other_vendor(code, other):
    """Neither what it does nor what is claimed about it."""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert "facematch_mock_server.http.server" in loaded
    assert not [name for name in loaded if other in name.split(".")]
