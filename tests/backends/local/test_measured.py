"""The error rates that the documentation states, on pictures that are not part of the project."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from facematch_local._score import score_from_distance

FACES = Path(__file__).parents[4] / "shared" / "data" / "faces"


@pytest.mark.skipif(
    not (FACES / "pairs.csv").exists(),
    reason="the pictures show people who did not agree to it; they are kept outside of the project",
)
def test_errors_at_the_default_threshold(engine):
    """All pictures are scored; at 50 at most 3 of 500 false matches, 3 of 240 false non-matches."""
    with (FACES / "pairs.csv").open(newline="") as file:
        pairs = list(csv.DictReader(file))
    names = sorted({pair[side] for pair in pairs for side in ("image_a", "image_b")})
    found = {name: engine.look((FACES / name).read_bytes()).embedding for name in names}
    assert sum(embedding is not None for embedding in found.values()) == 111
    outcomes = [
        (
            pair["same"] == "1",
            score_from_distance(
                float(np.linalg.norm(found[pair["image_a"]] - found[pair["image_b"]]))
            )
            >= 50,
        )
        for pair in pairs
    ]
    assert [same for same, _ in outcomes].count(True) == 240
    assert [same for same, _ in outcomes].count(False) == 500
    assert outcomes.count((False, True)) <= 3
    assert outcomes.count((True, False)) <= 3
