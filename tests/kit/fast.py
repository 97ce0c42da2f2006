"""Mark the tests of `make test-fast`: all but those in tests/omitted_from_fast.txt.

A test that is new or has a new name is `fast` until `make choose-fast` writes the list anew.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
OMITTED = TESTS / "omitted_from_fast.txt"
#: The test functions that this run has collected, before any is deselected.
COLLECTED = pytest.StashKey[set[str]]()


def function_of(node_id):
    """Return the id of a test without its parameters."""
    return node_id.partition("[")[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Before `-m` deselects."""
    omitted = {*OMITTED.read_text().split()}
    config.stash[COLLECTED] = {function_of(item.nodeid) for item in items}
    for item in items:
        if function_of(item.nodeid) not in omitted:
            item.add_marker("fast")
