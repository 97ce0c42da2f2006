"""Marks the tests of `tests/slow.txt` as slow: `make test` omits them, `make test-slow` runs them.

Each took more than a second of the processor or started an interpreter, and quicker tests guard the
same. A line has the test, or the test with its parameters, after the seconds that were measured.
"""

from pathlib import Path

import pytest

LIST = Path(__file__).parents[1] / "slow.txt"


def read_list():
    """Return the listed tests, as ids of pytest."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return {line.split(maxsplit=1)[1] for line in lines if line[:1] not in {"", "#"}}


# Before `-m` deselects.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    listed = read_list()
    found = set()
    for item in items:
        test, _, _ = item.nodeid.partition("[")
        names = listed & {item.nodeid, test}
        found |= names
        if names:
            item.add_marker(pytest.mark.slow)
    if not any("::" in argument for argument in config.args):
        files = {item.nodeid.partition("::")[0] for item in items}
        lost = [test for test in listed - found if test.partition("::")[0] in files]
        if lost:
            raise pytest.UsageError(f"tests/slow.txt lists no test of today: {', '.join(lost)}")
