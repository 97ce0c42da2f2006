"""The photographs for simulators: those of the wheel, by name."""

from pathlib import Path

import pytest

import facematch_core
from facematch_core.testing import photograph
from facematch_core.testing.pictures import PHOTOGRAPHS

FOLDER = Path(facematch_core.__file__).parent / "cli" / "photographs"


def test_they_are_those_of_the_package():
    """Every one of them, and no other."""
    assert {path.stem for path in FOLDER.glob("*.jpg")} == set(PHOTOGRAPHS)
    for name in PHOTOGRAPHS:
        assert photograph(name).data == (FOLDER / f"{name}.jpg").read_bytes()


@pytest.mark.parametrize("name", ["nobody", "../photographs/grace-hopper", ""])
def test_an_unknown_name_is_refused(name):
    """With the names that there are, and never as a path."""
    with pytest.raises(LookupError, match="there is eileen-collins"):
        photograph(name)
