"""The projects in docs/examples belong to the documentation."""

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    """They are run with its pages."""
    here = f"{Path(__file__).parent}{os.sep}"
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.docs)
