"""Which parts of a dotted name of a column say what its score is of."""

import pytest
from kit.plugins import Site
from kit.vendors import PROJECT

from facematch_comparison.scores.columns import is_of_comparison, vendor_names

NAMES = PROJECT["entry-points"]["facematch.backends"] | PROJECT["entry-points"]["facematch.aliases"]


@pytest.mark.parametrize("name", NAMES)
def test_score_below_a_vendors_name_is_of_two_faces(name):
    assert is_of_comparison(f"{name}.result.score")
    assert not is_of_comparison(f"{name}.liveness.score")


def test_score_below_the_name_of_a_plug_in_is_of_two_faces(tmp_path, monkeypatch):
    Site(tmp_path, monkeypatch).add("facematch-made", [("facematch.backends", "we_made", "Made")])
    vendor_names.cache_clear()
    try:
        assert is_of_comparison("We-Made.score")
    finally:
        vendor_names.cache_clear()
    assert not is_of_comparison("nobody.score")
