"""Every small fault in what reads or tells vendors' answers is noticed, or listed with its reason.

``UPDATE_DOCS=1 pytest -m long tests/mutation`` writes the page; reasons are written by hand.
"""

import importlib
import os
from pathlib import Path

import pytest
from mutation import page
from mutation.aims import AIMS, BARS, ON_IMPORT, mutants_of
from mutation.mutants import planted
from mutation.running import verdicts

#: Beside other tests each mutant has one core, and otherwise two.
WORKERS = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2


@pytest.mark.long
@pytest.mark.parametrize("module", AIMS)
def test_every_mutant_is_killed_or_explained(module):
    """The planted one first; then no survivor that the page does not list, and none too many."""
    plain = Path(importlib.import_module(module).__file__).read_text()
    assert verdicts(module, [plain, planted(module)], AIMS[module]) == ["survived", "killed"]

    made = mutants_of(module)
    ended = verdicts(module, [one.source for one in made], AIMS[module], WORKERS)
    early = {one.function for one, end in zip(made, ended, strict=True) if end.endswith("import")}
    # The body of most functions does not run then: what ended those would have ended any mutant.
    assert all(name[:1].isupper() for name in early - ON_IMPORT)
    lived = [end == "survived" for end in ended]
    row = page.counted(made, lived)
    left = [one for one, lives in zip(made, lived, strict=True) if lives]
    living = [(one.function, one.line, one.change) for one in left]
    if os.environ.get("UPDATE_DOCS"):
        page.write(module, row, living)
    listed = {key for key in page.survivors() if key[0] == module}
    assert {(module, *one) for one in living} == listed
    assert all(page.survivors()[key] for key in listed)
    assert page.counts()[module] == row
    assert sum(lived) <= (1 - BARS[module]) * len(made)
