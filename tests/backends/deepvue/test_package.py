"""The package: its names, imported when they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import facematch_deepvue


def test_type_checkers_and_python_find_the_same_names():
    """The imports that only type checkers see say what the table of lazy imports says."""
    tree = ast.parse(Path(facematch_deepvue.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == facematch_deepvue._HOMES
    assert set(seen) == set(facematch_deepvue.__all__)
    for name in seen:
        assert getattr(facematch_deepvue, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        facematch_deepvue.Nothing  # noqa: B018 - the access is what is tested


def test_the_words_load_no_client():
    """Who only reads settings needs no HTTP library."""
    code = "import sys; from facematch_deepvue import RATES; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "requests" not in ran.stdout.split()
