"""What a start loads: a server that is there at once loads nothing that no answer needs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from facematch_mock_server import cards

STARTED = """
import sys
from facematch_mock_server import MockServer
with MockServer():
    print(*sys.modules)
"""
COMMAND = """
import sys, threading
threading.Event.wait = lambda *_: print(*sys.modules)
sys.argv = ["facematch", "mock"]
from facematch_core.cli import main
main()
"""
OF_DEEPVUE = STARTED.replace("MockServer()", "MockServer(vendor='deepvue')")
#: Each takes a millisecond or more, and few runs of a server need it.
LATER = {
    *("PIL", "requests", "numpy", "difflib", "html", "email.utils", "importlib.metadata"),
    *("importlib.resources", "facematch_mock_server.cards._sheet", "facematch_local"),
    *("facematch_mock_server.doubles", "facematch_core.testing", "pytest"),
}


@pytest.mark.parametrize("code", [STARTED, COMMAND], ids=["object", "command"])
def test_a_start_loads_only_what_answers_need(code):
    """Decoders, hints, metadata and the sheet of cards wait until they are used."""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert "facematch_mock_server.fronts.server" in loaded
    assert not LATER & loaded


@pytest.mark.parametrize(
    ("code", "other"), [(STARTED, "deepvue"), (OF_DEEPVUE, "didit")], ids=["didit", "deepvue"]
)
def test_a_start_loads_no_other_vendor(code, other):
    """Neither what it does nor what is claimed about it."""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert "facematch_mock_server.fronts.server" in loaded
    assert not [name for name in loaded if other in name.split(".")]


def test_type_checkers_and_python_find_the_same_names_of_cards():
    """The imports that only type checkers see say what the table of lazy imports says."""
    tree = ast.parse(Path(cards.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == cards._HOMES
    assert set(seen) | {"Card", "read_card"} == set(cards.__all__)
    assert all(hasattr(cards, name) for name in cards.__all__)
