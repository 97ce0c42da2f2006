"""The list of tests that `make test-fast` omits names tests that exist."""

from pathlib import Path

import pytest
from kit.fast import COLLECTED, OMITTED

ROOT = Path(__file__).parents[2]


def test_each_omitted_test_exists(request):
    """A test with a new name is not omitted: take its old name off the list, or name it anew."""
    if any("::" in argument for argument in request.config.args):
        pytest.skip("Only a part of some file was collected.")
    functions = request.config.stash[COLLECTED]
    files = {function.partition("::")[0] for function in functions}
    omitted = OMITTED.read_text().splitlines()
    assert omitted == sorted({*omitted})
    for function in omitted:
        file = function.partition("::")[0]
        assert (ROOT / file).is_file(), function
        assert file not in files or function in functions, function
