"""The package: its names, imported when they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import facematch_didit
from facematch_core.http import MOCK_HEADER
from facematch_didit import account
from facematch_didit.webhooks import delivery


def test_type_checkers_and_python_find_the_same_names():
    """The imports that only type checkers see say what the table of lazy imports says."""
    tree = ast.parse(Path(facematch_didit.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == facematch_didit._HOMES
    assert set(seen) == set(facematch_didit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        facematch_didit.Nothing  # noqa: B018 - the access is what is tested


@pytest.mark.parametrize(
    ("name", "unloaded"),
    [
        ("verify_webhook", {"requests", "sqlalchemy", "facematch_didit.account"}),
        ("DiditBackend", {"facematch_didit.account", "facematch_didit.webhooks", "sqlalchemy"}),
    ],
)
def test_a_name_loads_no_more_than_it_needs(name, unloaded):
    """Whoever only receives webhooks loads no client."""
    code = f"import sys; from facematch_didit import {name}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not unloaded & set(ran.stdout.split())


def test_the_account_is_in_the_reference():
    """Each name that its module exports stands on its page."""
    page = Path(__file__).parents[3] / "docs" / "reference" / "didit-account.md"
    text = page.read_text()
    assert not [name for name in account.__all__ if f"facematch_didit.account.{name}\n" not in text]


def test_one_name_for_the_header_of_mocks():
    """A webhook is told to be of a mock by the header that answers carry."""
    assert MOCK_HEADER.lower() == delivery.MOCK
