"""What a simulator declares in a wrong form is named, and no rule is blamed for it."""

import pytest
from mutants.reference import ReferenceSimulator

from facematch_core import Box, Operation
from facematch_core.testing import Situation
from facematch_core.testing.bench import Bench

BOX = Box(left=0.1, top=0.1, right=0.5, bottom=0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("situations", {"same_person"}),
        ("situations", "same_person"),
        ("situations", None),
        ("cannot_happen", [Situation.NO_FACE]),
        ("cannot_happen", {Situation.NO_FACE: None}),
        ("steps", "two"),
        ("steps", {"match": 2}),
        ("price_unknown", Situation.NO_FACE),
        ("secrets", "a-secret-key"),
        ("secrets", [b"a-secret-key"]),
        ("demographics", ["age"]),
        ("faces", {"probe": BOX}),
        ("faces", [BOX]),
        ("unknown_warning", None),
    ],
)
def test_what_has_another_form_is_named(name, value):
    simulator = ReferenceSimulator()
    setattr(simulator, name, value)
    with pytest.raises(TypeError, match=rf"ReferenceSimulator\.{name} must be"):
        Bench(simulator)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("situations", frozenset()),
        ("steps", {Operation.MATCH: 2}),
        ("secrets", ("a-secret-key",)),
        ("faces", {"probe": [BOX], "reference": (BOX,)}),
    ],
)
def test_what_has_its_form_is_taken(name, value):
    simulator = ReferenceSimulator()
    setattr(simulator, name, value)
    Bench(simulator)
